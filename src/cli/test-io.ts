/** A process of a test's own: what is written is kept, interrupts come when the test says. For tests only. */
import { PassThrough } from "node:stream";
import { createFakeWorld, type FakeWorld } from "../testing/fake-world.ts";
import type { CliIo, Interrupt, Output } from "./io.ts";

export interface TestOutput extends Output {
  /** All that was written, bytes as UTF-8. */
  readonly text: string;
  readonly lines: readonly string[];
}

interface Terminal {
  readonly width?: number;
  readonly height?: number;
  readonly colors?: boolean;
}

/** @param terminal leave it out for a pipe. */
export function createTestOutput(terminal?: Terminal): TestOutput {
  let text = "";
  return {
    write(content) {
      text += typeof content === "string" ? content : new TextDecoder().decode(content);
    },
    flush: async () => {},
    live: terminal !== undefined,
    colors: terminal?.colors ?? false,
    width: () => (terminal === undefined ? undefined : (terminal.width ?? 80)),
    height: () => (terminal === undefined ? undefined : (terminal.height ?? 24)),
    get text() {
      return text;
    },
    get lines() {
      return text.split("\n").slice(0, -1);
    },
  };
}

export interface TestIo extends CliIo {
  readonly stdout: TestOutput;
  readonly stderr: TestOutput;
  readonly world: FakeWorld;
  interrupt(interrupt: Interrupt): void;
  /** How many listen for interrupts. */
  readonly listening: number;
}

interface TestIoOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly stdin?: string;
  readonly terminal?: Terminal;
  readonly alive?: readonly number[];
}

export function createTestIo({
  cwd = "/nowhere",
  env = {},
  stdin = "",
  terminal,
  alive = [],
}: TestIoOptions = {}): TestIo {
  const listeners = new Set<(interrupt: Interrupt) => void>();
  async function* input(): AsyncGenerator<Uint8Array> {
    yield new TextEncoder().encode(stdin);
  }
  return {
    stdout: createTestOutput(terminal),
    stderr: createTestOutput(terminal),
    stdin: input(),
    canAsk: terminal !== undefined,
    takeStdio: () => ({ input: new PassThrough(), output: new PassThrough() }),
    env,
    loadEnvFile: (path) => {
      throw Object.assign(new Error(`no such file: ${path}`), { code: "ENOENT" });
    },
    cwd,
    pid: 4242,
    world: createFakeWorld(),
    isAlive: (pid) => alive.includes(pid),
    onInterrupt(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    interrupt(interrupt) {
      for (const listener of [...listeners]) listener(interrupt);
    },
    get listening() {
      return listeners.size;
    },
  };
}
