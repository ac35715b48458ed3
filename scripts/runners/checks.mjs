// The checks: each is a program that ends with 0 when all is well, and counts as one test.
import { run, seconds } from "./process.mjs";

// A program's documentation is for who works on it, so it shows private items and may link to them.
const documented = { RUSTDOCFLAGS: "-D warnings -A rustdoc::private_intra_doc_links" };

const list = [
  ["words", "scripts/words", []],
  ["format", "cargo", ["fmt", "--all", "--check"]],
  ["lints", "cargo", ["clippy", "--quiet", "--workspace", "--all-targets", "--keep-going", "--", "-D", "warnings"]],
  ["documentation", "cargo", ["doc", "--quiet", "--workspace", "--no-deps", "--document-private-items"], documented],
  ["generated files", "scripts/generated", []],
];

export async function checks() {
  const counts = { passed: 0, failed: 0, skipped: 0, failures: [] };
  for (const [name, command, args, env] of list) {
    const start = Date.now();
    const { code, output } = await run(command, args, { env });
    if (code === 0) {
      counts.passed += 1;
      console.log(`${name}: ok (${seconds(start)})`);
    } else {
      counts.failed += 1;
      counts.failures.push(`check: ${name}`);
      console.log(`${name}: FAILED (${seconds(start)})\n${output.split("\n").slice(0, 200).join("\n")}`);
    }
  }
  return counts;
}
