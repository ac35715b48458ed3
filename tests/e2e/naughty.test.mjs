// The Big List of Naughty Strings as people, groups, rules, clients and candidates, on every page: text stays text, in full and in its
// own direction; nothing runs. Chromium is the parser that judges.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { browser, watched } from "../support/browser.mjs";
import { done, freePort, home, simulator, start } from "../support/program.mjs";

const PASSWORD = "correct horse battery staple";
const MARKUP = [
  "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "\"><svg onload=alert(1)>", "' onmouseover='alert(1)' x='", "\" autofocus onfocus=\"alert(1)",
  "</title><script>alert(1)</script>", "</textarea></bdi></table><h1>owned</h1>", "javascript:alert(1)", "&lt;b&gt; &amp; &#60;", "{{7*7}} ${7*7} <%= 7*7 %>",
  "\u202eturned\u202c", "\u202enever ended", "\u2067also not", "שלום עולם", "مرحبا", "a\u2028b", "<!-- never ended", "=cmd|' /C calc'!A0",
];
const TEXTS = [...new Set([...MARKUP, ...createRequire(import.meta.url)("big-list-of-naughty-strings/blns.json")])];

// What pages are made of. Anything else came out of a text.
const ELEMENTS = new Set(
  ("html head meta title link script body a header nav ul ol li span div svg use form button input select option label main section h1 h2 h3 p strong em " +
    "table caption thead tbody tr th td bdi dl dt dd details summary time img code del ins fieldset legend textarea datalist pre progress").split(" "),
);

/** What a record keeps of a text: all but white space around it; nothing when it holds a control character or is too long. */
function kept(text, limit = 100) {
  const trimmed = text.replace(/^\p{White_Space}+|\p{White_Space}+$/gu, "");
  return trimmed === "" || /\p{Cc}/u.test(trimmed) || [...trimmed].length > limit ? null : trimmed;
}

let place, entra, server, chrome, link, origin, tenant;

