/** `ctx.tool`: a function of the agent's own, run as an operation under the lease's `tool.call`. */
import type { AgentContext } from "./agent-context.ts";
import type { WhenDenied } from "./ask-people.ts";
import { invalid } from "./event-bodies.ts";
import type { Operate, ToolCall } from "./operation.ts";

export function createToolCall(operate: Operate): AgentContext["tool"] {
  return async <Result>(
    name: string,
    args: unknown,
    call: (call: ToolCall) => Result | Promise<Result>,
    whenDenied?: WhenDenied,
  ) => {
    if (typeof name !== "string" || name === "") throw invalid("tool.name", "must be a string that is not empty");
    if (typeof call !== "function") throw invalid("tool.call", "must be the function to run");
    const operations = [{ namespace: "tool.call", target: name }];
    return await operate({ operations, tool: name, args, whenDenied }, call);
  };
}
