// Copies the front-end packages' own builds into `vendor/`, which is git-ignored and embedded into the program.
// Run by `npm run assets` after `npm ci`; nothing is fetched here.
import { cpSync, existsSync, mkdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const packages = join(here, "..", "..", "..", "node_modules");
const files = [
  ["@tabler/core/dist/css/tabler.min.css", "tabler.min.css"],
  ["@tabler/core/LICENSE", "tabler.LICENSE.txt"],
  ["htmx.org/dist/htmx.min.js", "htmx.min.js"],
  ["htmx.org/LICENSE", "htmx.LICENSE.txt"],
];

let copied = 0;
const vendor = join(here, "vendor");
rmSync(vendor, { recursive: true, force: true });
mkdirSync(vendor);
for (const [from, to] of files) {
  const source = join(packages, from);
  if (!existsSync(source)) {
    if (to.includes("LICENSE")) continue; // not every package carries its licence as a file
    console.error(`${from} is missing: run \`npm ci\` first`);
    process.exit(1);
  }
  cpSync(source, join(vendor, to));
  copied += 1;
}
console.log(`crates/web/assets/vendor: ${copied} files from npm packages`);
