/** A streamed result put together from its chunks (§8.4), and checked: order, gaps, end, size. Pure. */
import type { EventBody } from "../protocol/event-bodies.ts";
import { ResultError } from "./errors.ts";

export type ResultChunk = EventBody<"result_chunk">;

export class ResultAssembly {
  readonly #limit: number;
  #resultId: string | undefined;
  #chunks: ResultChunk[] = [];
  #length = 0;
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
      this.#forget();
    }
    if (this.#problem !== undefined) return;
    const expected = this.#chunks.length;
    if (chunk.chunk_seq !== expected) {
      this.#spoil(
        "RESULT_INCOMPLETE",
        `chunk ${expected} of result ${chunk.result_id} is missing: ${chunk.chunk_seq} came`,
      );
    } else if (this.#chunks.at(-1)?.more === false) {
      this.#spoil("RESULT_INCOMPLETE", `result ${chunk.result_id} went on after its last chunk`);
    } else if (this.#length + chunk.data.length > this.#limit) {
      this.#spoil(
        "RESULT_TOO_LARGE",
        `result ${chunk.result_id} is larger than maxResultLength, which is ${this.#limit}`,
      );
    } else {
      this.#length += chunk.data.length;
      this.#chunks.push(chunk);
    }
  }

  /** A chunk came that could not be read. */
  addUnreadable(): void {
    this.#spoil("RESULT_INCOMPLETE", "a chunk of the result could not be read");
  }

  /**
   * The whole result: text when every chunk is `utf8`, else bytes.
   * @param size in bytes, as the runtime reported it, if it did.
   * @throws ResultError RESULT_INCOMPLETE or RESULT_TOO_LARGE.
   */
  finish(resultId: string, size: number | undefined): string | Uint8Array {
    if (this.#problem !== undefined) throw this.#problem;
    if (resultId !== this.#resultId) throw incomplete(`result ${resultId} was announced, and none of its chunks came`);
    if (this.#chunks.at(-1)?.more !== false) throw incomplete(`the last chunk of result ${resultId} is missing`);

    const isText = this.#chunks.every(({ encoding }) => encoding === "utf8");
    const text = isText ? this.#chunks.map(({ data }) => data).join("") : undefined;
    const bytes = text === undefined ? concat(this.#chunks.map(decodeChunk)) : new TextEncoder().encode(text);
    if (size !== undefined && bytes.length !== size) {
      throw incomplete(`result ${resultId} has ${bytes.length} bytes, and ${size} were announced`);
    }
    return text ?? bytes;
  }

  #spoil(code: "RESULT_INCOMPLETE" | "RESULT_TOO_LARGE", message: string): void {
    this.#problem = new ResultError(code, message);
    this.#forget();
  }

  #forget(): void {
    this.#chunks = [];
    this.#length = 0;
  }
}

function incomplete(message: string): ResultError {
  return new ResultError("RESULT_INCOMPLETE", message);
}

function decodeChunk({ data, encoding, result_id, chunk_seq }: ResultChunk): Uint8Array {
  if (encoding === "utf8") return new TextEncoder().encode(data);
  let binary: string;
  try {
    binary = atob(data);
  } catch {
    throw incomplete(`chunk ${chunk_seq} of result ${result_id} is not base64`);
  }
  const bytes = new Uint8Array(binary.length);
  for (let index = 0; index < binary.length; index++) bytes[index] = binary.charCodeAt(index);
  return bytes;
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
