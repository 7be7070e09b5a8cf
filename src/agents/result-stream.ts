/** `ctx.streamResult`: a result given piece by piece as `result_chunk` events (§8.4). */
import { CodedError } from "../protocol/errors.ts";
import { cutBytes, cutText, Pairs } from "./characters.ts";
import type { Emit } from "./emission.ts";
import { invalid } from "./event-bodies.ts";

export type ResultEncoding = "utf8" | "base64";

/** `maxResultBytes`: largest streamed result, in bytes of data, unless configured otherwise (§14). */
export const MAX_STREAMED_BYTES = 268_435_456;
/**
 * Where text is cut, in UTF-16 units: at most 192 KiB of data. However it is escaped, a chunk's frame stays under 1 MiB,
 * so no write can exceed the size of a chunk (§14).
 */
const TEXT_PER_CHUNK = 65_536;
/** Where bytes are cut: 64 KiB of base64. A multiple of 3, so that only a write's last piece is padded. */
const BYTES_PER_CHUNK = 49_152;

/** Longest summary, in UTF-16 units: it goes out in one frame with the terminal. */
const MAX_SUMMARY_LENGTH = 65_536;

/** A streamed result that has been ended: what `run` may return. */
export interface StreamedResult<Encoding extends ResultEncoding = ResultEncoding> {
  readonly resultId: string;
  /** Bytes of data. */
  readonly size: number;
  readonly encoding: Encoding;
  readonly summary?: string;
}

export interface ResultStream<Encoding extends ResultEncoding = ResultEncoding> {
  readonly resultId: string;
  /**
   * Sends data at once, cut into events. Calls keep their order, awaited or not. A `utf8` stream takes bytes that are
   * UTF-8, a `base64` stream encodes text as UTF-8; characters may be split across writes. Bytes must not be changed
   * before the promise resolves.
   * @throws CodedError INTERNAL_ERROR beyond `maxResultBytes` (256 MiB), of which nothing remains to be done; INVALID_REQUEST
   * for bytes that are not UTF-8, or after `end`.
   */
  write(data: string | Uint8Array): Promise<void>;
  /**
   * Sends the last chunk. `summary`, of at most 65,536 characters, goes with the job's result.
   * @throws CodedError INVALID_REQUEST for another summary, or a result that is already finalised; whatever an earlier
   * write threw.
   */
  end(options?: { readonly summary?: string }): Promise<StreamedResult<Encoding>>;
}

/** The stream, and for `run`'s caller what became of it. */
export interface OpenResultStream<Encoding extends ResultEncoding = ResultEncoding> extends ResultStream<Encoding> {
  /** Undefined until the last chunk is on the log. */
  readonly ended: StreamedResult<Encoding> | undefined;
}

const ignore = (): void => {};

export interface ResultStreamParts {
  readonly emit: Emit;
  /** In bytes of data. */
  readonly maxBytes: number;
  /** Called right before the first chunk goes on the log. */
  begin(resultId: string): void;
}

export function createResultStream<Encoding extends ResultEncoding>(
  resultId: string,
  encoding: Encoding,
  { emit, maxBytes, begin }: ResultStreamParts,
): OpenResultStream<Encoding> {
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  let nextChunk = 0;
  let size = 0;
  const pairs = new Pairs();
  let ending: Promise<StreamedResult<Encoding>> | undefined;
  let ended: StreamedResult<Encoding> | undefined;
  /** The write under way, and those behind it. */
  let queue: Promise<unknown> = Promise.resolve();
  let broken: unknown;

  /** One after the other; after a failure nothing more, so that no result has a hole. */
  function inOrder<Result>(task: () => Promise<Result>): Promise<Result> {
    const done = queue.then(async () => {
      if (broken !== undefined) throw broken;
      return task();
    });
    queue = done.catch((error: unknown) => {
      broken ??= error;
    });
    return done;
  }

  function send(data: string, bytes: number, more: boolean): Promise<void> {
    if (size + bytes > maxBytes) {
      throw new CodedError(
        "INTERNAL_ERROR",
        `the streamed result has more than ${maxBytes} bytes (maxResultBytes): store it elsewhere and return where`,
        { retryable: false, details: { result_id: resultId, limit: "maxResultBytes", bytes: maxBytes } },
      );
    }
    if (nextChunk === 0) begin(resultId);
    size += bytes;
    const head = `{"result_id":"${resultId}","chunk_seq":${nextChunk++}`;
    return emit(
      "result_chunk",
      "result_chunk",
      () => `${head},"data":${JSON.stringify(data)},"encoding":"${encoding}","more":${more}}`,
    );
  }

  async function sendText(text: string): Promise<void> {
    for (const piece of cutText(text, TEXT_PER_CHUNK)) await send(piece, Buffer.byteLength(piece), true);
  }

  async function sendBytes(bytes: Uint8Array): Promise<void> {
    for (const piece of cutBytes(bytes, BYTES_PER_CHUNK)) {
      await send(Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength).toString("base64"), piece.length, true);
    }
  }

  function decode(bytes: Uint8Array | undefined): string {
    try {
      return bytes === undefined ? decoder.decode() : decoder.decode(bytes, { stream: true });
    } catch {
      throw invalid("streamResult.write", 'got bytes that are not UTF-8: use streamResult({ encoding: "base64" })');
    }
  }

  async function write(data: string | Uint8Array): Promise<void> {
    if (encoding === "utf8") {
      // Whatever was begun in the other form ends here: text cannot go on a character begun in bytes.
      await sendText(typeof data === "string" ? decode(undefined) + pairs.join(data) : pairs.takeHalf() + decode(data));
    } else if (typeof data === "string") {
      await sendBytes(Buffer.from(pairs.join(data)));
    } else {
      await sendBytes(Buffer.concat([Buffer.from(pairs.takeHalf()), data]));
    }
  }

  return {
    resultId,
    get ended() {
      return ended;
    },
    write(data) {
      if (ending !== undefined) return Promise.reject(invalid("streamResult.write", "was called after end()"));
      if (typeof data !== "string" && !(data instanceof Uint8Array)) {
        return Promise.reject(invalid("streamResult.write", `takes a string or a Uint8Array, not ${typeof data}`));
      }
      return inOrder(() => write(data));
    },
    end({ summary } = {}) {
      if (ending !== undefined) {
        return Promise.reject(
          invalid("streamResult.end", `was called before: result ${resultId} is already finalised`),
        );
      }
      if (summary !== undefined && (typeof summary !== "string" || summary.length > MAX_SUMMARY_LENGTH)) {
        const problem = `must be a string of at most ${MAX_SUMMARY_LENGTH} characters`;
        return Promise.reject(invalid("streamResult.end.summary", problem));
      }
      ending = inOrder(async () => {
        const rest = pairs.takeHalf();
        if (encoding === "utf8") await sendText(decode(undefined) + rest);
        else await sendBytes(Buffer.from(rest));
        await send("", 0, false);
        ended = Object.freeze({ resultId, size, encoding, ...(summary === undefined ? {} : { summary }) });
        return ended;
      });
      ending.catch(ignore);
      return ending;
    },
  };
}
