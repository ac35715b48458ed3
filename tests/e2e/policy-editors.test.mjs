// A policy changed without writing it: rules by keyboard, a group found by name, field mappings beside a real person, the guard in plain
// words; each stays a draft until somebody has seen who would change.
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

test("rules, fields and the guard are edited, previewed and saved without a mouse", async () => {
  const { page, visit, settled, expectRefusal, story } = await watched(chrome, origin);
  /** Presses a form's button by keyboard, and waits for the page that follows. */
  const press = async (locator) => {
    await locator.focus();
    await Promise.all([page.waitForEvent("load"), page.keyboard.press("Enter")]);
  };
  const button = (name) => page.getByRole("button", { name, exact: false }).first();
  await story(async () => {
    await visit(link, "editors account");
    await page.getByLabel("Name").fill("Visitor");
    await page.getByLabel("Password", { exact: true }).fill(PASSWORD);
    await page.getByLabel("Password again").fill(PASSWORD);
    await button("Create account").click();
    await page.getByRole("heading", { name: "Plans that wait for you" }).waitFor();
    await visit("/people");
    const linked = page.locator("#rows tbody tr").filter({ hasText: "linked" }).first();
    await linked.getByRole("link").click();
    await settled("editors person");
    const tenant = await page.locator("dt:text-is('Tenant') + dd a").getAttribute("href");
    await page.getByRole("link", { name: "Every stage, with reasons" }).click();
    await page.getByRole("heading", { name: "What would be otherwise" }).waitFor();
    await settled("editors why");
    assert.match(await page.locator("main").innerText(), /If they were deleted in Entra/);

    await visit(`${tenant}/policy/rules`, "editors rules");
    await press(button("Add a rule"));
    await page.getByLabel("Name", { exact: true }).fill("Service desk");
    await page.getByLabel("Order", { exact: true }).fill("5");
    await page.getByLabel("Record", { exact: true }).selectOption("agent");
    await page.getByLabel("Find groups by name").fill("a");
    await press(button("Find groups"));
    const group = page.locator("input[name^='group.']").first();
    await group.waitFor();
    await settled("editors groups");
    await group.focus();
    await page.keyboard.press("Space");
    await page.getByText(/users match, and \d+ of them get this rule/).waitFor();
    await page.getByLabel("Attribute", { exact: true }).fill("department");
    await page.getByLabel("Value", { exact: true }).fill("IT");
    await press(button("Add the condition"));
    assert.equal(await page.getByLabel("Where this condition holds").inputValue(), 'department == "IT"');
    assert.ok(await group.isChecked(), "what was ticked stays ticked");
    expectRefusal();
    await page.getByLabel("Where this condition holds").fill("department ==");
    await press(button("Take it into the draft"));
    await page.getByRole("alert").filter({ hasText: "filter" }).waitFor();
    await settled("editors refused");
    await page.getByLabel("Where this condition holds").fill("");
    await press(button("Take it into the draft"));
    await page.getByRole("heading", { name: "Your draft" }).waitFor();
    const rows = page.locator("section", { has: page.getByRole("heading", { name: "In this order" }) }).locator("tbody tr");
    assert.match(await rows.first().innerText(), /Service desk/);
    await settled("editors draft");
    await press(page.getByRole("button", { name: /^Down\W+Service desk/ }));
    assert.match(await rows.nth(1).innerText(), /Service desk/, "moved by keyboard");
    assert.match(await page.evaluate(() => document.activeElement.textContent), /Service desk/, "the focus goes with the rule");
    await press(page.getByRole("button", { name: /^Switch off\W+Service desk/ }));
    await rows.nth(1).getByText("off", { exact: true }).waitFor();
    await press(page.getByRole("button", { name: /^Up\W+Service desk/ }));
    await press(button("See who would change, then save"));
    await page.getByRole("heading", { name: "Policy" }).first().waitFor();
    await settled("editors what-if");
    await press(button("Save as a new version"));
    await page.getByText("Saved as a new version").waitFor();

    await visit(`${tenant}/policy/fields`, "editors fields");
    await page.getByText("The values beside each row are those of").waitFor();
    await page.getByLabel("Find somebody else").fill("a");
    await press(button("Find somebody else"));
    await press(page.getByRole("button", { name: /^Show / }).first());
    await page.getByLabel("Contacts, Job title: written").selectOption("never");
    await page.getByLabel("Contacts, another field", { exact: true }).fill("cost_centre");
    await page.getByLabel("Contacts, another field: from Entra").fill("department");
    await press(button("Take these into the draft"));
    await page.getByText("fields.contact.cost_centre", { exact: false }).first().waitFor();
    await settled("editors fields draft");

    await visit(`${tenant}/policy/roles`, "editors roles");
    await page.getByLabel("Find groups by name").fill("a");
    await press(button("Find groups"));
    await page.getByLabel("Another role: group").selectOption({ index: 1 });
    await page.getByLabel("Another role", { exact: true }).fill("lead");
    await page.getByLabel("Another board: exact name of the group").fill("Change board");
    await page.getByLabel("Another board", { exact: true }).fill("change");
    await press(button("Take these into the draft"));
    await page.getByText("role_mappings[lead]", { exact: true }).waitFor();
    await page.getByText("cab_mappings[Change board → change]", { exact: true }).waitFor();
    await settled("editors roles draft");

    await visit(`${tenant}/policy/guard`, "editors guard");
    await page.getByLabel(/people may lose/).fill("1");
    await press(button("Weigh the last month with these"));
    await page.getByText("guard.max_removals", { exact: true }).waitFor();
    await settled("editors guard draft");
    for (const part of ["rules", "fields", "roles", "guard"]) await visit(`/policy/${part}`, `editors default ${part}`);
  });
});
