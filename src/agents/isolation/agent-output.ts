/** What an agent in a process of its own writes to its standard output and error: lines of the runtime's debug log, bounded. */
import type { Readable } from "node:stream";
import { StringDecoder } from "node:string_decoder";
import type { Log } from "../../platform/log.ts";

/** Longest line, in UTF-16 units; the rest of it is cut. */
const MAX_LINE_LENGTH = 4_096;
/** Lines kept of one run, both outputs together. What comes after is read and dropped. */
const MAX_LINES = 1_000;
/** Kept to tell how a process ended, in UTF-16 units. */
const TAIL_LENGTH = 8_192;

export class AgentOutput {
  readonly #log: Log;
  readonly #job: string;
  #lines = 0;
  #tail = "";

  constructor(log: Log, job: string) {
    this.#log = log;
    this.#job = job;
  }

  /** Reads to the end: an agent that writes much is not held up. */
  follow(stream: Readable, name: "stdout" | "stderr"): void {
    const decoder = new StringDecoder("utf8");
    let begun = "";
    stream.on("error", () => {});
    stream.on("data", (piece: Buffer) => {
      const text = decoder.write(piece);
      if (name === "stderr") this.#tail = (this.#tail + text).slice(-TAIL_LENGTH);
      if (this.#lines > MAX_LINES) return;
      const lines = (begun + text).split("\n");
      begun = (lines.pop() ?? "").slice(0, MAX_LINE_LENGTH);
      for (const line of lines) this.#write(line, name);
    });
    stream.on("end", () => {
      if (begun !== "") this.#write(begun, name);
    });
  }

  /** The end of its standard error. */
  get tail(): string {
    return this.#tail;
  }

  #write(line: string, stream: "stdout" | "stderr"): void {
    this.#lines++;
    if (this.#lines > MAX_LINES + 1) return;
    const fields = { job: this.#job, stream };
    if (this.#lines <= MAX_LINES) this.#log.debug(fields, `agent: ${line.slice(0, MAX_LINE_LENGTH)}`);
    else this.#log.debug(fields, `the agent wrote more than ${MAX_LINES} lines: the rest is dropped`);
  }
}
