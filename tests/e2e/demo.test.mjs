// What a visitor of `rollcall demo` finds: every page, with people on it, and nothing the browser or axe complains of.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { browser, watched } from "../support/browser.mjs";
import { home, start } from "../support/program.mjs";

const PASSWORD = "correct horse battery staple";

let place, demo, chrome, origin, link;

before(async () => {
  place = home();
  demo = start(place, ["demo", "--listen", "127.0.0.1:0"]);
  [, link] = await demo.line(/First sign-in.*(http\S+)/);
  origin = new URL(link).origin;
  chrome = await browser();
});
after(async () => {
  await chrome?.close();
  await demo?.stop();
  place?.dispose();
});

test("the demo has a first preview, a held plan, a review item, and a reason for everything", async () => {
  const { page, visit, settled, story } = await watched(chrome, origin);
  await story(async () => {
    await visit(link, "demo first account");
    await page.getByLabel("Name").fill("Visitor");
    await page.getByLabel("Password", { exact: true }).fill(PASSWORD);
    await page.getByLabel("Password again").fill(PASSWORD);
    await page.getByRole("button", { name: "Create account" }).click();
    await page.getByRole("heading", { name: "Plans that wait for you" }).waitFor();
    await settled("demo overview");

    const plans = page.getByRole("link", { name: /^Look at the plan/ });
    const hrefs = await Promise.all((await plans.all()).map((plan) => plan.getAttribute("href")));
    assert.ok(hrefs.length >= 2, `a first preview and a held plan wait: ${hrefs.length}`);
    const held = [];
    for (const [n, href] of hrefs.entries()) {
      await visit(href, `demo plan ${n + 1}`);
      assert.ok((await page.locator("#rows tbody tr").count()) > 0, `${href} lists changes`);
      held.push(await page.locator("main").innerText());
    }
    assert.ok(held.some((text) => /first plan/i.test(text)), "one waits because it is the tenant's first");
    assert.ok(held.some((text) => /the limit is/.test(text)), "the guard has stopped one that removes too much");

    await visit("/review", "demo review");
    await page.locator("tbody tr a").first().click();
    await settled("demo review item");

    await visit("/people", "demo people");
    await page.locator("#rows tbody tr").filter({ hasText: "linked" }).first().getByRole("link").click();
    await settled("demo person");
    assert.ok((await page.locator(".why li, section li").count()) > 0, "a person's page gives reasons");

    for (const path of ["/tenants", "/runs", "/policy", "/settings"]) await visit(path, `demo ${path}`);
    await visit("/tenants");
    await page.locator("tbody tr a").first().click();
    await settled("demo tenant");
    const tenant = new URL(page.url()).pathname;
    for (const path of ["users", "policy"]) await visit(`${tenant}/${path}`, `demo tenant ${path}`);
    await visit("/runs");
    await page.locator("tbody tr a").first().click();
    await settled("demo run");
  });
});
