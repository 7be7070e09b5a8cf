/** The real process as a `CliIo`. */
import { Writable } from "node:stream";
import { createSystemWorld } from "../platform/system-world.ts";
import { EXIT } from "./exit-codes.ts";
import type { CliIo, Interrupt, Output } from "./io.ts";

/** 128 + the signal's number, as shells count. */
const SIGNALS = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const;
type Signal = keyof typeof SIGNALS;

/** Of a terminal that does not say how large it is. */
const USUAL_COLUMNS = 80;
const USUAL_ROWS = 24;

/** What an output needs of `process.stdout` and its like. */
type Stream = Pick<NodeJS.WriteStream, "isTTY" | "columns" | "rows" | "write">;

/** Colours and redrawing need a terminal; `TERM=dumb` has neither, NO_COLOR (https://no-color.org) has no colours. */
export function createOutput(stream: Stream, env: CliIo["env"]): Output {
  const live = stream.isTTY === true && env.TERM !== "dumb";
  return {
    write: (content) => void stream.write(content),
    flush: () => new Promise((resolve) => void stream.write("", () => resolve())),
    live,
    colors: live && !env.NO_COLOR,
    width: () => (stream.isTTY ? stream.columns || USUAL_COLUMNS : undefined),
    height: () => (stream.isTTY ? stream.rows || USUAL_ROWS : undefined),
  };
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM: it exists and is someone else's.
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

function createInterrupts(): CliIo["onInterrupt"] {
  const listeners = new Set<(interrupt: Interrupt) => void>();
  let signalled = false;

  function tell(interrupt: Interrupt): void {
    for (const listener of listeners) listener(interrupt);
  }
  function onSignal(signal: NodeJS.Signals): void {
    if (signalled) process.exit(SIGNALS[signal as Signal]);
    signalled = true;
    tell(signal as Signal);
  }
  // Without this, a reader that goes away (`leasehold jobs | head -1`) would be an uncaught error.
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") {
      process.stderr.write(`leasehold: standard output cannot be written: ${error.message}\n`);
      process.exit(EXIT.failure);
    }
    if (listeners.size === 0) process.exit(0);
    tell("output-closed");
  });
  process.stderr.on("error", () => {});

  const signals = Object.keys(SIGNALS) as Signal[];
  return (listener) => {
    if (listeners.size === 0) for (const signal of signals) process.on(signal, onSignal);
    listeners.add(listener);
    return () => {
      if (!listeners.delete(listener) || listeners.size > 0) return;
      for (const signal of signals) process.off(signal, onSignal);
    };
  };
}

/** Agents may write to `process.stdout` at any time, by `console.log` for one: between frames it would break them. */
function takeStdio(): ReturnType<CliIo["takeStdio"]> {
  const { stdin, stdout, stderr } = process;
  const write: (bytes: Uint8Array, done: (error?: Error | null) => void) => boolean = stdout.write.bind(stdout);
  stdout.write = stderr.write.bind(stderr);
  const output = new Writable({ write: (bytes: Uint8Array, _encoding, done) => void write(bytes, done) });
  // A reader that went away is told to whoever holds `output`, not only to the last write.
  stdout.once("error", (error) => output.destroy(error));
  return { input: stdin, output };
}

export function createProcessIo(): CliIo {
  return {
    stdout: createOutput(process.stdout, process.env),
    stderr: createOutput(process.stderr, process.env),
    get stdin() {
      return process.stdin;
    },
    canAsk: process.stdin.isTTY === true && process.stderr.isTTY === true,
    takeStdio,
    env: process.env,
    loadEnvFile: (path) => process.loadEnvFile(path),
    cwd: process.cwd(),
    pid: process.pid,
    world: createSystemWorld(),
    isAlive,
    onInterrupt: createInterrupts(),
  };
}
