/**
 * A throw-away working directory and the `leasehold` processes started in it. Every wait is bounded and says what it
 * waited for and what the process had printed; with the place go its processes, by their ids, and its files.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = join(import.meta.dirname, "../..");
const MAIN = join(ROOT, "src/cli/main.ts");
/** Exports every agent of `test-agents.ts`. */
export const AGENTS: string = fileURLToPath(import.meta.resolve("./test-agents.ts"));

/** No test waits longer for any one thing. */
const PATIENCE_MS = 30_000;

export interface Ended {
  /** null for a process that a signal ended. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Command {
  readonly child: ChildProcess;
  readonly pid: number;
  stdout(): string;
  stderr(): string;
  /** Resolves once `find` finds something in what stdout holds by then. */
  until<Found>(what: string, find: (stdout: string) => Found | undefined): Promise<Found>;
  ended(): Promise<Ended>;
}

/** A `dev` or `serve` that is listening. */
export interface Server extends Command {
  readonly url: string;
  /** The development token; empty for `serve`. */
  readonly token: string;
}

interface Options {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** All of its standard input. */
  readonly input?: string;
  /** Leaves its standard input open, for the test to write to. */
  readonly keepInput?: boolean;
}

export interface Place extends AsyncDisposable {
  readonly directory: string;
  path(name: string): string;
  write(name: string, text: string): Promise<string>;
  /** Starts `leasehold` with these arguments. */
  start(args: readonly string[], options?: Options): Command;
  /** Runs it to its end. */
  run(args: readonly string[], options?: Options): Promise<Ended>;
  /** Starts any program. */
  spawn(program: string, args: readonly string[], options?: Options): Command;
  /** Starts `dev` or `serve` with the agents of `test-agents.ts`, on a free port unless `--port` says otherwise. */
  serve(kind: "dev" | "serve", args?: readonly string[]): Promise<Server>;
  /** Kills whatever of it still runs. Disposing of the place does so, too. */
  kill(): Promise<void>;
}

/** What a shell would have to be given to run `leasehold` from the sources. */
export const LEASEHOLD: readonly string[] = [process.execPath, "--conditions=leasehold-source", MAIN];

/** JSON lines, parsed; a line that is still being written is left out. */
export function jsonLines(text: string): readonly Record<string, unknown>[] {
  return text
    .split("\n")
    .slice(0, -1)
    .map((line) => JSON.parse(line));
}

export async function within<Result>(promise: Promise<Result>, what: () => string): Promise<Result> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`waited ${PATIENCE_MS} ms for ${what()}`)), PATIENCE_MS);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** Resolves once the runtime at `url` takes no new work: it says so, or is gone. */
export function stopsTakingWork(url: string): Promise<void> {
  const { host } = new URL(url);
  const ask = async (): Promise<void> => {
    const answer = await fetch(`http://${host}/readyz`).catch(() => undefined);
    if (answer?.ok) await ask();
  };
  return within(ask(), () => `${url} to take no more work`);
}

/** The developer's own environment must not lead a command to another runtime. */
function environment(extra: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv {
  const own = Object.entries(process.env).filter(([name]) => !name.startsWith("LEASEHOLD_"));
  return { ...Object.fromEntries(own), ...extra };
}

function startCommand(program: string, args: readonly string[], options: Options): Command {
  const child = spawn(program, args, { cwd: options.cwd, env: environment(options.env) });
  // One that ends before it has read its input is no failure of the test.
  child.stdin.on("error", () => {});
  if (options.keepInput !== true) child.stdin.end(options.input);
  const text = { stdout: "", stderr: "" };
  const watchers = new Set<() => void>();
  for (const name of ["stdout", "stderr"] as const) {
    child[name].setEncoding("utf8").on("data", (chunk: string) => {
      text[name] += chunk;
      for (const look of watchers) look();
    });
  }
  const closed = once(child, "close");
  closed.catch(() => {});
  const shown = () =>
    `of \`${args.join(" ")}\` (pid ${child.pid}, exit code ${child.exitCode})\nstdout: ${text.stdout.slice(-2_000)}\nstderr: ${text.stderr.slice(-2_000)}`;

  return {
    child,
    pid: child.pid ?? 0,
    stdout: () => text.stdout,
    stderr: () => text.stderr,
    async until<Found>(what: string, find: (stdout: string) => Found | undefined) {
      const { promise, resolve, reject } = Promise.withResolvers<Found>();
      const look = (): void => {
        const found = find(text.stdout);
        if (found !== undefined) resolve(found);
      };
      watchers.add(look);
      closed.then(() => reject(new Error(`ended before ${what} ${shown()}`)), reject);
      look();
      try {
        return await within(promise, () => `${what} ${shown()}`);
      } finally {
        watchers.delete(look);
      }
    },
    async ended() {
      await within(closed, () => `the end ${shown()}`);
      return { code: child.exitCode, ...text };
    },
  };
}

export async function createPlace(): Promise<Place> {
  const directory = await mkdtemp(join(tmpdir(), "leasehold-end-to-end-"));
  const commands: Command[] = [];
  const path = (name: string): string => join(directory, name);

  const place: Place = {
    directory,
    path,
    async write(name, text) {
      await writeFile(path(name), text);
      return path(name);
    },
    spawn(program, args, options = {}) {
      const command = startCommand(program, args, { cwd: directory, ...options });
      commands.push(command);
      return command;
    },
    start(args, options) {
      const [node = "", ...rest] = LEASEHOLD;
      return place.spawn(node, [...rest, ...args], options);
    },
    run: (args, options) => place.start(args, options).ended(),
    async serve(kind, args = []) {
      const port = args.includes("--port") ? [] : ["--port", "0"];
      const command = place.start([kind, AGENTS, "--json", ...port, ...args]);
      const ready = await command.until("the line that says where it serves", (stdout) => jsonLines(stdout)[0]);
      return { ...command, url: String(ready.url), token: String(ready.token ?? "") };
    },
    async kill() {
      for (const { child } of commands) if (child.exitCode === null && child.signalCode === null) child.kill("SIGKILL");
      await Promise.all(commands.map((command) => command.ended()));
    },
    async [Symbol.asyncDispose]() {
      await place.kill();
      await rm(directory, { recursive: true, force: true });
    },
  };
  return place;
}
