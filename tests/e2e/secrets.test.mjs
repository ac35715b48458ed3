// Secrets appear nowhere: planted ones are looked for in the database, the logs, every answer of the API and every error, after a story in
// which much goes wrong.
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { freePort, home, rollcall, simulator, start } from "../support/program.mjs";

const WRONG = "wr0ng~Planted.Secret-Of_This-Story_0123";
const PASSWORD = "a planted passphrase of four words";

let place, entra, server, origin, link;
/** Everything the program said, by where it said it. */
const heard = [];

before(async () => {
  const port = await freePort();
  origin = `http://127.0.0.1:${port}`;
  place = home({ ROLLCALL_LISTEN: `127.0.0.1:${port}` });
  entra = await simulator(place, ["--tenants", "1", "--users", "60", "--groups", "6"]);
});
after(async () => {
  await server?.stop();
  await entra?.stop();
  place?.dispose();
});

/** Runs a command with everything logged that can be, and keeps what it said. */
async function say(args, extra) {
  const { code, stdout, stderr } = await rollcall(place, ["-vv", ...args], extra);
  heard.push([`rollcall ${args.join(" ")}`, `${stdout}\n${stderr}`]);
  return { code, text: `${stdout}\n${stderr}` };
}

/** What a text may hide in: as it is, and as encodings would have it. */
function shapes(secret) {
  const bytes = Buffer.from(secret);
  const base64 = bytes.toString("base64").replace(/=+$/, "");
  // The last sextet of an unpadded base64 depends on what follows, so it is left out.
  return [secret, encodeURIComponent(secret), bytes.toString("hex"), base64.slice(0, -1), bytes.toString("base64url").slice(0, -1)];
}

test("planted secrets are nowhere to be found", async () => {
  const tenant = entra.tenants[0];
  const right = tenant.client_secret;

  // A wrong secret, an unreachable host, an unknown tenant; then the right one.
  const add = (name, secret, url, id) =>
    say(["connections", "add", name, "--tenant", id, "--client-id", tenant.client_id, "--secret-env", "PLANTED", "--graph-url", url, "--login-url", url], { PLANTED: secret });
  const refused = await add("acme", WRONG, entra.url, tenant.tenant_id);
  assert.equal(refused.code, 1, refused.text);
  assert.match(refused.text, /secret/i, "it says that the secret is wrong");
  assert.equal((await add("acme", right, entra.url, tenant.tenant_id)).code, 0);
  assert.equal((await say(["secrets", "set", "acme", "--secret-env", "PLANTED"], { PLANTED: WRONG })).code, 0);
  assert.equal((await say(["connections", "test", "acme"])).code, 1);
  await say(["tenants", "map", "acme", "--client", "Acme", "--create"]);
  assert.equal((await say(["sync", "acme", "--yes"])).code, 1);
  assert.equal((await add("nowhere", right, `http://127.0.0.1:${await freePort()}`, "11111111-1111-1111-1111-111111111111")).code, 1);
  assert.equal((await add("stranger", right, entra.url, "22222222-2222-2222-2222-222222222222")).code, 1);
  assert.equal((await say(["secrets", "set", "acme", "--secret-env", "PLANTED"], { PLANTED: right })).code, 0);
  assert.equal((await say(["connections", "test", "acme", "--json"])).code, 0);
  assert.equal((await say(["sync", "acme", "--yes", "--json"])).code, 0);

  // Trouble on the way: answers that are not Graph's, a server error, an expired secret.
  for (const action of [{ do: "garbage" }, { do: "status", status: 403 }]) {
    await entra.control("POST", "/faults", { path: "/v1.0/users/delta*", action });
    assert.equal((await say(["sync", "acme", "--full", "--preview"])).code, 1);
    await entra.control("DELETE", "/faults");
  }
  await entra.control("POST", `/tenants/${tenant.tenant_id}/secret/expire`);
  await say(["sync", "acme", "--full"]);
  const looks = [["connections", "list", "--json"], ["secrets", "list", "--json"], ["runs", "list", "--json"], ["runs", "show", "1", "--json"], ["tenants", "show", "acme", "--json"], ["doctor"], ["serve", "--print-config"]];
  for (const look of looks) await say(look);
  assert.equal((await say(["secrets", "rotate"])).code, 0);
  await say(["connections", "test", "acme"]);

  // The server: an account, a session, a token, and every address that can be read.
  server = start(place, ["-vv", "serve"]);
  [, link] = await server.line(/First sign-in.*(http\S+)/);
  const linkToken = new URL(link).searchParams.get("token");
  let cookie = "";
  const ask = async (path, options = {}) => {
    const answer = await fetch(new URL(path, origin), { redirect: "manual", ...options, headers: { cookie, origin, ...options.headers } });
    for (const set of answer.headers.getSetCookie()) cookie = [cookie, set.split(";")[0]].filter(Boolean).join("; ");
    return { status: answer.status, text: await answer.text() };
  };
  const form = await ask(link);
  const csrf = /name="csrf" value="([^"]*)"/.exec(form.text)?.[1] ?? "";
  const made = await ask("/setup", { method: "POST", body: new URLSearchParams({ csrf, token: linkToken, name: "Grace", password: PASSWORD, again: PASSWORD }) });
  assert.ok(made.status < 400, `the account is made: ${made.status}`);
  const session = cookie.split("; ").at(-1).split("=")[1];
  const description = JSON.parse((await ask("/api/v1/openapi.json")).text);
  let read = 0;
  for (const [path, operations] of Object.entries(description.paths)) {
    if (!operations.get || path.endsWith("/events")) continue;
    const { status, text } = await ask(path.replaceAll(/\{[^}]*\}/g, "1"));
    assert.ok(status < 500, `${path} answered ${status}`);
    read += status === 200;
    heard.push([`GET ${path}`, text]);
  }
  assert.ok(read > 8, `most of the API was read: ${read}`);
  for (const path of ["/", "/tenants", "/connections/1", "/runs", "/runs/1", "/settings", "/metrics"]) heard.push([`GET ${path}`, (await ask(path)).text]);
  await server.stop();
  // The link is what the server is there to say, once; after that line it must not appear again.
  heard.push(["the server's log", server.said.filter((line) => !line.startsWith("First sign-in")).join("\n")]);

  const key = readFileSync(join(place.folder, "master.key"), "utf8").trim();
  const planted = { "the client secret": right, "the wrong secret": WRONG, "the password": PASSWORD, "the session": session, "the sign-in link": linkToken, "the master key": key };
  for (const name of readdirSync(place.folder)) {
    if (name.startsWith("rollcall.db")) heard.push([name, readFileSync(join(place.folder, name)).toString("latin1")]);
  }
  assert.ok(heard.some(([where, text]) => where === "rollcall.db" && text.includes("SQLite format 3")), "the database was read");
  const found = [];
  for (const [where, text] of heard) {
    for (const [what, secret] of Object.entries(planted)) {
      assert.ok(secret?.length > 15, `${what} is known to the test`);
      if (shapes(secret).some((shape) => text.includes(shape))) found.push(`${what} in ${where}: ${text.split("\n").find((line) => shapes(secret).some((shape) => line.includes(shape))).slice(0, 300)}`);
    }
    if (Buffer.from(text, "latin1").includes(Buffer.from(key, "hex"))) found.push(`the master key's bytes in ${where}`);
    // A Graph token is a JSON web token, and so begins like one.
    if (/eyJ[\w-]{10,}\.eyJ/.test(text)) found.push(`an access token in ${where}`);
  }
  assert.deepEqual(found, []);
});
