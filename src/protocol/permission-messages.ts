/**
 * Payloads of the messages by which people decide what a job asks for at run time: the vendor feature
 * `x-leasehold.permissions`, in the words that clients in the field have for it. A grant is a short lease of its own:
 * `lease_id` names it, `permission_id` the request.
 */
import * as v from "valibot";
import { amountFromZero, flag, id, maybe, object, position, text } from "./fields.ts";

/** Kind of the event by which a job's log tells of each of its permissions, as it is asked for and as it is decided. */
export const PERMISSION_EVENT = "x-leasehold.permission";

/** `pending` becomes `granted`, `denied`, `expired` or `withdrawn`; `granted` becomes `revoked` or `expired`. */
export const PERMISSION_STATES = ["pending", "granted", "denied", "expired", "withdrawn", "revoked"] as const;
const permissionState = v.picklist(PERMISSION_STATES, `one of ${PERMISSION_STATES.join(", ")}`);

/** What is asked for, and no more than that is granted: the namespace, what is touched, and what is done with it. */
const triple = { permission: id, resource: text, operation: text } as const;

/**
 * Sent to the sessions that may cancel the job. Has no place in their stream: it comes right before the event of the log
 * that tells of the request, and again wherever that event is sent again.
 */
export const request = object({
  permission_id: id,
  job_id: id,
  ...triple,
  reason: maybe(text),
  requested_lease_seconds: maybe(amountFromZero),
  /** When the request lapses if nobody decides. */
  expires_at: maybe(text),
});

/** What of the triple is named has to be what was asked for. */
export const grant = object({
  permission_id: id,
  permission: maybe(id),
  resource: maybe(text),
  operation: maybe(text),
  lease_seconds: maybe(position),
  reason: maybe(text),
});

export const granted = object({
  lease_id: id,
  permission_id: maybe(id),
  job_id: maybe(id),
  ...triple,
  expires_at: text,
  request_id: maybe(id),
});

export const deny = object({ permission_id: id, permission: maybe(id), reason: maybe(text) });

export const denied = object({
  permission_id: id,
  job_id: maybe(id),
  permission: maybe(id),
  reason: maybe(text),
  request_id: maybe(id),
});

export const refresh = object({ lease_id: id, additional_seconds: position });

export const extended = object({ lease_id: id, expires_at: text, job_id: maybe(id), request_id: maybe(id) });

export const revoke = object({ lease_id: id, reason: maybe(text) });

export const revoked = object({ lease_id: id, reason: maybe(text), job_id: maybe(id), request_id: maybe(id) });

const states = v.union(
  [
    v.array(permissionState),
    v.pipe(
      permissionState,
      v.transform((state) => [state]),
    ),
  ],
  "a list of states of permissions",
);

/** The newest that the caller may see; `limit` of them at most. */
export const list = object({ state: maybe(states), job_id: maybe(id), limit: maybe(position) });

const listing = object({
  permission_id: id,
  job_id: id,
  /** `name@version`. */
  agent: maybe(text),
  state: permissionState,
  ...triple,
  reason: maybe(text),
  /** Of the operation, as far as the agent told them: what is granted is granted for these. */
  args: v.optional(v.unknown()),
  requested_lease_seconds: maybe(amountFromZero),
  requested_at: text,
  lease_id: maybe(id),
  /** Of the request, and once it is granted of the grant. */
  expires_at: maybe(text),
  decided_at: maybe(text),
  /** As `tenant/id`; absent for a policy. */
  decided_by: maybe(text),
  decision_reason: maybe(text),
  /** Whose job it is, when it is another principal's. */
  principal: maybe(id),
});

export const listed = object({
  request_id: maybe(id),
  permissions: v.array(listing, "a list of permissions"),
  /** There are older ones. */
  more: v.optional(flag, false),
});

/** Of the body of a `PERMISSION_EVENT`, what tells whether somebody still has to decide. */
export const permissionEvent = object({ permission_id: id, state: permissionState });
