/** A streamed result for one reader, chunk by chunk as it comes, checked at its end as the whole would be (§8.4). */
import { ResultError } from "./errors.ts";
import { handled } from "./handed-out.ts";
import { assertSize, chunkBytes, type ResultAssembly, type ResultChunk, type ResultPlace } from "./result-assembly.ts";

/** How the job ended, as far as its result goes. */
export interface ResultEnd {
  /** Undefined when the result came inline, as `value`. */
  readonly resultId: string | undefined;
  readonly size: number | undefined;
  readonly value: unknown;
}

export interface ResultSource {
  readonly assembly: ResultAssembly;
  /** Undefined while the job runs. @throws what the job, or following it, failed with. */
  end(): ResultEnd | undefined;
  /** Resolves once there may be more: a chunk, or the end. */
  changed(): Promise<void>;
}

type Part = string | Uint8Array;

export class ResultReader implements AsyncIterableIterator<Part> {
  readonly #source: ResultSource;
  readonly #place: ResultPlace;
  readonly #signal: AbortSignal | undefined;
  readonly #stopped = Promise.withResolvers<void>();
  readonly #abort = (): void => this.#stopped.resolve();
  /** Calls to `next` take turns. */
  #turn: Promise<unknown> = Promise.resolve();
  #bytes = 0;
  /** The last text ended in the first half of a character of two UTF-16 units. */
  #isSplit = false;
  #done = false;

  constructor(source: ResultSource, signal: AbortSignal | undefined) {
    this.#source = source;
    this.#place = source.assembly.open();
    this.#signal = signal;
    signal?.addEventListener("abort", this.#abort, { once: true });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<Part>> {
    const turn = this.#turn.then(() => this.#next());
    this.#turn = turn.catch(() => {});
    return handled(turn);
  }

  return(): Promise<IteratorResult<Part>> {
    this.#close();
    this.#stopped.resolve();
    return Promise.resolve({ done: true, value: undefined });
  }

  async #next(): Promise<IteratorResult<Part>> {
    try {
      for (;;) {
        this.#signal?.throwIfAborted();
        if (this.#done) return { done: true, value: undefined };
        const { assembly } = this.#source;
        const chunk = assembly.take(this.#place);
        if (chunk !== undefined) return { done: false, value: this.#read(chunk) };
        const end = this.#source.end();
        if (end !== undefined) return this.#end(end);
        await Promise.race([this.#source.changed(), this.#stopped.promise]);
      }
    } catch (error) {
      this.#close();
      throw error;
    }
  }

  #read(chunk: ResultChunk): Part {
    const bytes = chunkBytes(chunk);
    this.#bytes += bytes.length;
    if (chunk.encoding !== "utf8") return bytes;
    const { data } = chunk;
    // Halves counted by themselves make six bytes, and the character has four.
    if (this.#isSplit && isBetween(data.charCodeAt(0), 0xdc00, 0xdfff)) this.#bytes -= 2;
    if (data !== "") this.#isSplit = isBetween(data.charCodeAt(data.length - 1), 0xd800, 0xdbff);
    return data;
  }

  #end({ resultId, size, value }: ResultEnd): IteratorResult<Part> {
    this.#close();
    if (resultId !== undefined) {
      this.#source.assembly.assertEnded(resultId);
      assertSize(resultId, this.#bytes, size);
    } else if (typeof value === "string" || value instanceof Uint8Array) {
      return { done: false, value };
    } else {
      throw new ResultError("RESULT_NOT_STREAMED", "the job's result is a JSON value: result() gives it");
    }
    return { done: true, value: undefined };
  }

  #close(): void {
    this.#done = true;
    this.#source.assembly.close(this.#place);
    this.#signal?.removeEventListener("abort", this.#abort);
  }
}

function isBetween(unit: number, first: number, last: number): boolean {
  return unit >= first && unit <= last;
}
