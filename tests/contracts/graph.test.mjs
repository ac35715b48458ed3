// Holds the client and the simulator against Microsoft's published description of Graph: everything that passes between them goes
// through a proxy that judges each request and each answer. Needs ROLLCALL_CONTRACTS, a folder with the description and the proxy.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { join } from "node:path";
import { done, freePort, home, simulator, start } from "../support/program.mjs";

const contracts = process.env.ROLLCALL_CONTRACTS;
const proxy = join(contracts, "tools/contract-proxy");
const description = join(contracts, "contracts/graph.openapi.yaml");

/** A simulator of 200 users whose links lead through a proxy, and that proxy. */
async function judged() {
  const place = home();
  const port = await freePort();
  const origin = `http://127.0.0.1:${port}`;
  const entra = await simulator(place, ["--tenants", "1", "--users", "200", "--groups", "20", "--page-size", "50", "--public-url", origin]);
  const judge = start(place, [description, `${entra.url}/v1.0`, String(port), "/v1.0"], proxy);
  await judge.line(/^contract-proxy: http/);
  const verdict = async () => {
    const code = await judge.stop();
    const said = judge.said.join("\n");
    await entra.stop();
    place.dispose();
    const [, violations, traffic] = /^contract-proxy: (\d+) violations, (\d+) log lines/m.exec(said) ?? [];
    assert.ok(Number(traffic) > 0, `nothing went through the proxy:\n${said}`);
    assert.equal(Number(violations), 0, said);
    assert.equal(code, 0, said);
  };
  return { place, origin, entra, tenant: entra.tenants[0], verdict };
}

test("our client speaks Graph as Microsoft describes it: test, first read, changes, full read", async () => {
  const { place, origin, entra, tenant, verdict } = await judged();
  const secret = { ENTRA_SECRET: tenant.client_secret };
  const addresses = ["--graph-url", origin, "--login-url", entra.url];
  const add = ["connections", "add", "acme", "--tenant", tenant.tenant_id, "--client-id", tenant.client_id, "--secret-env", "ENTRA_SECRET"];
  await done(place, [...add, ...addresses], secret);
  await done(place, ["connections", "test", "acme"]);
  await done(place, ["tenants", "map", "acme", "--client", "Acme", "--create"]);
  const first = JSON.parse(await done(place, ["sync", "acme", "--yes", "--json"])).runs[0].run;
  assert.equal(first.state, "done");
  assert.ok(first.counts.create > 100, `a first read of 200 users creates most of them: ${JSON.stringify(first.counts)}`);
  await entra.control("POST", `/tenants/${tenant.tenant_id}/churn`, { percent: 5 });
  await done(place, ["sync", "acme", "--preview"]);
  await done(place, ["sync", "acme", "--full", "--preview"]);
  await verdict();
});

