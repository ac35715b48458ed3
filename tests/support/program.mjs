// The program under test as a process, and the simulator it can pretend Microsoft with.
import { execFile, spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const top = join(dirname(fileURLToPath(import.meta.url)), "..", "..");

/** The program: the one named by ROLLCALL_PROGRAM, else the debug build. */
export const program = process.env.ROLLCALL_PROGRAM ?? join(process.env.CARGO_TARGET_DIR ?? join(top, "target"), "debug", "rollcall");
if (!existsSync(program)) throw new Error(`${program} is missing: cargo build --package rollcall, or name another with ROLLCALL_PROGRAM`);

/** A folder of its own with the settings that keep everything in it. `dispose` removes it. */
export function home(extra = {}) {
  const folder = mkdtempSync(join(tmpdir(), "rollcall-home-"));
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith("ROLLCALL_"));
  const env = {
    ...Object.fromEntries(inherited),
    ROLLCALL_DATABASE__URL: `sqlite://${folder}/rollcall.db`,
    ROLLCALL_MASTER_KEY_FILE: `${folder}/master.key`,
    ROLLCALL_LISTEN: "127.0.0.1:0",
    // The least that argon2 takes: what a password check costs is not what these tests are about.
    ROLLCALL_AUTH__ARGON2_MEMORY_KIB: "8",
    ROLLCALL_AUTH__ARGON2_PASSES: "1",
    ...extra,
  };
  return { folder, env, dispose: () => rmSync(folder, { recursive: true, force: true }) };
}

/** Runs a command to its end: `{ code, stdout, stderr }`. */
export function rollcall(home, args, extra = {}) {
  return new Promise((resolve) => {
    execFile(program, args, { cwd: home.folder, env: { ...home.env, ...extra }, maxBuffer: 1 << 28 }, (error, stdout, stderr) => {
      resolve({ code: error ? (error.code ?? 1) : 0, stdout, stderr });
    });
  });
}

/** Runs a command that must succeed, and gives what it printed. */
export async function done(home, args, extra) {
  const { code, stdout, stderr } = await rollcall(home, args, extra);
  if (code !== 0) throw new Error(`rollcall ${args.join(" ")} ended with ${code}\n${stdout}\n${stderr}`);
  return stdout;
}

/** A port nobody listens on now. Whoever is told it takes it next, or the test fails and says so. */
export function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

/** Starts a long-running command. `line(pattern)` resolves to the match in what it prints, on either stream, from its start. */
export function start(home, args, command = program) {
  const child = spawn(command, args, { cwd: home.folder, env: home.env, stdio: ["ignore", "pipe", "pipe"] });
  const said = [];
  const waiting = new Set();
  const hear = (line) => {
    said.push(line);
    for (const wait of waiting) wait();
  };
  for (const stream of [child.stdout, child.stderr]) createInterface({ input: stream }).on("line", hear);
  const ended = new Promise((resolve) => child.on("close", (code) => resolve(code)));
  ended.then(() => waiting.forEach((wait) => wait(true)));
  child.on("error", (error) => hear(String(error)));
  return {
    said,
    ended,
    line: (pattern) =>
      new Promise((resolve, reject) => {
        const look = (over) => {
          const match = said.map((line) => pattern.exec(line)).find(Boolean);
          if (match) resolve(match);
          else if (over) reject(new Error(`${args.join(" ")} ended before it printed ${pattern}:\n${said.join("\n")}`));
          else return;
          waiting.delete(look);
        };
        waiting.add(look);
        look(child.exitCode !== null);
      }),
    stop: async (signal = "SIGTERM") => {
      child.kill(signal);
      return ended;
    },
  };
}

/** Starts the simulator: `{ url, tenants, control(method, path, body), stop }`; control paths begin after `/_sim`. */
export async function simulator(home, args = []) {
  const process = start(home, ["simulate", "--listen", "127.0.0.1:0", ...args]);
  const announced = JSON.parse((await process.line(/^\{"listen".*$/))[0]);
  const url = `http://${announced.listen}`;
  const control = async (method, path, body) => {
    const answer = await fetch(`${url}/_sim${path}`, { method, body: body && JSON.stringify(body) });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`the simulator answered ${answer.status} to ${path}: ${text}`);
    return text && JSON.parse(text);
  };
  return { url, tenants: announced.tenants, control, stop: process.stop };
}
