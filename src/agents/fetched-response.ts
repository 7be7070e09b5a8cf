/** What `ctx.fetch` returns: a `Response` whose body stops with the job. */

/** What the constructor of `Response` cannot be told, or refuses although servers send it. */
export interface ResponseFacts {
  readonly url: string;
  readonly redirected: boolean;
  readonly status: number;
  readonly statusText: string;
  readonly type: ResponseType;
}

/** @param signal once it has aborted, nothing more of the body is handed out: reading rejects with its reason. */
export function guardedResponse(response: Response, redirected: boolean, signal: AbortSignal): Response {
  const { url, status, statusText, type, headers } = response;
  const body = response.body === null ? null : guardedBody(response.body, signal);
  return withFacts(new Response(body, { headers }), { url, redirected, status, statusText, type });
}

function withFacts(response: Response, facts: ResponseFacts): Response {
  const clone = (): Response => withFacts(Response.prototype.clone.call(response), facts);
  const told = { ...facts, ok: facts.status >= 200 && facts.status < 300, clone };
  for (const [name, value] of Object.entries(told))
    Object.defineProperty(response, name, { value, configurable: true });
  return response;
}

/**
 * Piece by piece, as they are asked for: what waits here would be handed out after a stop. The response's own body is taken
 * when the first is, since one that nobody reads gives its connection back when it is collected, unless it was taken.
 */
function guardedBody(body: ReadableStream<Uint8Array>, signal: AbortSignal): ReadableStream<Uint8Array> {
  let reader: ReadableStreamDefaultReader<Uint8Array> | undefined;
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        reader ??= body.getReader();
        try {
          const { done, value } = await reader.read();
          signal.throwIfAborted();
          if (done) controller.close();
          else controller.enqueue(value);
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
