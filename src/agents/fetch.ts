/** `ctx.fetch`: the standard `fetch`, each hop of which is an operation under the lease's `net.fetch`. */
import { hash } from "node:crypto";
import { canonicalUrl } from "../kernel/authority/targets.ts";
import type { AgentContext } from "./agent-context.ts";
import { invalid } from "./event-bodies.ts";
import { guardedResponse } from "./fetched-response.ts";
import type { Operate, ToolCall } from "./operation.ts";
import { type Hop, locationOf, nextHop } from "./redirect.ts";

/** As many as browsers follow. */
export const MAX_REDIRECTS = 20;

const ignore = (): void => {};

export function createFetch(operate: Operate): AgentContext["fetch"] {
  return async (input, options = {}, whenDenied) => {
    // What was asked for is what is sent, whatever becomes of these objects while the record is written.
    const init = { ...options };
    // A Request can be made to say of itself what it is not; a copy of it is what would be fetched.
    const given = input instanceof Request ? new Request(input) : undefined;
    const redirect = init.redirect ?? given?.redirect ?? "follow";
    const aborts = init.signal ?? given?.signal;
    let hop: Hop = {
      url: given?.url ?? String(input),
      method: String(init.method ?? given?.method ?? "GET").toUpperCase(),
      headers: new Headers(init.headers ?? given?.headers),
      body: init.body ?? given?.body ?? null,
    };
    let from: string | undefined;

    for (let redirects = 0; ; redirects++) {
      const { url, method, headers, body } = hop;
      const target = canonicalUrl(url);
      const send = async (call: ToolCall) => {
        const signal = aborts == null ? call.signal : AbortSignal.any([call.signal, aborts]);
        const sent = new Headers(headers);
        // Who propagates traces by other means knows better which span this is.
        if (!sent.has("traceparent")) sent.set("traceparent", call.traceparent);
        // The request itself goes with the first hop: it can be used once, and knows more than is repeated here.
        const request =
          redirects === 0
            ? globalThis.fetch(given ?? url, { ...init, method, headers: sent, redirect: "manual", signal })
            : globalThis.fetch(url, { ...init, method, headers: sent, body, redirect: "manual", signal });
        try {
          return { response: await request, signal };
        } catch (error) {
          throw withReason(error, target);
        }
      };
      const { response, signal } = await operate(
        {
          operations: [{ namespace: "net.fetch", target, operation: method }],
          tool: "fetch",
          args: { method, url: target, ...(from !== undefined && { redirected_from: from }) },
          // The log tells neither query nor body, and a grant is for these alone.
          exact: () => ({ method, url: withoutFragment(url), body: bodyDigest(body) }),
          whenDenied,
          describe: (sent) => tell(sent.response, target),
        },
        send,
      );

      const location = locationOf(response);
      if (location === undefined || redirect === "manual") return guardedResponse(response, redirects > 0, signal);
      response.body?.cancel().catch(ignore);
      if (redirect === "error") throw new TypeError(`fetch failed: ${target} redirects, and init.redirect is "error"`);
      if (redirects === MAX_REDIRECTS) {
        throw new TypeError(`fetch failed: more than ${MAX_REDIRECTS} redirects, the last of them by ${target}`);
      }
      hop = nextHop(hop, response.status, location);
      from = target;
    }
  };
}

function withoutFragment(url: string): string {
  const parsed = new URL(url);
  parsed.hash = "";
  return parsed.href;
}

/** @throws CodedError INVALID_REQUEST for a body that can be read only once, by whoever sends it. */
function bodyDigest(body: BodyInit | null): string | null {
  if (body === null) return null;
  if (typeof body === "string" || body instanceof URLSearchParams) return hash("sha256", String(body), "hex");
  if (body instanceof ArrayBuffer) return hash("sha256", new Uint8Array(body), "hex");
  if (ArrayBuffer.isView(body)) {
    return hash("sha256", new Uint8Array(body.buffer, body.byteOffset, body.byteLength), "hex");
  }
  throw invalid("fetch.init.body", "must be text or bytes where people are asked: a grant is for one body");
}

/** Neither query nor body: both may hold what is not for everyone who may see the job. */
function tell({ status, headers }: Response, url: string): object {
  const length = headers.get("content-length") ?? "";
  return { status, url, ...(/^\d{1,15}$/.test(length) && { bytes: Number(length) }) };
}

/** Node's text is `fetch failed`, and why stands in the cause. */
function withReason(error: unknown, target: string): unknown {
  if (!(error instanceof TypeError) || !(error.cause instanceof Error)) return error;
  const { cause } = error;
  const reason = cause.message !== "" ? cause.message : "code" in cause ? String(cause.code) : cause.name;
  return new TypeError(`fetch of ${target} failed: ${reason}`, { cause });
}
