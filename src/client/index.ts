/** `leasehold/client`: submit jobs to a runtime and follow them. Runs in a browser, in Node, and needs neither. */
export type { JsonObject } from "../protocol/fields.ts";
export type { EffectiveLease, LeaseRequest } from "../protocol/lease-fields.ts";
export type { AgentInput, AgentOutput, AgentReference } from "./agent-types.ts";
export { type ConnectOptions, connect } from "./connect.ts";
export {
  ClientError,
  ConnectionLostError,
  EventsLostError,
  JobError,
  RequestError,
  ResultError,
  SessionError,
  type SessionErrorCode,
} from "./errors.ts";
export type { Job, JobEvent, JobLimits, JobStatus, Waiting } from "./job-handle.ts";
export type { ReconnectPolicy } from "./reconnect.ts";
export type { AgentListing, Session, SubscribeOptions } from "./session.ts";
export type { JobFilter, JobListing, JobPage, SubmitOptions } from "./submission.ts";
export type { OpenWebSocket, WebSocketLike } from "./web-socket.ts";
