/** `leasehold`: define agents and run them. Clients import `leasehold/client`. */

export type { AgentContext, Step, ToolCall } from "./agents/agent-context.ts";
export { AgentError, type AgentErrorOptions } from "./agents/agent-error.ts";
export { type AgentDefinition, type AgentSpec, defineAgent } from "./agents/define-agent.ts";
export type { LogLevel, Metric, Progress } from "./agents/event-bodies.ts";
export type { ResultEncoding, ResultStream, StreamedResult } from "./agents/result-stream.ts";
export type { StandardSchema } from "./agents/standard-schema.ts";
export type { Authenticator, Credentials } from "./identity/authenticator.ts";
export type { Lease } from "./kernel/authority/lease.ts";
export type { Store } from "./kernel/ports.ts";
export type { Principal, Role } from "./kernel/principal.ts";
export type { Log } from "./platform/log.ts";
export type { World } from "./platform/world.ts";
export type { ErrorCode } from "./protocol/errors.ts";
export type { Address, ListenOptions } from "./server/listener.ts";
export { createRuntime, type Runtime, type RuntimeOptions } from "./server/runtime.ts";
export type { Connection } from "./transports/connection.ts";
