/** A server as a child process that says where it listens by its first line on stdout. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { within } from "./within.ts";

/** How long a server may take to say where it listens, and to end when asked to. */
const START_TIMEOUT_MS = 15_000;
const STOP_TIMEOUT_MS = 10_000;
/** How much of what a server wrote to stderr is kept, to stand in the error when it ends. */
const STDERR_KEPT = 4_000;

export interface ChildServer extends AsyncDisposable {
  readonly url: string;
  readonly pid: number;
  /** `performance.now()` just before the process was made. */
  readonly spawnedAt: number;
}

export interface ChildCommand {
  /** What it is, for errors. */
  readonly name: string;
  /** Arguments to this very Node. */
  readonly args: readonly string[];
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string>>;
}

/**
 * Starts a server and waits until it listens. Disposing of it ends the process.
 * @throws Error with what the process wrote to stderr, when it ends or is silent instead.
 */
export async function startServer({ name, args, cwd, env }: ChildCommand): Promise<ChildServer> {
  const spawnedAt = performance.now();
  const child = spawn(process.execPath, args, {
    cwd,
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  // A harness that ends early, whichever way, takes its servers along.
  const abandon = (): void => void child.kill("SIGKILL");
  process.once("exit", abandon);
  const ended = once(child, "exit").finally(() => process.off("exit", abandon));

  let stderr = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr = (stderr + text).slice(-STDERR_KEPT);
  });
  const lines = createInterface(child.stdout);
  try {
    const [line] = await within(
      Promise.race([
        once(lines, "line") as Promise<[string]>,
        ended.then(([code, signal]) => Promise.reject(new Error(`${name} ended with ${code ?? signal}`))),
      ]),
      START_TIMEOUT_MS,
      `line on stdout from ${name}`,
    );
    return {
      url: urlIn(line),
      pid: child.pid as number,
      spawnedAt,
      async [Symbol.asyncDispose]() {
        await stop(child, ended);
      },
    };
  } catch (error) {
    await stop(child, ended);
    throw new Error(`${(error as Error).message}; its stderr: ${stderr.trim() || "(empty)"}`, { cause: error });
  }
}

function urlIn(line: string): string {
  const { url } = JSON.parse(line) as { url?: unknown };
  if (typeof url !== "string") throw new Error(`the first line on stdout has no url: ${line}`);
  return url;
}

async function stop(child: ChildProcess, ended: Promise<unknown>): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill("SIGTERM");
  try {
    await within(ended, STOP_TIMEOUT_MS, `end of process ${child.pid} after SIGTERM`);
  } catch {
    child.kill("SIGKILL");
    await ended;
  }
}
