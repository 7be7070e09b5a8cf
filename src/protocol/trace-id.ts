/**
 * Trace contexts (§11): we emit 32 hex digits, and accept those or a whole W3C `traceparent`, of which the calling span and
 * its flags are kept as well.
 */

export interface TraceContext {
  /** 32 lowercase hex digits. */
  readonly traceId: string;
  /** The span that calls, and its flags: 16 and 2 lowercase hex digits with a dash. Absent where only a trace was named. */
  readonly parent?: string;
}

const TRACE_ID = /^[0-9a-f]{32}$/i;
const TRACEPARENT = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/i;
/** W3C Trace Context gives ids of zeros only the meaning "invalid". */
const ZEROS = /^0+$/;
/** Under which the SDK for Go puts W3C headers into an envelope's `extensions`, and that for Java into a payload's. */
const HEADERS_EXTENSION = "x-vendor.opentelemetry.tracecontext";

/** The trace id as 32 lowercase hex digits; undefined when `text` is neither a trace id nor a `traceparent`. */
export function parseTraceId(text: string): string | undefined {
  return parseTraceContext(text)?.traceId;
}

/** What a trace id or a `traceparent` says; undefined when `text` is neither. */
export function parseTraceContext(text: string): TraceContext | undefined {
  if (TRACE_ID.test(text)) return ZEROS.test(text) ? undefined : { traceId: text.toLowerCase() };
  const [, traceId = "0", span = "0", flags = ""] = TRACEPARENT.exec(text) ?? [];
  if (ZEROS.test(traceId) || ZEROS.test(span)) return undefined;
  return { traceId: traceId.toLowerCase(), parent: `${span}-${flags}`.toLowerCase() };
}

/** The `traceparent` among the W3C headers in `extensions`, as some clients send it; undefined when there is none. */
export function findTraceContext(extensions: unknown): TraceContext | undefined {
  const headers = memberOf(extensions, HEADERS_EXTENSION);
  const traceparent = memberOf(headers, "traceparent");
  return typeof traceparent === "string" ? parseTraceContext(traceparent) : undefined;
}

function memberOf(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null ? (value as Readonly<Record<string, unknown>>)[name] : undefined;
}
