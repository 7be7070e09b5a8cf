/** Payloads of the `job.*` messages (§7, §8), as schemas. Types of the messages come from `registry.ts`. */
import * as v from "valibot";
import { artifactRef } from "./artifact-ref.ts";
import {
  count,
  counters,
  errorFields,
  flag,
  id,
  isId,
  jobStatus,
  jsonObject,
  maybe,
  object,
  position,
  text,
} from "./fields.ts";
import { effectiveConstraints, effectiveLease, leaseConstraints, leaseRequest } from "./lease-fields.ts";

/** Longest `max_runtime_sec`: some 31 years, within what dates and timers can express. */
export const MAX_RUNTIME_SEC = 1_000_000_000;

const AGENT_REFERENCE = /^[a-z0-9][a-z0-9._-]*(@[a-zA-Z0-9.+_-]+)?$/;

/** §7.5 */
const agentReference = v.custom<string>(
  (value) => isId(value) && AGENT_REFERENCE.test(value),
  "an agent's name, or name@version, in lower case",
);

const runtimeSeconds = v.custom<number>(
  (value) => typeof value === "number" && value > 0 && value <= MAX_RUNTIME_SEC,
  `a number of seconds above 0 and up to ${MAX_RUNTIME_SEC}`,
);

export const submit = object({
  agent: agentReference,
  input: v.optional(v.unknown()),
  lease_request: maybe(leaseRequest),
  lease_constraints: maybe(leaseConstraints),
  idempotency_key: maybe(id),
  max_runtime_sec: maybe(runtimeSeconds),
});

/** A secret, for the submitter only (§9.8). */
const credential = object({
  id,
  scheme: text,
  value: text,
  endpoint: text,
  profile: maybe(text),
  constraints: maybe(jsonObject),
});

/** What both `job.accepted` and `job.subscribed` say of a job: its bounds. */
const authorityFields = {
  job_id: id,
  agent: maybe(text),
  lease: v.optional(effectiveLease, {}),
  lease_constraints: maybe(effectiveConstraints),
  budget: maybe(counters),
  credentials: maybe(v.array(credential, "a list of credentials")),
  trace_id: maybe(text),
  parent_job_id: maybe(id),
  /** What the parent's log calls the delegation (§10). */
  delegate_id: maybe(id),
  request_id: maybe(id),
} as const;

export const accepted = object({ ...authorityFields, accepted_at: maybe(text) });

/** Bodies are checked where they are read (`readEvent`): a body that does not fit must not tear a hole in the stream. */
export const event = object({
  /** A kind of §8.2, or a vendor's. */
  kind: id,
  ts: maybe(text),
  /** The event's place in its job's own log. Runtimes of the draft alone do not send it. */
  job_seq: maybe(position),
  body: jsonObject,
});

/** What both terminals carry beside their outcome. */
const terminalFields = { job_id: maybe(id), job_seq: maybe(position), completed_at: maybe(text) } as const;

/**
 * Either `result`, inline, or `result_id` of a stream of chunks (§8.4). Without `result_chunk` a streamed result comes
 * as `result`, the text or base64 that `result_encoding` says it is, or as a link to it in `result_artifact`.
 */
export const result = object({
  ...terminalFields,
  final_status: v.literal("success", "success"),
  result: v.optional(v.unknown()),
  result_id: maybe(id),
  /** In bytes. */
  result_size: maybe(count),
  result_encoding: maybe(v.picklist(["utf8", "base64"], "utf8 or base64")),
  result_artifact: maybe(artifactRef),
  summary: maybe(text),
});

export const error = object({
  ...terminalFields,
  ...errorFields,
  final_status: v.optional(v.picklist(["error", "cancelled", "timed_out"], "error, cancelled or timed_out"), "error"),
  request_id: maybe(id),
});

export const cancel = object({ job_id: id, reason: maybe(text) });

/** `final_status` answers a repeat on a job that had ended. */
export const cancelled = object({
  job_id: id,
  reason: maybe(text),
  request_id: maybe(id),
  final_status: maybe(jobStatus),
});

export const subscribe = object({
  job_id: id,
  from_job_seq: maybe(count),
  /** The draft names `live` as the default. */
  from_event_seq: maybe(
    v.union(
      [
        count,
        v.pipe(
          v.literal("live"),
          v.transform(() => undefined),
        ),
      ],
      "a whole number from 0",
    ),
  ),
  history: v.optional(flag, false),
});

export const subscribed = object({
  ...authorityFields,
  current_status: jobStatus,
  subscribed_from: maybe(count),
  replayed: v.optional(flag, false),
});

export const unsubscribe = object({ job_id: id });
