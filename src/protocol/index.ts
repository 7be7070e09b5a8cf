/** `leasehold/protocol`: ARCP 1.1 on the wire. Pure, and runs in a browser. */
export { type Decoded, decode, encode, MAX_NESTING, type Refused } from "./codec.ts";
export { ARCP_VERSION, type Envelope, type SequencedEnvelope } from "./envelope.ts";
export { CodedError, ERRORS, type ErrorBody, type ErrorCode, isErrorCode } from "./errors.ts";
export {
  type EventBody,
  findBodyProblem,
  isVendorKind,
  type JobEvent,
  readEvent,
  type UnknownEvent,
  type VendorEvent,
  type VendorKind,
} from "./event-bodies.ts";
export type { EventKind } from "./event-kinds.ts";
export { FEATURES, type Feature, intersectFeatures } from "./features.ts";
export { JOB_STATUSES, type JsonObject, MAX_ID_LENGTH, type WireJobStatus } from "./fields.ts";
export { CLOSE, MAX_FRAME_BYTES } from "./framing.ts";
export { MAX_RUNTIME_SEC } from "./job-messages.ts";
export {
  type EffectiveLease,
  LEASE_NAMESPACES,
  type LeaseConstraints,
  type LeaseNamespace,
  type LeaseRequest,
} from "./lease-fields.ts";
export type { Problem } from "./problem.ts";
export {
  type Direction,
  MESSAGES,
  type Message,
  type MessageEntry,
  type MessageOf,
  type MessageType,
  type PayloadOf,
} from "./registry.ts";
export type { ResumePoint } from "./session-messages.ts";
export { parseTraceId } from "./trace-id.ts";
