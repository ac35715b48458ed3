// Builds all Rust tests once, then runs each test program itself, so that a test that hangs is stopped and named instead of hanging
// the whole run: libtest has no limit of its own, but says which test has been running for over 60 seconds.
import { basename, dirname } from "node:path";
import { run, seconds } from "./process.mjs";

// How long one test may run. The longest (restarts after kill -9 on a slow machine) take about a minute.
const LIMIT_SECONDS = 300;
// libtest's own first warning about a slow test.
const WARNED_AFTER_SECONDS = 60;

export async function cargoTests() {
  const counts = { passed: 0, failed: 0, skipped: 0, failures: [] };
  const built = await run("cargo", ["test", "--workspace", "--no-run", "--message-format=json-render-diagnostics"], { stdoutOnly: true });
  if (built.code !== 0) {
    return { ...counts, failed: 1, failures: [`the tests do not build${built.stopped ? `: cargo ${built.stopped}` : ""}`] };
  }
  for (const program of testPrograms(built.output)) add(counts, await runProgram(program));
  add(counts, await docTests());
  return counts;
}

function add(counts, more) {
  for (const key of ["passed", "failed", "skipped"]) counts[key] += more[key];
  counts.failures.push(...more.failures);
}

function testPrograms(messages) {
  return messages
    .split("\n")
    .filter((line) => line.startsWith("{"))
    .map((line) => JSON.parse(line))
    .filter((message) => message.reason === "compiler-artifact" && message.profile.test && message.executable)
    .map(({ executable, manifest_path, target }) => {
      const folder = dirname(manifest_path);
      const kind = target.kind.includes("test") ? `tests/${target.name}` : target.kind.includes("bin") ? "binary" : "library";
      return { executable, folder, name: `${basename(folder)} ${kind}` };
    })
    .sort((a, b) => a.name.localeCompare(b.name));
}

async function runProgram({ executable, folder, name }) {
  const start = Date.now();
  const env = { CARGO_MANIFEST_DIR: folder, INSTA_UPDATE: "no", RUST_BACKTRACE: "1" };
  const listed = await run(executable, ["--list", "--format", "terse"], { cwd: folder, env });
  const tests = listed.output.split("\n").filter((line) => line.endsWith(": test")).map((line) => line.slice(0, -": test".length));
  if (tests.length === 0 && listed.code === 0) return { passed: 0, failed: 0, skipped: 0, failures: [] };

  const passed = new Set();
  const failed = new Set();
  const ignored = new Set();
  const timers = new Map();
  const onLine = (line, stop) => {
    const ended = /^test (\S+)(?: - should panic)? \.\.\. (ok|FAILED|ignored)/.exec(line);
    if (ended) {
      const [, test, how] = ended;
      clearTimeout(timers.get(test));
      ({ ok: passed, FAILED: failed, ignored })[how].add(test);
    }
    const slow = /^test (\S+) has been running for over/.exec(line);
    if (slow) {
      const left = (LIMIT_SECONDS - WARNED_AFTER_SECONDS) * 1000;
      timers.set(slow[1], setTimeout(() => stop(`${slow[1]} ran for more than ${LIMIT_SECONDS} s`), left));
    }
  };
  const { code, output, stopped } = await run(executable, ["--show-output"], { cwd: folder, env, onLine, quietMs: LIMIT_SECONDS * 1000 });
  for (const timer of timers.values()) clearTimeout(timer);

  const result = /^test result: \S+ (\d+) passed; (\d+) failed; (\d+) ignored/m.exec(output);
  // libtest's own figures where it came to its end; otherwise whoever was not seen to pass has failed.
  const counts = result
    ? { passed: Number(result[1]), failed: Number(result[2]), skipped: Number(result[3]) }
    : { passed: passed.size, failed: Math.max(1, tests.length - passed.size - ignored.size), skipped: ignored.size };
  if (code !== 0 && counts.failed === 0) counts.failed = 1;
  const why = stopped ? `stopped: ${stopped}` : result ? "" : `ended with exit code ${code} before its last test`;
  const failures = [...failed].map((test) => `${name}: ${test}`);
  if (why) failures.push(`${name}: ${why}`);
  if (counts.failed > 0 && failures.length === 0) failures.push(`${name}: exit code ${code}`);
  console.log(`${name}: ${counts.passed} passed, ${counts.failed} failed (${seconds(start)})`);
  if (counts.failed > 0) console.log(`${output}\n${why}`.trimEnd().split("\n").slice(-400).map((line) => `    ${line}`).join("\n"));
  // Lines in which a test says what it left out are for whoever reads the log.
  else for (const line of output.split("\n")) if (/^skipped: /.test(line)) console.log(`    ${line}`);
  return { ...counts, failures };
}

async function docTests() {
  const start = Date.now();
  const { code, output } = await run("cargo", ["test", "--workspace", "--doc", "--no-fail-fast", "--quiet"], { quietMs: LIMIT_SECONDS * 2000 });
  const counts = { passed: 0, failed: 0, skipped: 0, failures: [] };
  for (const [, ok, bad, left] of output.matchAll(/^test result: \S+ (\d+) passed; (\d+) failed; (\d+) ignored/gm)) {
    counts.passed += Number(ok);
    counts.failed += Number(bad);
    counts.skipped += Number(left);
  }
  if (code !== 0 && counts.failed === 0) counts.failed = 1;
  if (counts.failed > 0) counts.failures.push("documentation examples");
  console.log(`documentation examples: ${counts.passed} passed, ${counts.failed} failed (${seconds(start)})`);
  if (counts.failed > 0) console.log(output);
  return counts;
}