before(async () => {
  const port = await freePort();
  origin = `http://127.0.0.1:${port}`;
  place = home({ ROLLCALL_LISTEN: `127.0.0.1:${port}` });
  entra = await simulator(place, ["--tenants", "1", "--users", "0", "--groups", "0"]);
  tenant = entra.tenants[0];
  const say = (...args) => done(place, args, { ENTRA_SECRET: tenant.client_secret });
  const keep = (name, text) => (writeFileSync(join(place.folder, name), text), name);
  await say("connections", "add", MARKUP[0], "--tenant", tenant.tenant_id, "--client-id", tenant.client_id, "--secret-env", "ENTRA_SECRET",
    "--graph-url", entra.url, "--login-url", entra.url);
  await say("tenants", "map", tenant.domain, "--client", MARKUP[1], "--create");
  const rules = MARKUP.map((text, at) => ({
    id: `r${at}`, name: text, order: at, when: { group_names: [text] }, then: { kind: "contact", client: "from_tenant", role: text, site_from: "department" },
  }));
  rules.push({ id: "</script>", name: MARKUP[2], order: 1000, when: {}, then: { kind: "contact", client: "from_tenant", role: MARKUP[3] } });
  const policy = { preset: "bms", rules, fields: { note: { source: "officeLocation" } }, scope: { require: [], exclude: [{ name: MARKUP[10], filter: 'jobTitle == "out"' }] } };
  await say("policy", "import", keep("policy.yaml", JSON.stringify(policy)), "--tenant", tenant.domain);
  const control = (path, body) => entra.control("POST", `/tenants/${tenant.tenant_id}${path}`, body);
  const person = (name, text, more = {}) =>
    control("/users", {
      userPrincipalName: `${name}@${tenant.domain}`, mail: `${name}@${tenant.domain}`, displayName: text, givenName: text, surname: kept(text) ? text : "Smith",
      jobTitle: text, department: text, officeLocation: text, ...more,
    });
  for (const [at, text] of TEXTS.entries()) {
    const { id } = await person(`n${at}`, text);
    if (at < MARKUP.length) {
      const group = await control("/groups", { displayName: text });
      await control(`/groups/${group.id}/members`, { add: [id] });
    }
  }
  await person("out", MARKUP[0], { jobTitle: "out" });
  // Some have two records with their address: questions with candidates of such names.
  const cell = (text) => `"${text.replaceAll('"', '""')}"`;
  const rows = ["external_id,kind,client,email,first_name,last_name"];
  for (let at = 0; at < MARKUP.length; at += 2) {
    for (const record of [1, 2]) rows.push(["contact", MARKUP[1], `n${at}@${tenant.domain}`, MARKUP[at], MARKUP[at]].reduce((row, text) => `${row},${cell(text)}`, `${at}-${record}`));
  }
  await say("records", "import", keep("people.csv", `${rows.join("\n")}\n`));
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

test("naughty strings stay text on every page", async () => {
  const { page, visit, settled, story } = await watched(chrome, origin);
  const wrong = [];
  page.on("dialog", (dialog) => {
    wrong.push(`a dialog opened: ${dialog.message()} (${page.url()})`);
    dialog.dismiss();
  });

  /** Reads a page with the browser's parser without running it; gives the texts that stand in a direction of their own, and links. */
  const read = async (path) => {
    const seen = await page.evaluate(async (path) => {
      const answer = await fetch(path);
      const doc = new DOMParser().parseFromString(await answer.text(), "text/html");
      const found = { status: answer.status, elements: [], wrong: [], texts: [], links: [] };
      for (const element of doc.querySelectorAll("*")) {
        found.elements.push(element.localName);
        const name = element.localName;
        if (name === "script" && (!element.getAttribute("src")?.startsWith("/assets/") || element.textContent)) found.wrong.push(`a script: ${element.outerHTML}`);
        if (name === "img" && !element.getAttribute("src")?.startsWith("/assets/")) found.wrong.push(`a picture: ${element.outerHTML}`);
        if (name === "title" && element.namespaceURI.endsWith("xhtml") && element.parentElement.localName !== "head") found.wrong.push("a title outside the head");
        for (const { name, value } of element.attributes) {
          if (/^on|^style$|^srcdoc$/i.test(name)) found.wrong.push(`an attribute: ${name}=${value}`);
          if (/^(href|src|action|formaction)$/.test(name) && !/^[/#?]/.test(value)) found.wrong.push(`an address: ${name}=${value}`);
        }
        if (name === "bdi") found.texts.push(element.textContent);
        if (name === "a") found.links.push(element.getAttribute("href"));
      }
      // A turn of direction may not reach beyond the text it is in.
      const walker = doc.createTreeWalker(doc.body, NodeFilter.SHOW_TEXT);
      while (walker.nextNode()) {
        const { data, parentElement } = walker.currentNode;
        if (/[\u0590-\u08ff\u200f\u202a-\u202e\u2066-\u2069]/.test(data) && !parentElement.closest("bdi, option, textarea, pre")) found.wrong.push(`not by itself: ${data}`);
      }
      return found;
    }, path);
    assert.equal(seen.status, 200, path);
    for (const name of new Set(seen.elements)) if (!ELEMENTS.has(name)) wrong.push(`<${name}> on ${path}`);
    wrong.push(...seen.wrong.map((what) => `${what} on ${path}`));
    return seen;
  };
  /** All pages of a list: their texts, and the links that begin so. */
  const list = async (first, prefix) => {
    const [texts, links] = [new Set(), new Set()];
    for (let path = first; path; ) {
      const seen = await read(path);
      seen.texts.forEach((text) => texts.add(text));
      seen.links.filter((href) => href?.startsWith(prefix)).forEach((href) => links.add(href));
      path = seen.links.find((href) => /[?&]after=/.test(href ?? "") && href !== path);
    }
    return { texts, links: [...links] };
  };
  const missing = (texts, where, expected = TEXTS) => {
    for (const text of expected) {
      const given = kept(text);
      if (given && !texts.has(`${given} ${given}`) && !texts.has(given)) wrong.push(`${JSON.stringify(text)} does not stand ${where}`);
    }
  };

  await story(async () => {
    await visit(link, "naughty: first account");
    await page.getByLabel("Name").fill(MARKUP[4]);
    await page.getByLabel("Password", { exact: true }).fill(PASSWORD);
    await page.getByLabel("Password again").fill(PASSWORD);
    await page.getByRole("button", { name: "Create account" }).click();
    await page.getByRole("heading", { name: "Overview" }).waitFor();

    await visit("/tenants/1", "naughty: tenant");
    await page.getByRole("button", { name: /preview/i }).first().click();
    await page.getByRole("link", { name: /plan/i }).first().waitFor({ timeout: 60_000 });
    await settled("naughty: run");
    const plan = await page.getByRole("link", { name: /plan/i }).first().getAttribute("href");
    // Whoever has two records waits in review instead.
    missing((await list(plan, "/users/")).texts, "in the plan", TEXTS.filter((text, at) => at >= MARKUP.length || at % 2 === 1));
    await visit(plan, "naughty: plan");
    await page.getByRole("button", { name: "Approve and apply" }).click();
    await page.getByText("Done", { exact: true }).first().waitFor({ timeout: 60_000 });
    await settled("naughty: done");
    await read(new URL(page.url()).pathname);

    const people = await list("/people", "/people/");
    missing(people.texts, "among the people");
    const users = await list("/tenants/1/users", "/users/");
    for (const path of [...people.links, ...users.links].filter((path, at) => /\d$/.test(path) && at % 9 === 0)) await read(path);
    const review = await list("/review", "/review/");
    assert.ok(review.links.length >= MARKUP.length / 2, "questions with candidates");
    for (const path of review.links.filter((path) => /\d$/.test(path))) await read(path);
    const others = ["/", "/tenants", "/runs", "/policy", "/policy/rules", "/policy/fields", "/policy/guard", "/settings", "/connect", "/connections/1",
      "/tenants/1", "/tenants/1/policy", "/tenants/1/policy/rules", "/tenants/1/policy/fields", "/tenants/1/policy/guard", ...MARKUP.map((text) => `/people?q=${encodeURIComponent(text)}`),
      ...MARKUP.map((text) => `${plan}?q=${encodeURIComponent(text)}`), ...MARKUP.map((text) => `/tenants/1/users?q=${encodeURIComponent(text)}`)];
    for (const path of others) await read(path);

    // For real, with everything that would run.
    await visit(people.links.find((path) => /\/\d+$/.test(path)), "naughty: person");
    await visit(users.links.find((path) => /\/\d+$/.test(path)), "naughty: user");
    await visit(review.links.find((path) => /\/\d+$/.test(path)), "naughty: question");
    for (const path of ["/", "/people", "/review", "/settings", "/tenants/1/policy", "/tenants/1/policy/fields", "/tenants/1/policy/guard", "/connections/1"]) await visit(path, `naughty: ${path}`);
    await page.goto("/people");
    for (const text of MARKUP.slice(0, 4)) {
      await Promise.all([page.waitForResponse((answer) => answer.url().includes("/people?")), page.getByLabel("Search").fill(text)]);
    }
    await settled("naughty: search");
    await visit("/tenants/1/policy/rules", "naughty: rules");
    await page.getByRole("button", { name: /^Edit/ }).first().click();
    await page.getByRole("heading", { name: "Edit the rule" }).waitFor();
    assert.equal(await page.getByLabel("Name", { exact: true }).inputValue(), MARKUP[0]);
    await page.getByLabel("Role", { exact: true }).fill(MARKUP[1]);
    await page.getByRole("button", { name: "Take it into the draft" }).click();
    await page.getByRole("heading", { name: "Your draft" }).waitFor();
    await settled("naughty: draft");
    await page.getByRole("button", { name: "See who would change, then save" }).click();
    await page.getByRole("heading", { name: "What saving this would do" }).waitFor();
    await settled("naughty: what-if");
    assert.deepEqual(wrong, []);
  });
});
