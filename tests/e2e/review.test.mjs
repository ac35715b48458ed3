// What waits for a person, in a real browser and without a mouse: candidates side by side, one linked, one refused, the others decided together.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { browser, watched } from "../support/browser.mjs";
import { done, freePort, home, simulator, start } from "../support/program.mjs";

const PASSWORD = "correct horse battery staple";
const POLICY = `preset: bms
rules:
  - { id: everyone, order: 1, when: {}, then: { kind: contact, client: from_tenant, role: portal-user } }
`;

let place, entra, server, chrome, link, origin;

before(async () => {
  const port = await freePort();
  origin = `http://127.0.0.1:${port}`;
  place = home({ ROLLCALL_LISTEN: `127.0.0.1:${port}` });
  entra = await simulator(place, ["--tenants", "1", "--users", "0", "--groups", "0"]);
  const tenant = entra.tenants[0];
  const join_ = (name, surname) =>
    entra.control("POST", `/tenants/${tenant.tenant_id}/users`, {
      userPrincipalName: `${name}@${tenant.domain}`, mail: `${name}@${tenant.domain}`, displayName: `${name} ${surname}`, givenName: name, surname,
    });
  const say = (...args) => done(place, args, { ENTRA_SECRET: tenant.client_secret });
  await say("connections", "add", "acme", "--tenant", tenant.tenant_id, "--client-id", tenant.client_id, "--secret-env", "ENTRA_SECRET",
    "--graph-url", entra.url, "--login-url", entra.url);
  await say("tenants", "map", "acme", "--client", "Acme", "--create");
  writeFileSync(join(place.folder, "policy.yaml"), POLICY);
  await say("policy", "import", "policy.yaml", "--tenant", "acme");
  await join_("ada", "Byron");
  await say("sync", "acme", "--yes");
  // Each of these has two records in Acme with their address.
  const rows = ["external_id,kind,client,email,first_name,last_name,tickets"];
  for (const name of ["gus", "ida", "otto"]) {
    rows.push(`${name}-1,contact,Acme,${name}@${tenant.domain},${name},Smith,2`, `${name}-2,contact,Acme,${name}@${tenant.domain},Someone,Else,0`);
    await join_(name, "Smith");
  }
  writeFileSync(join(place.folder, "people.csv"), `${rows.join("\n")}\n`);
  await say("records", "import", "people.csv");
  await say("sync", "acme", "--yes");
  server = start(place, ["serve"]);
  [, link] = await server.line(/First sign-in.*(http\S+)/);
  chrome = await browser();
});
after(async () => {
  await chrome?.close();
  await server?.stop();
  await entra?.stop();
  place?.dispose();
});

test("questions are answered one by one and together, with the keyboard alone", async () => {
  const { page, visit, settled, expectRefusal, story } = await watched(chrome, origin);
  const heading = (text) => page.getByRole("heading", { name: text }).first().waitFor();
  /** Presses a control as somebody without a mouse does. */
  const press = async (role, name) => {
    const control = page.getByRole(role, { name }).first();
    await control.focus();
    await page.keyboard.press(role === "checkbox" ? "Space" : "Enter");
  };

  await story(async () => {
    await visit(link, "review: first account");
    await page.getByLabel("Name").fill("Grace");
    await page.getByLabel("Password", { exact: true }).fill(PASSWORD);
    await page.getByLabel("Password again").fill(PASSWORD);
    await page.getByRole("button", { name: "Create account" }).click();
    await heading("Overview");

    await visit("/review", "review: list");
    assert.equal(await page.locator("#rows tbody tr").count(), 3, "one item a user");
    await press("link", /^gus/);
    await heading(/gus/);
    await settled("review: item");
    const text = await page.locator("main").innerText();
    for (const part of [/Several records could be this user/, /100 % like/, /\bmet\b/, /Tickets/, /has tickets/]) assert.match(text, part);

    // A record that somebody else has is refused, and the page says whose it is.
    const people = JSON.parse(await done(place, ["review", "list", "--json"]));
    const item = people.find((i) => i.user_name.startsWith("gus"));
    await page.getByText("Link another record").focus();
    await page.keyboard.press("Enter");
    await page.getByLabel("Its number").fill("1");
    expectRefusal();
    await page.keyboard.press("Enter");
    await page.getByRole("alert").filter({ hasText: /linked to/ }).waitFor();
    await settled("review: refused");

    // The right one is linked at once, and who did it stands there.
    const right = item.candidates.find((c) => c.tickets === 2);
    await press("button", new RegExp(`^Link this record\\W+${right.id},`));
    await page.getByText("Written. Sync goes on with this record by itself.").waitFor();
    await settled("review: resolved");
    assert.match(await page.locator("main").innerText(), /Grace.*link record/s);

    // The others are left out together, found again, and decided one by one through the list.
    await visit("/review", "review: two left");
    await press("checkbox", /All 2 that fit/);
    await press("button", "Dismiss");
    await page.getByText("Done, for all of them.").waitFor();
    await heading("Nothing waits");
    await settled("review: empty");
    await press("link", /^Dismissed/);
    await page.locator("#rows tbody tr").first().waitFor();
    await settled("review: dismissed");
    await press("checkbox", /^Choose item \d+, ida/);
    await press("button", "Open again");
    await page.getByText("Done, for all of them.").waitFor();
    await visit("/review", "review: one again");
    await press("checkbox", /^Choose item \d+, ida/);
    await press("button", "Link the only candidate");
    await page.getByText("2 candidates").waitFor();
    await settled("review: bulk refused");
    await press("checkbox", /^Choose item \d+, ida/);
    await press("button", "Create new records");
    await page.getByText("Done, for all of them.").waitFor();
    await settled("review: done");
  });
});
