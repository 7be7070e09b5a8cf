/** The real runtime in a process of its own, of which everything that it says is kept. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { within } from "../kill/within.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const START_MS = 20_000;
const STOP_MS = 20_000;
const MEASURE_MS = 20_000;

/** In bytes. */
export interface Memory {
  /** What is reachable from JavaScript. */
  readonly live: number;
  /** What the process holds. */
  readonly resident: number;
}

export interface MeasuredRuntime {
  readonly url: string;
  readonly alive: boolean;
  /** All that it wrote to standard output and standard error. */
  said(): string;
  /** Has it collect its garbage, and measures what is left. */
  memory(): Promise<Memory>;
  /** SIGTERM; resolves when the process is gone. */
  stop(): Promise<void>;
}

/** Starts `leasehold serve` on `data` with the agents of the conformance suite. */
export function startRuntimeUnderFuzz(data: string): Promise<MeasuredRuntime> {
  return startMeasuredRuntime(data, ["--conformance-agents"]);
}

/** Starts `leasehold serve` on `data`. @param agents what tells the command which agents there are. */
export async function startMeasuredRuntime(data: string, agents: readonly string[]): Promise<MeasuredRuntime> {
  // The second as in the first line of `bin/leasehold.js`, which says why.
  const node = ["--conditions=leasehold-source", "--max-semi-space-size=4", "--expose-gc"];
  const command = [
    ...node,
    "--import",
    "./conformance/fuzz/memory-on-signal.ts",
    "src/cli/main.ts",
    "serve",
    ...agents,
  ];
  const flags = ["--json", "--port", "0", "--drain", "1s", "--data", data];
  const child = spawn(process.execPath, [...command, ...flags], { cwd: ROOT, stdio: ["ignore", "pipe", "pipe"] });
  const ready = Promise.withResolvers<string>();
  const said: string[] = [];
  let measured: (memory: Memory) => void = () => {};
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      said.push(text);
      const url = /"url":"(ws:[^"]+)"/.exec(said.join(""))?.[1];
      if (url !== undefined) ready.resolve(url);
      const memory = /\{"type":"memory".*\}/.exec(text)?.[0];
      if (memory !== undefined) measured(JSON.parse(memory));
    });
  }
  const gone = once(child, "exit");
  gone.then(() => ready.reject(new Error(`the runtime ended: ${said.join("")}`)), ready.reject);
  const url = await within(START_MS, "the runtime did not listen", ready.promise);
  return {
    url,
    get alive() {
      return child.exitCode === null && child.signalCode === null;
    },
    said: () => said.join(""),
    memory() {
      const { promise, resolve } = Promise.withResolvers<Memory>();
      measured = resolve;
      child.kill("SIGUSR2");
      return within(MEASURE_MS, "the runtime did not say how much memory it holds", promise);
    },
    async stop() {
      child.kill("SIGTERM");
      await within(STOP_MS, `process ${child.pid} does not end`, gone);
    },
  };
}

/** Which of the tokens stand in a file of the directory, or in `text`. */
export function findSecrets(tokens: ReadonlySet<string>, directory: string, text: string): readonly string[] {
  const files = readdirSync(directory, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const places = files.map(({ parentPath, name }) => [name, readFileSync(join(parentPath, name), "latin1")] as const);
  const lengths = [...new Set([...tokens].map(({ length }) => length))];
  // There are thousands of resume tokens: what looks like one is looked up among them, whatever follows it.
  return [...places, ["the log", text] as const].flatMap(([place, content]) =>
    [...content.matchAll(/(?:rt|lh)_[A-Za-z0-9_-]{16,}/g)]
      .flatMap(([word]) => [...new Set(lengths.map((length) => word.slice(0, length)))])
      .filter((token) => tokens.has(token))
      .map((token) => `${token.slice(0, 8)}… in ${place}`),
  );
}