describe("the simulator answers as Microsoft describes it", () => {
  let world, token, users, groups;
  const graph = async (path, { method = "GET", headers = {}, body } = {}) => {
    const url = path.startsWith("http") ? path : `${world.origin}/v1.0${path}`;
    const all = { authorization: `Bearer ${token}`, ...(body && { "content-type": "application/json" }), ...headers };
    const answer = await fetch(url, { method, headers: all, body: body && JSON.stringify(body) });
    const text = await answer.text();
    return { status: answer.status, body: text.startsWith("{") ? JSON.parse(text) : text };
  };
  /** Follows a collection to its last page; gives all values and the deltaLink, if there is one. */
  const all = async (path, options) => {
    const values = [];
    for (let next = path; next; ) {
      const { status, body } = await graph(next, options);
      assert.equal(status, 200, `${next}: ${JSON.stringify(body)}`);
      values.push(...body.value);
      if (body["@odata.deltaLink"]) return { values, deltaLink: body["@odata.deltaLink"] };
      next = body["@odata.nextLink"];
    }
    return { values };
  };

  before(async () => {
    world = await judged();
    const { tenant, entra } = world;
    const form = { client_id: tenant.client_id, client_secret: tenant.client_secret, grant_type: "client_credentials", scope: "https://graph.microsoft.com/.default" };
    const answer = await fetch(`${entra.url}/${tenant.tenant_id}/oauth2/v2.0/token`, { method: "POST", body: new URLSearchParams(form) });
    token = (await answer.json()).access_token;
    assert.ok(token, "a token");
    users = (await all("/users?$select=id,userPrincipalName,displayName&$top=100")).values;
    groups = (await all("/groups")).values;
    assert.ok(users.length >= 190 && groups.length === 20, `${users.length} users, ${groups.length} groups`);
  });
  after(() => world.verdict());

  test("lists, filters, counts and searches", async () => {
    const counted = { headers: { ConsistencyLevel: "eventual" } };
    const select = "$select=id,displayName,mail,accountEnabled,userType,assignedLicenses,businessPhones,proxyAddresses,onPremisesExtensionAttributes";
    await all(`/users?${select}&$expand=manager($select=id)&$top=50`);
    await all("/users?$filter=accountEnabled eq true and userType eq 'Member'&$top=999");
    await all(`/users?$filter=startswith(displayName,'A')`);
    await all(`/users?$filter=userPrincipalName in ('${users[0].userPrincipalName}','${users[1].userPrincipalName}')`);
    await all("/users?$orderby=displayName&$count=true&$top=50", counted);
    // Straight to the simulator: the proxy reads a text body as a string and so refuses any answer the description (an integer) allows.
    assert.match(String((await graph(`${world.entra.url}/v1.0/users/$count`, counted)).body), /\d+$/);
    await all("/groups?$select=id,displayName,createdDateTime&$filter=startswith(displayName,'S')");
    await all("/organization");
    await all("/subscribedSkus");
    await all("/directory/deletedItems/microsoft.graph.user");
    await all("/directory/deletedItems/microsoft.graph.group");
  });

  test("one user, one group, and what belongs to them", async () => {
    for (const { id } of users.slice(0, 20)) {
      assert.equal((await graph(`/users/${id}`)).status, 200);
      assert.ok([200, 404].includes((await graph(`/users/${id}/manager`)).status));
      await all(`/users/${id}/memberOf`);
      await all(`/users/${id}/transitiveMemberOf`);
      await all(`/users/${id}/licenseDetails`);
    }
    assert.equal((await graph(`/users/${encodeURIComponent(users[0].userPrincipalName)}?$select=id`)).body.id, users[0].id);
    for (const { id } of groups) {
      assert.equal((await graph(`/groups/${id}`)).status, 200);
      await all(`/groups/${id}/members?$top=100`);
      await all(`/groups/${id}/members/microsoft.graph.user`);
      await all(`/groups/${id}/transitiveMembers`);
    }
    assert.equal((await graph("/users/00000000-0000-0000-0000-000000000000")).status, 404);
  });

  test("delta rounds before and after changes, in both spellings", async () => {
    const people = await all("/users/delta?$select=displayName,mail,userPrincipalName,jobTitle,accountEnabled,manager");
    assert.ok(new Set(people.values.map((u) => u.id)).size >= 190);
    const teams = await all("/groups/delta?$select=displayName,createdDateTime,members");
    await world.entra.control("POST", `/tenants/${world.tenant.tenant_id}/churn`, { percent: 10 });
    assert.ok((await all(people.deltaLink)).values.length > 0, "changes are told");
    await all(teams.deltaLink);
    await all("/users/delta()?$select=displayName");
    await all("/users/delta?$deltatoken=latest");
    await all("/users/delta?$select=displayName", { headers: { Prefer: "return=minimal" } });
  });

  test("what it refuses, it refuses in Graph's form", async () => {
    assert.equal((await graph("/users?$top=1000")).status, 400);
    assert.equal((await graph("/users/delta?$deltatoken=nonsense")).status >= 400, true);
    assert.equal((await graph("/users", { headers: { authorization: "Bearer nonsense" } })).status, 401);
  });

  test("several requests in one", async () => {
    const requests = [
      { id: "1", method: "GET", url: `/users/${users[0].id}` },
      { id: "2", method: "GET", url: "/groups?$top=5" },
      { id: "3", method: "GET", url: "/users/00000000-0000-0000-0000-000000000000" },
    ];
    const { status, body } = await graph("/$batch", { method: "POST", body: { requests } });
    assert.equal(status, 200);
    assert.deepEqual(body.responses.map((r) => r.status).sort(), [200, 200, 404]);
  });
});
