/** A runtime as a child process, seen as a WebSocket, so that the client SDK runs over its stdio unchanged. */
import { type ChildProcess, spawn } from "node:child_process";
import type { Readable, Writable } from "node:stream";
import type { OpenWebSocket, WebSocketLike } from "../client/web-socket.ts";
import type { Timer, Timers } from "../platform/world.ts";
import { CLOSE } from "../protocol/framing.ts";
import { LineError, LineSplitter } from "./line-splitter.ts";

export interface ChildSocketOptions {
  readonly timers: Timers;
  /** Working directory. Default: this process's. */
  readonly cwd?: string;
  /** The child's environment. Default: this process's. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Where the child's log goes. Default: to our own standard error. */
  readonly stderr?: "inherit" | "ignore";
  /** How long the child may take to end once its input has ended, in milliseconds; then it is killed. Default: 15,000. */
  readonly exitTimeoutMs?: number;
  /** Hears of every child that is started: the first one, and one for each connection that is made again. */
  readonly onSpawn?: (child: ChildProcess) => void;
}

/** Above the time `leasehold serve` gives jobs under way by default. */
const DEFAULT_EXIT_TIMEOUT_MS = 15_000;
/** Longest frame taken from a child, in bytes: twice what it may send, which is a result of 256 MiB. A longer one ends the connection. */
const MAX_LINE_BYTES = 512 * 1_048_576;
/** A child is gone this long after it has exited, though somebody may still hold its output open. In milliseconds. */
const OUTPUT_TIMEOUT_MS = 1_000;

type StdioChild = ChildProcess & { readonly stdin: Writable; readonly stdout: Readable };
type Type = Parameters<WebSocketLike["addEventListener"]>[0];
type Listener = Parameters<WebSocketLike["addEventListener"]>[1];

/** The end of a child, in words. */
function describeEnd({ exitCode, signalCode }: ChildProcess): string {
  if (signalCode !== null) return `the child was ended by ${signalCode}`;
  return exitCode === null ? "the child closed its output" : `the child ended with code ${exitCode}`;
}

function createChildSocket(child: StdioChild, options: ChildSocketOptions): WebSocketLike {
  const { timers, exitTimeoutMs = DEFAULT_EXIT_TIMEOUT_MS } = options;
  const listeners: Record<Type, Listener[]> = { open: [], message: [], close: [], error: [] };
  const emit = (type: Type, event: Parameters<Listener>[0]): void => {
    for (const listener of listeners[type]) listener(event);
  };
  const lines = new LineSplitter(MAX_LINE_BYTES);
  let isOver = false;
  let killTimer: Timer | undefined;
  let outputTimer: Timer | undefined;

  function end(code: number, reason: string): void {
    outputTimer?.cancel();
    if (isOver) return;
    isOver = true;
    emit("close", { code, reason });
  }
  function close(code: number, reason: string): void {
    if (child.exitCode === null && child.signalCode === null && child.pid !== undefined) {
      child.stdin.end();
      // What does not even answer is not waited for.
      if (code !== CLOSE.normal) child.kill("SIGKILL");
      else killTimer ??= timers.after(exitTimeoutMs, () => child.kill("SIGKILL"));
    }
    end(code, reason);
  }

  child.once("spawn", () => emit("open", {}));
  child.once("error", (error) => end(CLOSE.abnormal, error.message));
  child.once("exit", () => {
    killTimer?.cancel();
    outputTimer = timers.after(OUTPUT_TIMEOUT_MS, () => end(CLOSE.abnormal, describeEnd(child)));
  });
  child.once("close", () => end(CLOSE.abnormal, describeEnd(child)));
  // That it does not read any more shows in its end.
  child.stdin.on("error", () => {});
  child.stdout.on("data", (piece: Uint8Array) => {
    if (isOver) return;
    try {
      for (const data of lines.split(piece)) emit("message", { data });
    } catch (error) {
      if (!(error instanceof LineError)) throw error;
      close(error.closeCode, error.message);
    }
  });
  // A child that closes its output can tell us nothing any more, though it may live on.
  child.stdout.once("end", () => {
    if (child.exitCode === null && child.signalCode === null) child.stdin.end();
  });

  return {
    addEventListener: (type, listener) => void listeners[type].push(listener),
    send: (data) => void child.stdin.write(`${data}\n`),
    close: (code = CLOSE.normal, reason = "") => close(code, reason),
  };
}

/**
 * Opens sockets by starting `command`, which is to speak ARCP over its standard input and output. A connection that is
 * lost is made again by starting it again, once the child before has ended: give it a data directory to find what the
 * one before left.
 */
export function createChildSockets(
  command: string,
  args: readonly string[],
  options: ChildSocketOptions,
): OpenWebSocket {
  let before: ChildProcess | undefined;

  return () => {
    if (before?.pid !== undefined && before.exitCode === null && before.signalCode === null) {
      throw new Error(`the child before (process ${before.pid}) has not ended yet`);
    }
    const { cwd, env = process.env, stderr = "inherit", onSpawn } = options;
    const child = spawn(command, args, { cwd, env, stdio: ["pipe", "pipe", stderr] }) as StdioChild;
    before = child;
    onSpawn?.(child);
    return createChildSocket(child, options);
  };
}
