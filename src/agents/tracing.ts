/**
 * What traces attempts and tool calls, when something does: `server/tracing` implements it. Where nothing does, the trace
 * context still goes along to whatever an agent calls (§11).
 */
import type { JobRecord } from "../kernel/job/job-record.ts";

export interface Tracing {
  /** Begins a span for one run of an agent; undefined while nobody wants any. */
  beginAttempt(job: JobRecord, attempt: number): ActiveSpan | undefined;
}

export interface ActiveSpan {
  /** This span as W3C `traceparent`. */
  readonly traceparent: string;
  /** Calls `work` under this span: spans that it begins, by whatever library, belong to this one. */
  run<Result>(work: () => Result): Result;
  beginToolCall(tool: string, callId: string): ActiveSpan;
  /** Idempotent: the first end stands. @param code of the error it failed with. */
  end(code?: string): void;
}

/** Sampled, since nobody said otherwise. */
const DEFAULT_FLAGS = "01";
const SPAN_ID_LENGTH = 16;

/**
 * The W3C `traceparent` of a job that nothing else traces: of the span that submitted it. Where only a trace was named, its
 * span id is a part of the trace id, so that all that comes of the job, in any process, names the same parent.
 */
export function traceparentOf({ traceId, traceParent }: Pick<JobRecord, "traceId" | "traceParent">): string {
  return `00-${traceId}-${traceParent ?? `${spanIdFrom(traceId)}-${DEFAULT_FLAGS}`}`;
}

/** A trace id has a digit that is not 0, and so one of its halves has. */
function spanIdFrom(traceId: string): string {
  const last = traceId.slice(SPAN_ID_LENGTH);
  return /[^0]/.test(last) ? last : traceId.slice(0, SPAN_ID_LENGTH);
}
