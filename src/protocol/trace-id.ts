/** Trace ids (§11): we emit 32 hex digits, and accept those or a whole W3C `traceparent`. */

const TRACE_ID = /^[0-9a-f]{32}$/i;
const TRACEPARENT = /^00-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}$/i;
/** W3C Trace Context gives ids of zeros only the meaning "invalid". */
const ZEROS = /^0+$/;

/** The trace id as 32 lowercase hex digits; undefined when `text` is neither a trace id nor a `traceparent`. */
export function parseTraceId(text: string): string | undefined {
  const traceparent = TRACEPARENT.exec(text);
  if (traceparent !== null && ZEROS.test(traceparent[2] as string)) return undefined;
  const traceId = traceparent === null ? text : (traceparent[1] as string);
  return TRACE_ID.test(traceId) && !ZEROS.test(traceId) ? traceId.toLowerCase() : undefined;
}
