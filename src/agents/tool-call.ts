/** `ctx.tool`: a function of the agent's own, run as an operation under the lease's `tool.call`. */
import type { AgentContext } from "./agent-context.ts";
import { invalid } from "./event-bodies.ts";
import type { Operate, ToolCall } from "./operation.ts";

export function createToolCall(operate: Operate): AgentContext["tool"] {
  return async <Result>(name: string, args: unknown, call: (call: ToolCall) => Result | Promise<Result>) => {
    if (typeof name !== "string" || name === "") throw invalid("tool.name", "must be a string that is not empty");
    if (typeof call !== "function") throw invalid("tool.call", "must be the function to run");
    return await operate({ operations: [{ namespace: "tool.call", target: name }], tool: name, args }, call);
  };
}
