/** `leasehold/client`: submit jobs to a runtime and follow them. Runs in a browser, in Node, and needs neither. */
export type { JsonObject } from "../protocol/fields.ts";
export type { EffectiveLease, LeaseRequest } from "../protocol/lease-fields.ts";
export type { AgentInput, AgentOutput, AgentReference } from "./agent-types.ts";
export { type ConnectOptions, connect } from "./connect.ts";
export {
  ClientError,
  ConnectionLostError,
  EventsLostError,
  FollowError,
  JobError,
  RequestError,
  ResultError,
  type ResultErrorCode,
  SessionError,
  type SessionErrorCode,
} from "./errors.ts";
export type { Job, JobEvent, JobLimits, JobStatus, ResultPart, Waiting } from "./job.ts";
export type { Credential } from "./job-bounds.ts";
export type { JobFilter, JobListing, JobListings, JobPage } from "./job-listings.ts";
export type { PermissionRequest } from "./permission-inbox.ts";
export type {
  DecisionOptions,
  Grant,
  GrantOptions,
  PermissionFilter,
  PermissionList,
  PermissionListing,
  PermissionState,
  Permissions,
} from "./permissions.ts";
export type { ReconnectPolicy } from "./reconnect.ts";
export type { AgentListing, Session, SubscribeOptions } from "./session.ts";
export type { SubmitOptions } from "./submission.ts";
export type { OpenWebSocket, WebSocketLike } from "./web-socket.ts";
