/**
 * Every message of the protocol, one row each: which way it goes, what its payload is, which feature it belongs to.
 * A type without a row is not supported. The types of all messages are derived from here.
 */
import type * as v from "valibot";
import type { Envelope, SequencedEnvelope } from "./envelope.ts";
import type { Feature } from "./features.ts";
import * as job from "./job-messages.ts";
import * as permission from "./permission-messages.ts";
import * as session from "./session-messages.ts";

export type Direction = "to-runtime" | "to-client";

export interface MessageEntry {
  readonly direction: Direction | "both";
  /** Checks the payload, and brings the forms it tolerates into one. */
  readonly payload: v.GenericSchema;
  /** Neither side uses the message without it (§6.2). */
  readonly feature?: Feature;
  /** Other names for the same message. It is decoded under its own. */
  readonly aliases?: readonly string[];
  /** A field of the payload that may stand in the envelope instead. Where it stands in both, both say the same. */
  readonly adopts?: "session_id" | "job_id";
  /** It has a place in its session's stream: `job_id` and `event_seq` are required (§8.1). */
  readonly sequenced?: true;
}

export const MESSAGES = {
  "session.hello": { direction: "to-runtime", payload: session.hello, adopts: "session_id" },
  "session.welcome": { direction: "to-client", payload: session.welcome, adopts: "session_id" },
  "session.resume": { direction: "to-runtime", payload: session.resume, adopts: "session_id" },
  "session.error": { direction: "to-client", payload: session.error },
  "session.ping": { direction: "both", payload: session.ping, feature: "heartbeat" },
  "session.pong": { direction: "both", payload: session.pong, feature: "heartbeat" },
  "session.ack": { direction: "to-runtime", payload: session.ack, feature: "ack" },
  "session.close": { direction: "to-runtime", payload: session.close, aliases: ["session.bye"] },
  "session.closed": { direction: "to-client", payload: session.closed },
  "session.list_jobs": { direction: "to-runtime", payload: session.listJobs, feature: "list_jobs" },
  "session.jobs": { direction: "to-client", payload: session.jobs, feature: "list_jobs" },
  "job.submit": { direction: "to-runtime", payload: job.submit },
  "job.accepted": { direction: "to-client", payload: job.accepted, adopts: "job_id" },
  "job.event": { direction: "to-client", payload: job.event, sequenced: true },
  "job.result": { direction: "to-client", payload: job.result, sequenced: true },
  "job.error": { direction: "to-client", payload: job.error, sequenced: true },
  "job.cancel": { direction: "to-runtime", payload: job.cancel, adopts: "job_id" },
  "job.cancelled": { direction: "to-client", payload: job.cancelled, adopts: "job_id" },
  "job.subscribe": { direction: "to-runtime", payload: job.subscribe, feature: "subscribe", adopts: "job_id" },
  "job.subscribed": { direction: "to-client", payload: job.subscribed, feature: "subscribe", adopts: "job_id" },
  "job.unsubscribe": { direction: "to-runtime", payload: job.unsubscribe, feature: "subscribe", adopts: "job_id" },
  "session.list_permissions": { direction: "to-runtime", payload: permission.list, feature: "x-leasehold.permissions" },
  "session.permissions": { direction: "to-client", payload: permission.listed, feature: "x-leasehold.permissions" },
  "permission.request": {
    direction: "to-client",
    payload: permission.request,
    feature: "x-leasehold.permissions",
    adopts: "job_id",
  },
  "permission.grant": { direction: "to-runtime", payload: permission.grant, feature: "x-leasehold.permissions" },
  "lease.granted": { direction: "to-client", payload: permission.granted, feature: "x-leasehold.permissions" },
  "permission.deny": { direction: "to-runtime", payload: permission.deny, feature: "x-leasehold.permissions" },
  "permission.denied": { direction: "to-client", payload: permission.denied, feature: "x-leasehold.permissions" },
  "lease.refresh": { direction: "to-runtime", payload: permission.refresh, feature: "x-leasehold.permissions" },
  "lease.extended": { direction: "to-client", payload: permission.extended, feature: "x-leasehold.permissions" },
  "lease.revoke": { direction: "to-runtime", payload: permission.revoke, feature: "x-leasehold.permissions" },
  "lease.revoked": { direction: "to-client", payload: permission.revoked, feature: "x-leasehold.permissions" },
} as const satisfies Record<string, MessageEntry>;

type Rows = typeof MESSAGES;

export type MessageType = keyof Rows;

/** Types of the messages that go one way. */
type TypesToward<D extends Direction> = {
  [Type in MessageType]: Rows[Type]["direction"] extends D | "both" ? Type : never;
}[MessageType];

export type PayloadOf<Type extends MessageType> = v.InferOutput<Rows[Type]["payload"]>;

/** One message, or a union of several, decoded. */
export type MessageOf<Type extends MessageType> = Type extends MessageType
  ? Rows[Type] extends { readonly sequenced: true }
    ? SequencedEnvelope<Type, PayloadOf<Type>>
    : Envelope<Type, PayloadOf<Type>>
  : never;

/** Every message that goes this way, told apart by `type`. */
export type Message<D extends Direction = Direction> = MessageOf<TypesToward<D>>;

const BY_NAME: ReadonlyMap<string, { readonly type: MessageType; readonly entry: MessageEntry }> = new Map(
  (Object.entries(MESSAGES) as [MessageType, MessageEntry][]).flatMap(([type, entry]) =>
    [type, ...(entry.aliases ?? [])].map((name) => [name, { type, entry }] as const),
  ),
);

/** The row of the message called `name`, which may be an alias; undefined when there is none. */
export function findMessage(name: string): { readonly type: MessageType; readonly entry: MessageEntry } | undefined {
  return BY_NAME.get(name);
}
