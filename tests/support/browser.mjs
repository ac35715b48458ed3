// A real Chromium, and a page that watches itself: whatever the browser complains about fails the test.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

const top = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** Starts Chromium. Nothing in it may reach beyond this machine on its own account. */
export async function browser() {
  const executablePath = execFileSync(join(top, "scripts/chromium"), { encoding: "utf8" }).trim();
  const args = ["--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];
  // Chromium's own sandbox refuses to run as root, which build machines often are.
  if (process.getuid() === 0) args.push("--no-sandbox");
  return chromium.launch({ executablePath, args, headless: true });
}

/**
 * A page that gathers complaints: errors on the console (a breach of the content security policy is one), uncaught exceptions, requests
 * that failed or left the server's origin; and what axe finds wherever `visit` and `settled` are called. `story` fails with all of it.
 */
export async function watched(browser, origin) {
  const context = await browser.newContext({ baseURL: origin, viewport: { width: 1280, height: 900 }, locale: "en-GB", timezoneId: "Europe/London" });
  const page = await context.newPage();
  const complaints = [];
  // A refused form is answered with 4xx on purpose, and Chromium logs that as an error; a test says when it expects it.
  let refusals = 0;
  page.on("console", (message) => {
    if (message.type() !== "error" && !/Content Security Policy/i.test(message.text())) return;
    if (refusals > 0 && /status of 4\d\d/.test(message.text())) refusals -= 1;
    else complaints.push(`console: ${message.text()} (${page.url()})`);
  });
  page.on("pageerror", (error) => complaints.push(`exception: ${error.message} (${page.url()})`));
  page.on("request", (request) => {
    const { protocol, origin: to } = new URL(request.url());
    if (protocol.startsWith("http") && to !== origin) complaints.push(`request left the server: ${request.url()}`);
  });
  page.on("response", (response) => {
    if (response.status() >= 500) complaints.push(`${response.status()} ${response.url()}`);
  });

  /** Looks at the page as it is now. `name` says which page it is when something is found. */
  const settled = async (name) => {
    await page.waitForLoadState("load");
    // Through the debugger, which the page's own content security policy does not bind.
    await page.evaluate(axe);
    const { violations } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ["violations"] }));
    for (const { id, help, nodes } of violations) complaints.push(`axe on ${name}: ${id}: ${help} ${nodes[0].html.slice(0, 200)}`);
    await picture(page, name);
  };
  const visit = async (path, name = path) => {
    const answer = await page.goto(path);
    assert.ok(answer.ok(), `${path} answered ${answer.status()}`);
    await settled(name);
  };
  const close = async () => {
    await context.close();
    assert.deepEqual(complaints, []);
  };
  /** Does the steps; where one fails, says on which page and what stood there. */
  const story = async (steps) => {
    try {
      await steps();
    } catch (error) {
      const text = await page.locator("body").innerText().catch(() => "(no page)");
      error.message += `\non ${page.url()}:\n${text.slice(0, 2000)}\n${complaints.join("\n")}`;
      throw error;
    }
    await close();
  };
  return { page, visit, settled, expectRefusal: () => (refusals += 1), story };
}

/** Keeps a picture of a page in the folder named by ROLLCALL_PICTURES: for the documentation, and for looking. */
async function picture(page, name) {
  const folder = process.env.ROLLCALL_PICTURES;
  if (!folder) return;
  mkdirSync(folder, { recursive: true });
  await page.screenshot({ path: join(folder, `${name.replace(/[^a-z0-9]+/gi, "-").replace(/^-|-$/g, "")}.png`) });
}
