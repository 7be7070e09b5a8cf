/**
 * Refusals in the shape that clients of the OpenAI API know: `{ error: { message, type, param, code } }`. Those about money
 * are what `translateUpstreamBudgetExhausted` takes for an exhausted budget; those about a moment's bounds are not.
 */
import type { ServerResponse } from "node:http";

export class GatewayError extends Error {
  override readonly name: string = "GatewayError";
  readonly status: number;
  readonly type: string;
  readonly code: string;
  /** The field of the request that is at fault. */
  readonly param: string | null;
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    status: number,
    code: string,
    message: string,
    {
      type = "invalid_request_error",
      param = null,
      headers = {},
    }: { type?: string; param?: string | null; headers?: Readonly<Record<string, string>> } = {},
  ) {
    super(message);
    this.status = status;
    this.type = type;
    this.code = code;
    this.param = param;
    this.headers = headers;
  }
}

/** A request that makes no sense, or says what the gateway cannot hold anybody to. */
export function invalidRequest(param: string | null, message: string): GatewayError {
  return new GatewayError(400, "invalid_request", message, { param });
}

/** 402, which clients do not try again: waiting does not bring money. */
export function insufficientQuota(message: string): GatewayError {
  return new GatewayError(402, "insufficient_quota", message, { type: "insufficient_quota" });
}

/** A moment's bound: the same request may be answered later. @param status 429 for one caller's own, 503 for all. */
export function tryLater(status: 429 | 503, code: string, message: string): GatewayError {
  const type = status === 429 ? "rate_limit_error" : "server_error";
  return new GatewayError(status, code, message, { type, headers: { "retry-after": "1" } });
}

/** Answers with JSON; to HEAD without a body. */
export function answerJson(
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): void {
  const text = `${JSON.stringify(body)}\n`;
  response.writeHead(status, {
    "content-type": "application/json",
    "content-length": String(Buffer.byteLength(text)),
    ...headers,
  });
  response.end(text);
}

/** Answers with a refusal, unless an answer has begun: that is cut off, so that nobody takes it for a whole one. */
export function answerError(response: ServerResponse, error: GatewayError): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const { status, message, type, param, code, headers } = error;
  answerJson(response, status, { error: { message, type, param, code } }, headers);
}
