/**
 * `ctx.tool`: an operation under the lease (§9.3). Its record is durable before it starts, and the guard is asked in
 * the very turn that starts it: a side effect is never ahead of its record, nor behind a stop.
 */
import type { JobHost } from "../kernel/agents-port.ts";
import type { Ids } from "../platform/world.ts";
import type { AgentContext, ToolCall } from "./agent-context.ts";
import { toJobFailure } from "./agent-error.ts";
import type { Emit } from "./emission.ts";
import { invalid } from "./event-bodies.ts";
import { toJsonText } from "./json-text.ts";
import { type ActiveSpan, traceparentOf } from "./tracing.ts";

export interface ToolCallParts {
  readonly host: JobHost;
  readonly emit: Emit;
  readonly ids: Ids;
  flush(): Promise<void>;
  signal(): AbortSignal;
  /** Of the attempt, where it is traced. */
  readonly span: ActiveSpan | undefined;
}

export function createToolCall({ host, emit, ids, flush, signal, span: attempt }: ToolCallParts): AgentContext["tool"] {
  return async <Result>(name: string, args: unknown, call: (call: ToolCall) => Result | Promise<Result>) => {
    if (typeof name !== "string" || name === "") throw invalid("tool.name", "must be a string that is not empty");
    if (typeof call !== "function") throw invalid("tool.call", "must be the function to run");
    const argsText = toJsonText(args, `the arguments of tool ${name}`, "INVALID_REQUEST") ?? "null";
    const operation = { namespace: "tool.call", target: name };
    const callId = ids.next("call");
    const tool = JSON.stringify(name);
    const announce = () =>
      emit("tool_call", "tool_call", () => `{"tool":${tool},"args":${argsText},"call_id":"${callId}"}`);
    const conclude = (outcome: string) =>
      emit("tool_result", "tool_result", () => `{"call_id":"${callId}",${outcome}}`);
    const fail = (error: unknown) => conclude(`"error":${JSON.stringify(toJobFailure(error).toBody())}`);

    try {
      host.guard.check(operation);
    } catch (refusal) {
      // A call that is refused is on the log with what was asked for, so that its result can be understood.
      await announce();
      await fail(refusal);
      throw refusal;
    }
    await announce();
    await flush();

    let result: Result;
    const span = attempt?.beginToolCall(name, callId);
    try {
      host.signal.throwIfAborted();
      host.guard.check(operation);
      const traceparent = span?.traceparent ?? traceparentOf(host.job);
      const start = () => call({ callId, signal: signal(), traceparent });
      result = await (span === undefined ? start() : span.run(start));
      span?.end();
    } catch (error) {
      span?.end(toJobFailure(error).code);
      await fail(error);
      throw error;
    }
    try {
      const resultText = toJsonText(result, `the result of tool ${name}`, "INVALID_REQUEST") ?? "null";
      await conclude(`"result":${resultText}`);
    } catch (error) {
      // Not JSON, or longer than an event may be: the call still gets its one result on the log.
      await fail(error);
      throw error;
    }
    return result;
  };
}
