/** What `ctx.fetch` returns: a `Response` whose body stops with the job, and is taken whole up to a limit. */
import { CodedError } from "../protocol/errors.ts";

/** Longest body that `text()`, `json()` and their like take, in bytes, unpacked: it is held in memory. */
export const MAX_WHOLE_BODY_BYTES = 67_108_864;

const TAKE_WHOLE = ["arrayBuffer", "blob", "bytes", "formData", "json", "text"] as const;

/** What the constructor of `Response` cannot be told, or refuses although servers send it. */
export interface ResponseFacts {
  readonly url: string;
  readonly redirected: boolean;
  readonly status: number;
  readonly statusText: string;
  readonly type: ResponseType;
}

/** Of a response and its clones, which have one body between them. */
interface Reading {
  whole: boolean;
}

/** @param signal once it has aborted, nothing more of the body is handed out: reading rejects with its reason. */
export function guardedResponse(response: Response, redirected: boolean, signal: AbortSignal): Response {
  const { url, status, statusText, type, headers } = response;
  const reading: Reading = { whole: false };
  const body = response.body === null ? null : guardedBody(response.body, signal, reading);
  return withFacts(new Response(body, { headers }), { url, redirected, status, statusText, type }, reading);
}

function withFacts(response: Response, facts: ResponseFacts, reading: Reading): Response {
  const clone = (): Response => withFacts(Response.prototype.clone.call(response), facts, reading);
  const told = { ...facts, ok: facts.status >= 200 && facts.status < 300, clone };
  for (const [name, value] of Object.entries(told))
    Object.defineProperty(response, name, { value, configurable: true });
  for (const name of TAKE_WHOLE) {
    const value = (): Promise<unknown> => {
      reading.whole = true;
      return Response.prototype[name].call(response);
    };
    Object.defineProperty(response, name, { value, configurable: true });
  }
  return response;
}

/**
 * Piece by piece, as they are asked for: what waits here would be handed out after a stop. The response's own body is taken
 * when the first is, since one that nobody reads gives its connection back when it is collected, unless it was taken.
 */
function guardedBody(
  body: ReadableStream<Uint8Array>,
  signal: AbortSignal,
  reading: Reading,
): ReadableStream<Uint8Array> {
  let reader: ReadableStreamDefaultReader<Uint8Array> | undefined;
  let bytes = 0;
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        reader ??= body.getReader();
        try {
          const { done, value } = await reader.read();
          signal.throwIfAborted();
          if (done) return controller.close();
          bytes += value.length;
          if (reading.whole && bytes > MAX_WHOLE_BODY_BYTES) {
            const error = tooLong();
            reader.cancel(error).catch(() => {});
            throw error;
          }
          controller.enqueue(value);
        } catch (error) {
          if (!signal.aborted) throw error;
          reader.cancel(signal.reason).catch(() => {});
          throw signal.reason;
        }
      },
      cancel: (reason) => (reader ?? body).cancel(reason),
    },
    { highWaterMark: 0 },
  );
}

function tooLong(): CodedError {
  return new CodedError(
    "INVALID_REQUEST",
    `the answer has more than ${MAX_WHOLE_BODY_BYTES} bytes: read response.body piece by piece`,
    { details: { limit: MAX_WHOLE_BODY_BYTES } },
  );
}
