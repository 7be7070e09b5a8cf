/** The real runtime in a process of its own, which can be killed. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { JOURNAL_VARIABLE } from "./journal.ts";
import { within } from "./within.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const START_MS = 20_000;
const EXIT_MS = 10_000;

export interface RuntimeProcess {
  readonly url: string;
  /** SIGKILL; resolves when the process is gone. */
  kill(): Promise<void>;
}

/** A port that is free now. It is taken and given up again: whoever listens on it next may find it taken. */
export async function findFreePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

/**
 * Starts `leasehold serve` on `data`, and waits until it listens.
 * @throws Error with what the process wrote, when it does not.
 */
export async function startRuntime(options: { data: string; port: number; journal: string }): Promise<RuntimeProcess> {
  const command = ["--conditions=leasehold-source", "src/cli/main.ts", "serve", "conformance/kill/agents.ts"];
  const flags = ["--json", "--port", String(options.port), "--data", options.data];
  const child = spawn(process.execPath, [...command, ...flags], {
    cwd: ROOT,
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, [JOURNAL_VARIABLE]: options.journal },
  });
  let errors = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    errors = (errors + text).slice(-4_000);
  });
  const url = await within(
    START_MS,
    `the runtime did not listen: ${errors}`,
    readUrl(child, () => errors),
  ).catch(async (error: unknown) => {
    await kill(child);
    throw error;
  });
  return { url, kill: () => kill(child) };
}

async function readUrl(child: ChildProcess & { stdout: NodeJS.ReadableStream }, errors: () => string): Promise<string> {
  for await (const line of createInterface({ input: child.stdout })) {
    const { url } = JSON.parse(line) as { url?: string };
    // Whatever it says later is of no interest, and must not fill the pipe.
    child.stdout.resume();
    if (url !== undefined) return url;
  }
  throw new Error(`the runtime ended before it listened: ${errors()}`);
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, "exit");
  child.kill("SIGKILL");
  await within(EXIT_MS, `process ${child.pid} does not die`, gone);
}
