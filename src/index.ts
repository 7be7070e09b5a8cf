/** `leasehold`: define agents and run them. Clients import `leasehold/client`. */

export type { AgentContext, Step, ToolCall } from "./agents/agent-context.ts";
export { AgentError, type AgentErrorOptions } from "./agents/agent-error.ts";
export type { ArtifactData, ArtifactRef, ArtifactSource } from "./agents/artifacts.ts";
export { type AgentDefinition, type AgentSpec, defineAgent } from "./agents/define-agent.ts";
export type { LogLevel, Metric, Progress } from "./agents/event-bodies.ts";
export type { ResultEncoding, ResultStream, StreamedResult } from "./agents/result-stream.ts";
export type { StandardSchema } from "./agents/standard-schema.ts";
export type { Authenticator, Credentials } from "./identity/authenticator.ts";
export type { JwtOptions } from "./identity/jwt.ts";
export type { ClaimNames } from "./identity/jwt-claims.ts";
export type { ObservePolicy } from "./identity/visibility.ts";
export type { Lease } from "./kernel/authority/lease.ts";
export type { JobLimits } from "./kernel/job/limits.ts";
export type { RetentionLimits } from "./kernel/job/retention.ts";
export type { Artifacts, Store } from "./kernel/ports.ts";
export type { Principal, Role } from "./kernel/principal.ts";
export type { Log } from "./platform/log.ts";
export type { World } from "./platform/world.ts";
export type { ErrorCode } from "./protocol/errors.ts";
export type { Attachment, AttachOptions } from "./server/attach.ts";
export { type ConnectChildOptions, connectChild } from "./server/connect-child.ts";
export type { Address, ListenOptions } from "./server/listener.ts";
export { createRuntime, type Runtime } from "./server/runtime.ts";
export type { ContentLimits, RuntimeOptions } from "./server/runtime-options.ts";
export type { StdioServing, StdioStreams } from "./server/stdio-serving.ts";
export type { SessionLimits } from "./sessions/limits.ts";
export type { Connection } from "./transports/connection.ts";
