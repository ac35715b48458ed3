// Runs everything that is checked and ends with one line, `N passed, N failed`: the sum over all runners below.
// A check (format, lints, …) counts as one test. Exit code 0 only when something ran and nothing failed.
//   node scripts/test.mjs             everything
//   node scripts/test.mjs --checks    only the checks
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { checks } from "./runners/checks.mjs";
import { cargoTests } from "./runners/cargo.mjs";
import { nodeTests } from "./runners/node.mjs";
import { seconds, targetDir } from "./runners/process.mjs";

const onlyChecks = process.argv.includes("--checks");
const contracts = process.env.ROLLCALL_CONTRACTS;
const program = `${targetDir}/debug/rollcall`;

const runners = [["checks", checks]];
if (!onlyChecks) {
  runners.push(["Rust tests", cargoTests]);
  runners.push(["browser flows", () => nodeTests("tests/e2e", { ROLLCALL_PROGRAM: program })]);
  if (contracts) {
    runners.push(["contract tests", () => nodeTests("tests/contracts", { ROLLCALL_PROGRAM: program })]);
  } else {
    console.log("Contract tests are skipped: ROLLCALL_CONTRACTS does not name a folder with the contracts and their tools.");
  }
}

const began = Date.now();
const rows = [];
for (const [name, run] of runners) {
  console.log(`\n== ${name}`);
  const start = Date.now();
  let counts;
  try {
    counts = await run();
  } catch (error) {
    console.log(`${name} could not run: ${error.stack ?? error}`);
    counts = { passed: 0, failed: 1, skipped: 0, failures: [`${name} could not run`] };
  }
  rows.push({ name, took: seconds(start), ...counts });
}

console.log(`\n== summary, ${seconds(began)}`);
for (const row of rows) {
  const skipped = row.skipped ? `, ${row.skipped} skipped` : "";
  console.log(`${row.name.padEnd(16)} ${row.passed} passed, ${row.failed} failed${skipped} (${row.took})`);
}
for (const failure of rows.flatMap((row) => row.failures)) console.log(`failed: ${failure}`);
const total = (key) => rows.reduce((sum, row) => sum + row[key], 0);
const [passed, failed] = [total("passed"), total("failed")];
if (passed + failed === 0) console.log("No test ran.");
// A pipe must have taken the line before the process goes, so the exit code is set rather than exit() called.
process.exitCode = failed > 0 || passed === 0 ? 1 : 0;
const summary = `${passed} passed, ${failed} failed`;
mkdirSync(targetDir, { recursive: true });
writeFileSync(join(targetDir, "test-summary"), `${summary}\n`);
console.log(summary);
