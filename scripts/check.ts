/** One check of `npm test`: a command that must succeed, or a function that must find no problem. */
import { spawn } from "node:child_process";
import { join } from "node:path";
import { ROOT } from "./repository.ts";

export interface Check {
  readonly title: string;
  /** Resolves to what is wrong, for people to read; empty when nothing is. */
  readonly run: () => Promise<string>;
}

/** Passes when `file`, a script of an installed package or of ours, ends with code 0. */
export function commandCheck(title: string, file: string, args: readonly string[] = []): Check {
  return { title, run: () => runScript(file, args) };
}

/** Passes when `find` returns no problems. */
export function problemCheck(title: string, find: () => readonly string[]): Check {
  return { title, run: async () => find().join("\n") };
}

function runScript(file: string, args: readonly string[]): Promise<string> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [join(ROOT, file), ...args], {
      cwd: ROOT,
      stdio: ["ignore", "pipe", "pipe"],
    });
    let output = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (text: string) => {
        output += text;
      });
    }
    child.on("error", (error) => resolve(error.message));
    child.on("close", (code) => resolve(code === 0 ? "" : output.trim() || `ended with code ${code}`));
  });
}
