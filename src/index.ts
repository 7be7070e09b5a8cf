/** `leasehold`: define agents and run them. Clients import `leasehold/client`. */

export type { AgentContext } from "./agents/agent-context.ts";
export { AgentError } from "./agents/agent-error.ts";
export { type AgentDefinition, defineAgent } from "./agents/define-agent.ts";
export type { Address, ListenOptions } from "./server/listener.ts";
export { createRuntime, type Runtime, type RuntimeOptions } from "./server/runtime.ts";
