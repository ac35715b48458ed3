// Runs the tests of a folder under Node's own test runner and counts what it reports.
import { mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { run, top } from "./process.mjs";

// How long one test (here: one whole flow through the browser, or one sweep through the proxy) may run.
const LIMIT_MS = 300_000;

export async function nodeTests(folder, env) {
  const files = readdirSync(join(top, folder))
    .filter((name) => name.endsWith(".test.mjs"))
    .map((name) => join(folder, name));
  if (files.length === 0) return { passed: 0, failed: 1, skipped: 0, failures: [`${folder} holds no test`] };
  const place = mkdtempSync(join(tmpdir(), "rollcall-tests-"));
  const tap = join(place, "tap");
  const { code, stopped } = await run(
    "node",
    ["--test", "--test-concurrency=1", `--test-timeout=${LIMIT_MS}`, "--test-reporter=spec", "--test-reporter-destination=stdout",
      "--test-reporter=tap", `--test-reporter-destination=${tap}`, ...files],
    // The runner's own limit comes first; this one is for a runner that hangs itself.
    { env, show: true, quietMs: 2 * LIMIT_MS },
  );
  const report = readFileSync(tap, "utf8");
  rmSync(place, { recursive: true });
  const figure = (name) => Number(new RegExp(`^# ${name} (\\d+)$`, "m").exec(report)?.[1] ?? 0);
  const counts = { passed: figure("pass"), failed: figure("fail") + figure("cancelled"), skipped: figure("skipped") };
  if (code !== 0 && counts.failed === 0) counts.failed = 1;
  if (counts.passed + counts.failed === 0) counts.failed = 1;
  const failures = [...report.matchAll(/^ *not ok \d+ - (.*)$/gm)].map(([, name]) => `${folder}: ${name}`);
  if (counts.failed > 0 && failures.length === 0) failures.push(`${folder}: ${stopped ?? `exit code ${code}`}`);
  return { ...counts, failures };
}
