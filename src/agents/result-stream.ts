/** `ctx.streamResult`: a result given piece by piece as `result_chunk` events (§8.4). */
import { CodedError } from "../protocol/errors.ts";
import type { Emit } from "./emission.ts";
import { invalid } from "./event-bodies.ts";

export type ResultEncoding = "utf8" | "base64";

/** Largest streamed result, in bytes of data. Beyond it, writing fails with INTERNAL_ERROR (§14). */
export const MAX_STREAMED_BYTES = 268_435_456;
/** Where text is cut, in UTF-16 units: at most 192 KiB of data, and under a frame's limit however it is escaped. */
const TEXT_PER_CHUNK = 65_536;
/** Where bytes are cut: 64 KiB of base64. A multiple of 3, so that only a write's last piece is padded. */
const BYTES_PER_CHUNK = 49_152;

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
   * @throws CodedError INTERNAL_ERROR beyond 256 MiB; INVALID_REQUEST for bytes that are not UTF-8, or after `end`.
   */
  write(data: string | Uint8Array): Promise<void>;
  /** Sends the last chunk. `summary` goes with the job's result. A second call returns the same. */
  end(options?: { readonly summary?: string }): Promise<StreamedResult<Encoding>>;
}

/** The stream, and for `run`'s caller what became of it. */
export interface OpenResultStream<Encoding extends ResultEncoding = ResultEncoding> extends ResultStream<Encoding> {
  /** Undefined until the last chunk is on the log. */
  readonly ended: StreamedResult<Encoding> | undefined;
}

const ignore = (): void => {};

export function createResultStream<Encoding extends ResultEncoding>(
  resultId: string,
  encoding: Encoding,
  emit: Emit,
): OpenResultStream<Encoding> {
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  let nextChunk = 0;
  let size = 0;
  /** The first half of a surrogate pair whose second half comes with the next write. */
  let half = "";
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
    if (size + bytes > MAX_STREAMED_BYTES) {
      throw new CodedError(
        "INTERNAL_ERROR",
        `the streamed result is larger than ${MAX_STREAMED_BYTES} bytes: store it elsewhere and return where`,
        {
          details: { result_id: resultId, limit: MAX_STREAMED_BYTES },
        },
      );
    }
    size += bytes;
    const head = `{"result_id":"${resultId}","chunk_seq":${nextChunk++}`;
    return emit(
      "result_chunk",
      "result_chunk",
      () => `${head},"data":${JSON.stringify(data)},"encoding":"${encoding}","more":${more}}`,
    );
  }

  async function sendText(text: string): Promise<void> {
    for (let from = 0; from < text.length; ) {
      let to = Math.min(from + TEXT_PER_CHUNK, text.length);
      if (to < text.length && isHighSurrogate(text, to - 1)) to -= 1;
      // A lone surrogate is no character and has no UTF-8: it becomes U+FFFD here, and not somewhere on the way.
      const piece = text.slice(from, to).toWellFormed();
      await send(piece, Buffer.byteLength(piece), true);
      from = to;
    }
  }

  async function sendBytes(bytes: Uint8Array): Promise<void> {
    for (let from = 0; from < bytes.length; from += BYTES_PER_CHUNK) {
      const piece = bytes.subarray(from, from + BYTES_PER_CHUNK);
      await send(Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength).toString("base64"), piece.length, true);
    }
  }

  /** Text that is complete: a half pair at its end is kept for the next write. */
  function joinPairs(text: string): string {
    const whole = half + text;
    half = isHighSurrogate(whole, whole.length - 1) ? whole.slice(-1) : "";
    return half === "" ? whole : whole.slice(0, -1);
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
      await sendText(typeof data === "string" ? decode(undefined) + joinPairs(data) : takeHalf() + decode(data));
    } else if (typeof data === "string") {
      await sendBytes(Buffer.from(joinPairs(data)));
    } else {
      await sendBytes(Buffer.concat([Buffer.from(takeHalf()), data]));
    }
  }

  function takeHalf(): string {
    const rest = half;
    half = "";
    return rest;
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
      ending ??= inOrder(async () => {
        const rest = takeHalf();
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

function isHighSurrogate(text: string, index: number): boolean {
  const unit = text.charCodeAt(index);
  return unit >= 0xd800 && unit <= 0xdbff;
}
