// Before and after: what a draft would do is counted before it is saved, saving touches exactly those people; and a run is taken back by a
// plan that is shown first, names whom somebody touched since, and is approved like any other.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { browser, watched } from "../support/browser.mjs";
import { freePort, home, simulator, start } from "../support/program.mjs";

const PASSWORD = "correct horse battery staple";
const EVERYONE = "preset: bms\nrules:\n  - { id: everyone, order: 10, when: {}, then: { kind: contact, role: portal-user } }\n";

let place, entra, server, chrome, link, origin;

before(async () => {
  const port = await freePort();
  origin = `http://127.0.0.1:${port}`;
  place = home({ ROLLCALL_LISTEN: `127.0.0.1:${port}` });
  entra = await simulator(place, ["--tenants", "1", "--users", "60", "--groups", "6"]);
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

test("a what-if counts while one looks, saving changes exactly those, and a run is taken back", async () => {
  const { page, visit, settled, story } = await watched(chrome, origin);
  const tenant = entra.tenants[0];
  const press = (name) => page.getByRole("button", { name, exact: true }).first().click();
  /** Presses a form's button by keyboard, and waits for the page that follows. */
  const enter = async (locator) => {
    await locator.focus();
    await Promise.all([page.waitForEvent("load"), page.keyboard.press("Enter")]);
  };
  const done = () => page.getByRole("heading", { name: /Run \d+ Done/ }).waitFor();
  /** The number before some words on the page. */
  const number = async (words) => Number((await page.locator("main").innerText()).match(new RegExp(`(\\d+) ${words}`))?.[1]);

  /** A figure on top of a run's page. */
  const figure = async (words) => Number(await page.locator("a.figure", { hasText: words }).locator(".value").innerText());

  await story(async () => {
    await visit(link, "undo account");
    await page.getByLabel("Name").fill("Grace");
    await page.getByLabel("Password", { exact: true }).fill(PASSWORD);
    await page.getByLabel("Password again").fill(PASSWORD);
    await press("Create account");
    await visit("/connect", "undo connect");
    await page.getByLabel("Name").fill("acme");
    await page.getByLabel("Tenant", { exact: true }).fill(tenant.tenant_id);
    await page.getByLabel("Client ID").fill(tenant.client_id);
    await page.getByLabel("Client secret").fill(tenant.client_secret);
    await page.getByLabel("Graph address").fill(entra.url);
    await page.getByLabel("Sign-in address").fill(entra.url);
    await press("Connect and test");
    await page.getByText("The connection works.").waitFor();
    await page.getByLabel("Client").last().fill("Acme");
    const create = page.getByRole("checkbox");
    if (!(await create.isChecked())) await create.check();
    await press("Map");
    await page.getByText("People of this tenant belong to").waitFor();
    const tenantPage = new URL(page.url()).pathname;
    await visit(`${tenantPage}/policy`, "undo policy");
    await page.getByLabel("Policy text (YAML)").fill(EVERYONE);
    await press("Save as a new version");
    await page.getByText("Saved as a new version").waitFor();
    await visit(tenantPage, "undo tenant");
    await press("Sync now");
    await page.getByRole("link", { name: "Look at the plan" }).click();
    await press("Approve and apply");
    await done();

    // A draft: the page counts by itself, and says so to whoever listens.
    await visit(`${tenantPage}/policy`, "what-if policy");
    await page.getByLabel("Policy text (YAML)").fill(`${EVERYONE}fields: { contact: { job_title: { source: displayName } } }\n`);
    await enter(page.getByRole("button", { name: "Show who would change", exact: true }));
    const box = page.locator("#what-if");
    await box.getByText(/users would be looked at again; \d+ records would change/).first().waitFor();
    assert.match(await box.getByRole("status").textContent(), /records would change/, "the end is said aloud");
    await settled("what-if counted");
    const predicted = await number("records would change");
    assert.ok(predicted > 10, `${predicted} people have another title than their name`);
    assert.match(await page.getByLabel("Policy text (YAML)").inputValue(), /displayName/, "the draft is still in the form");
    await enter(page.getByRole("button", { name: "Save as a new version", exact: true }));
    await page.getByText("Saved as a new version").waitFor();
    await visit(tenantPage, "what-if saved");
    await press("Sync now");
    await done();
    await settled("what-if run");
    const run = new URL(page.url()).pathname;
    assert.equal(await figure("to update"), predicted, "exactly those change");
    assert.equal(await page.locator("dt:text-is('Changes written') + dd").innerText(), String(predicted));

    // Somebody edits one of them; then the run is taken back, by keyboard.
    await visit(`${run}/plan`, "undo changes");
    const person = page.locator("#rows tbody tr th a[href^='/people/']").first();
    const [name, href] = [await person.innerText(), await person.getAttribute("href")];
    const csrf = await page.locator("input[name=csrf]").first().inputValue();
    const edited = await page.request.patch(`/api/v1${href}`, { data: { phone: "+44 20 1" }, headers: { "x-csrf-token": csrf, origin } });
    assert.ok(edited.ok(), await edited.text());
    await visit(run, "undo run");
    await enter(page.getByRole("button", { name: "Revert this run" }));
    await page.getByText("This is what takes the run back").waitFor();
    await page.getByRole("heading", { name: /Run \d+ Preview/ }).waitFor();
    await settled("undo preview");
    const left = page.locator("section", { has: page.getByRole("heading", { name: "Not done, and why" }) });
    assert.match(await left.innerText(), /changed since by/, `${name} was touched since and is named`);
    assert.equal(await left.locator("tbody tr").count(), 1);
    assert.equal(await figure("to update"), predicted - 1, "everybody else is put back");
    await visit(`${run.replace(/\d+$/, "")}${new URL(page.url()).pathname.split("/").pop()}/plan`, "undo plan");
    assert.match(await page.locator("#rows").innerText(), /Takes back what run \d+ did/);
    await enter(page.getByRole("button", { name: "Approve and apply" }));
    await done();
    await settled("undo done");
    const back = page.locator("dt:text-is('Takes back') + dd a");
    assert.equal(await back.getAttribute("href"), run, "and says what it took back");

    // Explained for as long as it stands; the next sync does not do it all again.
    await page.getByRole("link", { name: /to update/ }).click();
    await page.getByRole("link", { name: "why?" }).first().click();
    await page.getByText("A person took back what run").waitFor();
    await settled("undo explained");
    await visit(tenantPage, "undo tenant after");
    await press("Full sync");
    await done();
    assert.match(await page.locator("main").innerText(), /Changes written\s+0/, "what a person took back stays so");
  });
});
