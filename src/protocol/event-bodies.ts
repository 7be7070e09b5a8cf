/** The bodies of events, one schema per kind (§8.2), and the typed view of an event that a reader gets. */
import * as v from "valibot";
import { artifactRef } from "./artifact-ref.ts";
import type { EventKind } from "./event-kinds.ts";
import { amount, amountFromZero, count, flag, id, type JsonObject, jsonObject, maybe, object, text } from "./fields.ts";
import { effectiveConstraints, effectiveLease } from "./lease-fields.ts";
import { check, type Problem } from "./problem.ts";

const toolError = object({ code: id, message: text, retryable: maybe(flag), details: maybe(jsonObject) });

/** Fields of a body that a kind does not name are kept: a `status` carries what its phase needs. */
export const EVENT_BODIES = {
  log: object({ level: id, message: text }),
  thought: object({ text }),
  tool_call: object({ tool: id, args: v.optional(v.unknown()), call_id: id }),
  /** `result` or `error`; neither for a tool that returns nothing. */
  tool_result: v.pipe(
    object({ call_id: id, result: v.optional(v.unknown()), error: maybe(toolError) }),
    v.check(
      ({ result, error }) => error === undefined || result === undefined || result === null,
      "a result or an error, not both",
    ),
  ),
  status: object({ phase: id, message: maybe(text) }),
  metric: object({ name: id, value: amount, unit: maybe(text), dimensions: maybe(jsonObject) }),
  artifact_ref: artifactRef,
  /** The draft leaves this body open (§10); this is ours. */
  delegate: object({
    delegate_id: id,
    child_job_id: id,
    agent: text,
    input: v.optional(v.unknown()),
    lease: effectiveLease,
    lease_constraints: maybe(effectiveConstraints),
  }),
  /** §8.2.1; without `total` the end is not known. */
  progress: object({ current: amountFromZero, total: maybe(amountFromZero), units: maybe(text), message: maybe(text) }),
  /** §8.4 */
  result_chunk: object({
    result_id: id,
    /** From 0, without gaps within one `result_id`. */
    chunk_seq: count,
    data: text,
    encoding: v.picklist(["utf8", "base64"], "utf8 or base64"),
    more: flag,
  }),
} as const satisfies Record<EventKind, v.GenericSchema>;

export type EventBody<Kind extends EventKind> = v.InferOutput<(typeof EVENT_BODIES)[Kind]>;

interface EventFields {
  readonly ts?: string | undefined;
  /** The event's place in its job's own log, from 1. */
  readonly job_seq?: number | undefined;
}

interface KnownEvent<Kind extends EventKind> extends EventFields {
  readonly kind: Kind;
  readonly body: EventBody<Kind>;
}

export type VendorKind = `x-${string}`;

export interface VendorEvent extends EventFields {
  readonly kind: VendorKind;
  readonly body: JsonObject;
}

/** A kind of a later draft, or a body that is not what its kind promises. */
export interface UnknownEvent extends EventFields {
  readonly kind: "unknown";
  /** The kind as it was sent. */
  readonly name: string;
  readonly body: JsonObject;
}

/** An event as a reader sees it, told apart by `kind`. */
export type JobEvent = { [Kind in EventKind]: KnownEvent<Kind> }[EventKind] | VendorEvent | UnknownEvent;

/** The payload of a `job.event` message, decoded. */
interface EventPayload extends EventFields {
  readonly kind: string;
  readonly body: JsonObject;
}

function isEventKind(kind: string): kind is EventKind {
  return Object.hasOwn(EVENT_BODIES, kind);
}

/** Whether `kind` is a vendor's. Ours are `x-<vendor>.<name>`; a reader takes anything after `x-`. */
export function isVendorKind(kind: string): kind is VendorKind {
  return kind.startsWith("x-") && kind.length > 2;
}

/** The typed view of a decoded `job.event` payload. Total: what it does not recognise becomes an `UnknownEvent`. */
export function readEvent({ kind, ts, job_seq, body }: EventPayload): JobEvent {
  const fields = { ...(ts === undefined ? {} : { ts }), ...(job_seq === undefined ? {} : { job_seq }) };
  if (isVendorKind(kind)) return { kind, ...fields, body };
  if (isEventKind(kind)) {
    const checked = check(EVENT_BODIES[kind], body, "body");
    // The schema of this very kind has accepted the body; the union of kinds cannot say so.
    if (checked.ok) return { kind, ...fields, body: { ...body, ...checked.value } } as JobEvent;
  }
  return { kind: "unknown", name: kind, ...fields, body };
}

/** What is wrong with `body` as the body of a `kind` event; undefined when nothing is. */
export function findBodyProblem(kind: EventKind, body: unknown): Problem | undefined {
  const checked = check(EVENT_BODIES[kind], body, "body");
  return checked.ok ? undefined : checked.problem;
}
