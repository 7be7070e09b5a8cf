/** The envelope around every message (§5). Fields it does not know are ignored. */
import { isCount, isId, isJsonObject, type JsonObject } from "./fields.ts";
import { isMissing, mustBe, type Problem } from "./problem.ts";
import { findTraceContext, parseTraceContext, type TraceContext } from "./trace-id.ts";

/** What we send. Any `1.x` is accepted. */
export const ARCP_VERSION = "1.1";

const ACCEPTED_VERSION = /^1\.\d{1,9}$/;

export interface Envelope<Type extends string = string, Payload = JsonObject> {
  readonly arcp: string;
  readonly id: string;
  readonly type: Type;
  readonly session_id?: string | undefined;
  /** 32 lowercase hex digits. */
  readonly trace_id?: string | undefined;
  /**
   * Of what was read, the span that calls and its flags, such as `00f067aa0ba902b7-01`: from a `traceparent` in `trace_id`, or
   * among the headers that some clients send as `extensions`. Never sent.
   */
  readonly trace_parent?: string | undefined;
  readonly job_id?: string | undefined;
  /** The message's place in the session's stream, from 1. */
  readonly event_seq?: number | undefined;
  readonly payload: Payload;
}

/** An envelope whose message has a place in its session's stream (§8.1). */
export interface SequencedEnvelope<Type extends string = string, Payload = JsonObject> extends Envelope<Type, Payload> {
  readonly job_id: string;
  readonly event_seq: number;
}

type Mutable<Type> = { -readonly [Key in keyof Type]: Type[Key] };

/** Optional ids: `null` and the empty string stand for absent, as in languages whose strings have no null. */
function isAbsent(value: unknown): boolean {
  return value === undefined || value === null || value === "";
}

/**
 * Reads the envelope of `frame`. A missing payload is read as an empty one. The payload itself is not looked into.
 * @param strictTrace refuse a `trace_id` that is none, and look for the span that calls; otherwise it is left out.
 */
export function readEnvelope(frame: JsonObject, strictTrace: boolean): Envelope | Problem {
  const { arcp, id, type, session_id, trace_id, job_id, event_seq, payload } = frame;
  if (typeof arcp !== "string" || !ACCEPTED_VERSION.test(arcp))
    return mustBe("arcp", `"${ARCP_VERSION}", or another 1.x`);
  if (!isId(id)) return id === undefined ? isMissing("id") : mustBe("id", ID_PHRASE);
  if (typeof type !== "string") return type === undefined ? isMissing("type") : mustBe("type", "a string");

  const envelope: Mutable<Envelope> = { arcp, id, type, payload: {} };
  if (!isAbsent(session_id)) {
    if (!isId(session_id)) return mustBe("session_id", ID_PHRASE);
    envelope.session_id = session_id;
  }
  if (!isAbsent(job_id)) {
    if (!isId(job_id)) return mustBe("job_id", ID_PHRASE);
    envelope.job_id = job_id;
  }
  if (event_seq !== undefined && event_seq !== null) {
    if (!isCount(event_seq)) return mustBe("event_seq", "a whole number from 0");
    envelope.event_seq = event_seq;
  }
  if (payload !== undefined && payload !== null) {
    if (!isJsonObject(payload)) return mustBe("payload", "an object");
    envelope.payload = payload;
  }
  const named = typeof trace_id === "string" ? parseTraceContext(trace_id) : undefined;
  if (named === undefined && strictTrace && !isAbsent(trace_id))
    return mustBe("trace_id", "32 hex digits, or a traceparent");
  if (named !== undefined) envelope.trace_id = named.traceId;
  if (strictTrace) addParent(envelope, named, frame.extensions);
  return envelope;
}

/** The headers among the `extensions` of envelope or payload say what `trace_id` leaves open. */
function addParent(envelope: Mutable<Envelope>, named: TraceContext | undefined, extensions: unknown): void {
  const beside =
    named?.parent === undefined
      ? (findTraceContext(extensions) ?? findTraceContext(envelope.payload.extensions))
      : undefined;
  if (named === undefined && beside !== undefined) envelope.trace_id = beside.traceId;
  const parent = named?.parent ?? (beside?.traceId === envelope.trace_id ? beside?.parent : undefined);
  if (parent !== undefined) envelope.trace_parent = parent;
}

const ID_PHRASE = "a non-empty string of at most 256 characters";
