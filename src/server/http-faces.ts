/** Plain HTTP on the one port: which face answers a request, and what is said when none does. */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Log } from "../platform/log.ts";
import { CodedError, type ErrorCode } from "../protocol/errors.ts";
import type { Peer } from "../transports/connection.ts";
import { type HostRules, refuseHost } from "../transports/host-check.ts";
import { ARCP_PATH } from "../transports/websocket.ts";

/** What answers the requests under one path. Handed only requests whose host and origin have been checked. */
export interface HttpFace {
  /** Such as `/api`: takes that path and all below it. `/` takes everything no earlier face took. */
  readonly prefix: string;
  /** Answers, now or later. Must not throw: if it does, the request is answered with 500. */
  handle(request: IncomingMessage, response: ServerResponse, peer: Peer): void;
}

function isUnder(prefix: string, path: string): boolean {
  return prefix === "/" || path === prefix || path.startsWith(`${prefix}/`);
}

/** The path of a request, without its query, as it was sent. */
export function pathOf({ url = "" }: IncomingMessage): string {
  return url.split("?", 1)[0] ?? "";
}

/** The first of `faces` that takes the request's path. */
export function findFace(faces: readonly HttpFace[], request: IncomingMessage): HttpFace | undefined {
  const path = pathOf(request);
  return path.startsWith("/") ? faces.find(({ prefix }) => isUnder(prefix, path)) : undefined;
}

/** One JSON object as the whole answer; to HEAD without its body. */
export function answerJson(
  request: IncomingMessage,
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): void {
  response.writeHead(status, { "content-type": "application/json", ...headers });
  response.end(request.method === "HEAD" ? undefined : `${JSON.stringify(body)}\n`);
}

/** A refusal, in the shape that every face has for it. */
function answerError(
  request: IncomingMessage,
  response: ServerResponse,
  status: number,
  code: ErrorCode,
  message: string,
): void {
  answerJson(request, response, status, { error: new CodedError(code, message).toBody() });
}

function explainNothing(path: string): string {
  return path === ARCP_PATH
    ? "this path takes WebSocket connections only"
    : `nothing is here; sessions are opened at ${ARCP_PATH}`;
}

/** Answers a request: 403 for a host or origin that is not ours, the face of its path, or 404. Throws nothing. */
export function answerHttp(
  faces: readonly HttpFace[],
  request: IncomingMessage,
  response: ServerResponse,
  { peer, rules, log }: { readonly peer: Peer; readonly rules: HostRules; readonly log: Log },
): void {
  const refusal = refuseHost(request.headers, request.socket.localAddress ?? "", rules);
  if (refusal !== undefined) return answerError(request, response, 403, "PERMISSION_DENIED", refusal);
  const face = findFace(faces, request);
  if (face === undefined) {
    return answerError(request, response, 404, "INVALID_REQUEST", explainNothing(pathOf(request)));
  }
  try {
    face.handle(request, response, peer);
  } catch (error) {
    log.error({ err: error, path: pathOf(request) }, "answering an HTTP request threw");
    if (response.headersSent) response.destroy();
    else answerError(request, response, 500, "INTERNAL_ERROR", "the runtime failed while answering");
  }
}
