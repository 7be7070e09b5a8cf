/** The process around a command, as an argument: `main.ts` hands in the real one, tests their own. */
import type { Readable, Writable } from "node:stream";
import type { World } from "../platform/world.ts";

export interface Output {
  /** Text goes out as UTF-8, bytes as they are. */
  write(content: string | Uint8Array): void;
  /** Resolves once all that was written has left, or cannot leave any more. */
  flush(): Promise<void>;
  /** A terminal that understands cursor movement: lines may be redrawn. */
  readonly live: boolean;
  readonly colors: boolean;
  /** Columns of the terminal, asked anew each time since it can be resized; undefined when there is none. */
  width(): number | undefined;
  /** Its lines, likewise. */
  height(): number | undefined;
}

/** `output-closed`: whoever read our output went away (`leasehold watch … | head`). */
export type Interrupt = "SIGINT" | "SIGTERM" | "SIGHUP" | "output-closed";

export interface CliIo {
  readonly stdout: Output;
  readonly stderr: Output;
  readonly stdin: AsyncIterable<Uint8Array>;
  /** Somebody sits there to be asked: standard input and standard error are both a terminal. */
  readonly canAsk: boolean;
  /**
   * The process's own standard input and output, to be spoken over. From then on whatever is written to `process.stdout`
   * by others, such as an agent's `console.log`, goes to standard error. Call once.
   */
  takeStdio(): { readonly input: Readable; readonly output: Writable };
  readonly env: Readonly<Record<string, string | undefined>>;
  /**
   * Adds the variables of a file (`NAME=value` lines) to `env`, as far as they are not set.
   * @throws Error as Node has it, such as `ENOENT`.
   */
  loadEnvFile(path: string): void;
  readonly cwd: string;
  readonly pid: number;
  readonly world: World;
  /** Whether a process with that id exists on this machine. */
  isAlive(pid: number): boolean;
  /**
   * Calls `listener` at each interrupt instead of ending the process; returns how to stop listening. While nobody
   * listens, a signal ends the process as usual; so does the second one while somebody does.
   */
  onInterrupt(listener: (interrupt: Interrupt) => void): () => void;
}
