// The first day with Rollcall, in a real browser: first account, connect, preview, approve; then somebody changes in Entra, and the change
// and its reason are found on their page.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { browser, watched } from "../support/browser.mjs";
import { freePort, home, simulator, start } from "../support/program.mjs";

const PASSWORD = "correct horse battery staple";

let place, entra, server, chrome, link, origin;

before(async () => {
  const port = await freePort();
  origin = `http://127.0.0.1:${port}`;
  place = home({ ROLLCALL_LISTEN: `127.0.0.1:${port}` });
  entra = await simulator(place, ["--tenants", "1", "--users", "120", "--groups", "16"]);
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

test("from the one-time link to a change and its reason", async () => {
  const { page, visit, settled, expectRefusal, story } = await watched(chrome, origin);
  const tenant = entra.tenants[0];
  const heading = (text) => page.getByRole("heading", { name: text, exact: false }).first().waitFor();
  const press = (name) => page.getByRole("button", { name, exact: true }).first().click();

  await story(async () => {
    // The link makes the first account, once.
    await visit(link, "first account");
    await page.getByLabel("Name").fill("Grace");
    await page.getByLabel("Password", { exact: true }).fill(PASSWORD);
    await page.getByLabel("Password again").fill(PASSWORD);
    await press("Create account");
    await heading("Nothing is connected yet");
    await settled("empty overview");
    await press("Sign out");
    await visit("/sign-in", "sign in");
    expectRefusal();
    await page.getByLabel("Name").fill("Grace");
    await page.getByLabel("Password").fill("not the password");
    await press("Sign in");
    await page.getByRole("alert").waitFor();
    await page.getByLabel("Name").fill("Grace");
    await page.getByLabel("Password").fill(PASSWORD);
    await press("Sign in");
    await heading("Nothing is connected yet");
    for (const path of ["/tenants", "/people", "/runs", "/review", "/policy", "/settings"]) await visit(path, `empty ${path}`);

    // Connect, first with a wrong secret: the page says what is wrong.
    await visit("/connect", "connect");
    const connect = async (secret) => {
      await page.getByLabel("Name").fill("acme");
      await page.getByLabel("Tenant", { exact: true }).fill(tenant.tenant_id);
      await page.getByLabel("Client ID").fill(tenant.client_id);
      await page.getByLabel("Client secret").fill(secret);
      await page.getByLabel("Graph address").fill(entra.url);
      await page.getByLabel("Sign-in address").fill(entra.url);
      await press("Connect and test");
    };
    expectRefusal();
    await connect("not~the~secret");
    await page.getByRole("alert").filter({ hasText: /secret/i }).waitFor();
    await settled("wrong secret");
    await connect(tenant.client_secret);
    await page.getByText("The connection works.").waitFor();
    await settled("connection");
    await page.getByLabel("Client").last().fill("Acme");
    const create = page.getByRole("checkbox");
    if (!(await create.isChecked())) await create.check();
    await press("Map");
    await page.getByText("People of this tenant belong to").waitFor();
    const tenantPage = new URL(page.url()).pathname;
    await settled("tenant");

    // A preview writes nothing.
    await press("Preview");
    await page.getByRole("link", { name: /plan/i }).first().waitFor();
    await settled("preview run");
    await visit("/people", "nobody yet");
    await page.getByText("No people yet").waitFor();

    // The first sync waits for approval; what is shown is applied.
    await visit(tenantPage, "tenant after the preview");
    await press("Sync now");
    await page.getByText("Nothing is written until somebody approves").waitFor();
    await settled("held run");
    await page.getByRole("link", { name: /plan/i }).first().click();
    await heading(/./);
    await page.getByRole("button", { name: "Approve and apply" }).waitFor();
    assert.ok((await page.locator("#rows tbody tr").count()) > 10, "the plan lists people");
    await settled("held plan");
    await press("Approve and apply");
    await heading(/Run \d+ Done/i);
    await settled("done run");

    // Somebody changes in Entra; sync, and their page says what and why.
    await visit("/people", "people");
    const row = page.locator("#rows tbody tr").filter({ hasText: "linked" }).first();
    const email = (await row.locator("td").nth(0).innerText()).trim();
    await row.getByRole("link").click();
    await heading("Fields").catch(() => {});
    await settled("person before");
    const personPage = new URL(page.url()).pathname;
    await entra.control("PATCH", `/tenants/${tenant.tenant_id}/users/${encodeURIComponent(email)}`, { jobTitle: "Countess of Lovelace" });
    await visit(tenantPage, "tenant before the second sync");
    await press("Sync now");
    await heading(/Run \d+ Done/i);
    await settled("second run");
    await visit(personPage, "person after");
    const body = await page.locator("main").innerText();
    assert.match(body, /Countess of Lovelace/, "the new title stands on the person's page");
    const history = page.locator("section", { has: page.getByRole("heading", { name: "History" }) });
    assert.match(await history.innerText(), /Countess of Lovelace/, "and in the history");
    assert.match(await history.innerText(), /job.?title/i, "with the field it changed");
    assert.ok((await history.locator("li").count()) > 0, "and with its reasons");
    await page.getByRole("link", { name: "Every stage, with reasons" }).click();
    await page.getByText(/everyone/i).first().waitFor();
    await settled("why");

    // The search finds them without a mouse.
    await visit("/people", "people again");
    await page.keyboard.press("/");
    await page.keyboard.type(email);
    await page.keyboard.press("Enter");
    await page.locator("#rows").getByText(email).first().waitFor();
    await settled("search");
  });
});

test("strangers are sent to the sign-in page, and the API refuses them", async () => {
  const { page, story } = await watched(chrome, origin);
  await story(async () => {
    await page.goto("/people");
    assert.match(page.url(), /sign-in/);
  });
  const answer = await fetch(`${origin}/api/v1/people`);
  assert.equal(answer.status, 401);
  assert.match(answer.headers.get("content-type"), /application\/problem\+json/);
});
