/**
 * A streamed result as its chunks come (§8.4): checked to be in order, and kept until it is put together or read chunk
 * by chunk. What readers have read is given up, unless somebody wants the whole.
 */
import type { EventBody } from "../protocol/event-bodies.ts";
import { ResultError, type ResultErrorCode } from "./errors.ts";

export type ResultChunk = EventBody<"result_chunk">;

/** A reader's place in the result. */
export interface ResultPlace {
  /** Which result it reads; undefined before its first chunk. */
  resultId: string | undefined;
  /** The `chunk_seq` it reads next. */
  next: number;
}

export class ResultAssembly {
  readonly #limit: number;
  readonly #readers = new Set<ResultPlace>();
  #resultId: string | undefined;
  /** Those that are kept, the first of them being chunk `#released`. */
  #chunks: ResultChunk[] = [];
  #released = 0;
  #length = 0;
  #isLastIn = false;
  /** Somebody waits for the whole of it. */
  #isWanted = false;
  /** The first thing that was wrong; told only to whoever asks for the result. */
  #problem: ResultError | undefined;

  /** @param limit most that is kept of one result, in UTF-16 units of chunk data. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** How much is kept, in the units of the limit. */
  get length(): number {
    return this.#length;
  }

  /** Takes the next chunk. A new `result_id` begins anew: the attempt that wrote the other one was lost. */
  add(chunk: ResultChunk): void {
    if (chunk.result_id !== this.#resultId) {
      this.#resultId = chunk.result_id;
      this.#problem = undefined;
      this.#isLastIn = false;
      this.#forget();
    }
    if (this.#problem !== undefined) return;
    const expected = this.#released + this.#chunks.length;
    if (chunk.chunk_seq !== expected) {
      this.#spoil(
        "RESULT_INCOMPLETE",
        `chunk ${expected} of result ${chunk.result_id} is missing: ${chunk.chunk_seq} came`,
      );
    } else if (this.#isLastIn) {
      this.#spoil("RESULT_INCOMPLETE", `result ${chunk.result_id} went on after its last chunk`);
    } else if (this.#length + chunk.data.length > this.#limit) {
      this.#spoil(
        "RESULT_TOO_LARGE",
        `more of result ${chunk.result_id} waits than maxResultLength, which is ${this.#limit}`,
      );
    } else {
      this.#length += chunk.data.length;
      this.#chunks.push(chunk);
      this.#isLastIn = !chunk.more;
    }
  }

  /** A chunk came that could not be read. */
  addUnreadable(): void {
    this.#spoil("RESULT_INCOMPLETE", "a chunk of the result could not be read");
  }

  /** From now on nothing is given up that `finish` needs. */
  keepWhole(): void {
    this.#isWanted = true;
  }

  /** A new reader, at the first chunk. It holds up what is given up until `close`. */
  open(): ResultPlace {
    const reader: ResultPlace = { resultId: undefined, next: 0 };
    this.#readers.add(reader);
    return reader;
  }

  close(reader: ResultPlace): void {
    this.#readers.delete(reader);
  }

  /**
   * The reader's next chunk, undefined when it has not come yet. The reader is past it then.
   * @throws ResultError RESULT_RESTARTED, RESULT_STREAMED when another reader has read it, or what was wrong.
   */
  take(reader: ResultPlace): ResultChunk | undefined {
    if (reader.next > 0 && reader.resultId !== this.#resultId) {
      const message = `result ${reader.resultId} was given up by the attempt that wrote it; ${this.#resultId} replaces it`;
      throw new ResultError("RESULT_RESTARTED", message);
    }
    if (this.#problem !== undefined) throw this.#problem;
    if (reader.next < this.#released) throw streamed(this.#resultId);
    const chunk = this.#chunks[reader.next - this.#released];
    if (chunk === undefined) return undefined;
    reader.resultId = this.#resultId;
    reader.next += 1;
    this.#release();
    return chunk;
  }

  /** Whether chunks came to an end, which is to be that of `resultId`. @throws ResultError RESULT_INCOMPLETE */
  assertEnded(resultId: string): void {
    if (this.#problem !== undefined) throw this.#problem;
    if (resultId !== this.#resultId) throw incomplete(`result ${resultId} was announced, and none of its chunks came`);
    if (!this.#isLastIn) throw incomplete(`the last chunk of result ${resultId} is missing`);
  }

  /**
   * The whole result: text when every chunk is `utf8`, else bytes.
   * @param size in bytes, as the runtime reported it, if it did.
   * @throws ResultError RESULT_INCOMPLETE, RESULT_TOO_LARGE or RESULT_STREAMED.
   */
  finish(resultId: string, size: number | undefined): string | Uint8Array {
    this.assertEnded(resultId);
    if (this.#released > 0) throw streamed(resultId);
    const isText = this.#chunks.every(({ encoding }) => encoding === "utf8");
    const text = isText ? this.#chunks.map(({ data }) => data).join("") : undefined;
    const bytes = text === undefined ? concat(this.#chunks.map(chunkBytes)) : new TextEncoder().encode(text);
    assertSize(resultId, bytes.length, size);
    return text ?? bytes;
  }

  /** Gives up what every reader has read. */
  #release(): void {
    if (this.#isWanted) return;
    let slowest = Number.POSITIVE_INFINITY;
    for (const { next, resultId } of this.#readers) {
      // One that reads a result given up since will read no more of this one.
      if (next === 0 || resultId === this.#resultId) slowest = Math.min(slowest, next);
    }
    const read = this.#chunks.splice(0, slowest - this.#released);
    this.#released += read.length;
    for (const { data } of read) this.#length -= data.length;
  }

  #spoil(code: ResultErrorCode, message: string): void {
    this.#problem = new ResultError(code, message);
    this.#forget();
  }

  #forget(): void {
    this.#chunks = [];
    this.#released = 0;
    this.#length = 0;
  }
}

/** @throws ResultError RESULT_INCOMPLETE when the runtime announced another size. */
export function assertSize(resultId: string, bytes: number, announced: number | undefined): void {
  if (announced === undefined || bytes === announced) return;
  throw incomplete(`result ${resultId} has ${bytes} bytes, and ${announced} were announced`);
}

/** @throws ResultError RESULT_INCOMPLETE for what is not base64. */
export function chunkBytes({ data, encoding }: ResultChunk): Uint8Array {
  return encoding === "utf8" ? new TextEncoder().encode(data) : decodeBase64(data);
}

/** @throws ResultError RESULT_INCOMPLETE */
export function decodeBase64(data: string): Uint8Array {
  let binary: string;
  try {
    binary = atob(data);
  } catch {
    throw incomplete("the result, or a chunk of it, is not the base64 it is said to be");
  }
  const bytes = new Uint8Array(binary.length);
  for (let index = 0; index < binary.length; index++) bytes[index] = binary.charCodeAt(index);
  return bytes;
}

function incomplete(message: string): ResultError {
  return new ResultError("RESULT_INCOMPLETE", message);
}

function streamed(resultId: string | undefined): ResultError {
  const message = `chunks of result ${resultId} were read by resultStream() and are not kept: call result() before it, or read one of them only`;
  return new ResultError("RESULT_STREAMED", message);
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.length;
  }
  return whole;
}
