// Running a program with a watch over it: how long it may run, and how long it may say nothing.
import { spawn } from "node:child_process";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** The top of the repository. */
export const top = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
/** Where cargo builds to. */
export const targetDir = process.env.CARGO_TARGET_DIR ?? join(top, "target");

/** Time since `start`, for people. */
export function seconds(start) {
  return `${((Date.now() - start) / 1000).toFixed(1)} s`;
}

/**
 * Runs `command` and resolves to `{ code, output, stopped }`; never rejects because of how the program ended.
 * `onLine(line, stop)` sees each line as it comes and may call `stop(why)`; `quietMs` stops a program that says nothing for that long.
 * A stopped program is killed with everything it started.
 */
export function run(command, args, { cwd = top, env = {}, onLine, quietMs, show = false, stdoutOnly = false } = {}) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { cwd, env: { ...process.env, ...env }, stdio: ["ignore", "pipe", "pipe"], detached: true });
    let output = "";
    let stopped = null;
    let quiet;
    const stop = (why) => {
      stopped ??= why;
      child.kill("SIGKILL");
      // What it started gets a moment to notice and tidy up (a database's watchdog does) before it is ended too.
      setTimeout(() => {
        try {
          process.kill(-child.pid, "SIGKILL");
        } catch {
          // Nothing of it is left.
        }
      }, 3000);
    };
    const heard = () => {
      clearTimeout(quiet);
      if (quietMs) quiet = setTimeout(() => stop(`said nothing for ${quietMs / 1000} s`), quietMs);
    };
    const listen = (stream, kept) => {
      let rest = "";
      stream.setEncoding("utf8");
      stream.on("data", (text) => {
        heard();
        if (show) process.stdout.write(text);
        if (kept) output += text;
        const lines = (rest + text).split("\n");
        rest = lines.pop();
        if (kept) for (const line of lines) onLine?.(line, stop);
      });
      stream.on("end", () => rest && kept && onLine?.(rest, stop));
    };
    heard();
    listen(child.stdout, true);
    listen(child.stderr, !stdoutOnly);
    if (stdoutOnly && !show) child.stderr.on("data", (text) => process.stderr.write(text));
    child.on("error", (error) => {
      clearTimeout(quiet);
      resolve({ code: 127, output: `${output}${command}: ${error.message}`, stopped });
    });
    const interrupted = () => stop("interrupted");
    process.once("SIGINT", interrupted);
    process.once("SIGTERM", interrupted);
    child.on("close", (code, signal) => {
      // Ended from outside (out of memory, somebody's kill): that is no verdict of the tests, and must be told apart from one.
      if (signal && !stopped) stopped = `ended by ${signal} from outside`;
      clearTimeout(quiet);
      process.off("SIGINT", interrupted);
      process.off("SIGTERM", interrupted);
      resolve({ code: code ?? 1, output, stopped });
    });
  });
}
