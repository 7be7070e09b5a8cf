/** A frame as it came from the runtime under test: looked at as it is, without the leniency of our own client. */
import { isJsonObject, type JsonObject } from "../protocol/fields.ts";

export interface Frame {
  readonly type: string;
  readonly payload: JsonObject;
  readonly session_id?: unknown;
  readonly job_id?: unknown;
  readonly trace_id?: unknown;
  readonly event_seq?: unknown;
  /** The whole envelope. */
  readonly envelope: JsonObject;
}

/** Undefined for what is no envelope at all: no JSON object, or one without a type. */
export function readFrame(data: unknown): Frame | undefined {
  if (typeof data !== "string") return undefined;
  let envelope: unknown;
  try {
    envelope = JSON.parse(data);
  } catch {
    return undefined;
  }
  if (!isJsonObject(envelope) || typeof envelope.type !== "string") return undefined;
  const { type, session_id, job_id, trace_id, event_seq } = envelope;
  const payload = isJsonObject(envelope.payload) ? envelope.payload : {};
  return { type, payload, session_id, job_id, trace_id, event_seq, envelope };
}

/** It has a place in a job's stream: an event or a terminal. A `job.error` without a place is a refusal. */
export function isPlaced(frame: Frame): boolean {
  return frame.type === "job.event" || isTerminal(frame);
}

export function isTerminal({ type, event_seq }: Frame): boolean {
  return type === "job.result" || (type === "job.error" && event_seq !== undefined && event_seq !== null);
}

/** The job a frame is about: in the envelope, or where some runtimes put it. */
export function jobOf({ job_id, payload }: Frame): string | undefined {
  const id = job_id ?? payload.job_id;
  return typeof id === "string" ? id : undefined;
}

/** The inline result, under either of its names in the field: the draft gives it none (§8.4). */
export function inlineResult({ payload }: Frame): unknown {
  return "result" in payload ? payload.result : payload.output;
}
