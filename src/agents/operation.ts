/**
 * Every guarded thing an agent does is an operation (§9.3): asked of the guard, durable on the log before it starts, asked
 * again in the very turn that starts it, and concluded on the log. A side effect is never ahead of its record, nor behind
 * a stop. A refusal is on the log with what was asked for, so that it can be understood, and is thrown.
 */
import type { JobHost } from "../kernel/agents-port.ts";
import type { Guard, Operation } from "../kernel/authority/guard.ts";
import type { Grant, PermissionAsk } from "../kernel/authority/permission-ask.ts";
import { digestOf } from "../kernel/job/digest.ts";
import type { Ids } from "../platform/world.ts";
import { toJobFailure } from "./agent-error.ts";
import { askForDenied, asks, type WhenDenied } from "./ask-people.ts";
import type { Emit } from "./emission.ts";
import { toJsonText } from "./json-text.ts";
import { type ActiveSpan, traceparentOf } from "./tracing.ts";

/** What starts an operation is handed, such as the function under `ctx.tool`. */
export interface ToolCall {
  readonly callId: string;
  /** Aborts when the job is stopped. */
  readonly signal: AbortSignal;
  /** W3C `traceparent` of this call, to be sent along to whatever it asks (§11). */
  readonly traceparent: string;
}

export interface OperationRequest<Result> {
  /** What the guard is asked, in this order; all of it must be allowed. */
  readonly operations: readonly Operation[];
  /** What the operation is called on the log. */
  readonly tool: string;
  /** Goes on the log; any JSON. */
  readonly args: unknown;
  /**
   * What the log tells of the result; any JSON. Default: the result itself. An `Error` goes on the log as a failure that
   * the caller learns of by the result. A promise is for what is known later: the caller has its result at once, and the
   * log its entry when the promise settles.
   */
  describe?(result: Result): unknown;
  /** What the log tells of an error that `start` threw, or that `describe` came to. Default: the error itself. Never throws. */
  describeError?(error: unknown): unknown;
  /** What a grant is bound to where `args` do not tell all; asked for only where it matters. Default: `args`. */
  exact?(): unknown;
  /** What becomes of it where the lease does not cover it. */
  readonly whenDenied?: WhenDenied | undefined;
  /** Rewords a refusal before anyone hears of it: one that names what the agent may not learn. */
  reword?(refusal: unknown): unknown;
}

/**
 * Runs `start` as an operation, and returns what it returned.
 * @throws CodedError LEASE_EXPIRED, BUDGET_EXHAUSTED or PERMISSION_DENIED, and `start` was not called; the job's stop
 * reason after a stop, also when `start` had begun; INVALID_REQUEST for what JSON cannot hold; whatever `start` threw.
 */
export type Operate = <Result>(
  request: OperationRequest<Result>,
  start: (call: ToolCall) => Result | Promise<Result>,
) => Promise<Result>;

export interface OperationParts {
  /** Its guard throws the stop reason once the job is stopped. */
  readonly host: JobHost;
  readonly emit: Emit;
  readonly ids: Ids;
  flush(): Promise<void>;
  /** See `JobHost.requestPermission`. Default: the host's own. */
  requestPermission?(ask: PermissionAsk): Promise<Grant>;
  signal(): AbortSignal;
  /** Of the attempt, where it is traced. */
  readonly span: ActiveSpan | undefined;
}

const ignore = (): void => {};

export function createOperate(parts: OperationParts): Operate {
  const { host, emit, ids, flush, signal, span: attempt } = parts;
  return async <Result>(
    request: OperationRequest<Result>,
    start: (call: ToolCall) => Result | Promise<Result>,
  ): Promise<Result> => {
    const { tool, whenDenied } = request;
    const argsText = toJsonText(request.args, `the arguments of tool ${tool}`, "INVALID_REQUEST") ?? "null";
    const mayAsk = asks(tool, whenDenied);
    // Each time it is asked for: what is started is what it says in that very turn.
    const digest = (): string => {
      const exact = request.exact === undefined ? argsText : toJsonText(request.exact(), tool, "INVALID_REQUEST");
      return digestOf(JSON.parse(exact ?? "null"));
    };
    const operations = request.operations.map((operation) => ({ ...operation, digest }));
    const callId = ids.next("call");
    const announce = () =>
      emit("tool_call", "tool_call", () => `{"tool":${JSON.stringify(tool)},"args":${argsText},"call_id":"${callId}"}`);
    const conclude = (outcome: string) =>
      emit("tool_result", "tool_result", () => `{"call_id":"${callId}",${outcome}}`);
    const fail = (error: unknown) => conclude(`"error":${JSON.stringify(toJobFailure(error).toBody())}`);
    const failed = (error: unknown) => fail(request.describeError === undefined ? error : request.describeError(error));
    const tell = (told: unknown) =>
      told instanceof Error
        ? fail(told)
        : conclude(`"result":${toJsonText(told, `the result of tool ${tool}`, "INVALID_REQUEST") ?? "null"}`);
    const refuse = async (refusal: unknown): Promise<never> => {
      const told = request.reword === undefined ? refusal : request.reword(refusal);
      await fail(told);
      throw told;
    };

    try {
      if (whenDenied !== undefined && mayAsk) {
        const asking = {
          check: (operation: Operation) => host.guard.check(operation),
          request: (wanted: PermissionAsk) => (parts.requestPermission ?? host.requestPermission)(wanted),
        };
        await askForDenied(asking, operations, JSON.parse(argsText), whenDenied);
      }
      const asked = ask(host.guard, operations);
      if (asked !== undefined) await asked;
    } catch (refusal) {
      await announce();
      return await refuse(refusal);
    }
    await announce();
    await flush();

    try {
      const asked = ask(host.guard, operations);
      if (asked !== undefined) await asked;
    } catch (refusal) {
      return await refuse(refusal);
    }
    let result: Result;
    const span = attempt?.beginToolCall(tool, callId);
    try {
      const traceparent = span?.traceparent ?? traceparentOf(host.job);
      const begin = () => start({ callId, signal: signal(), traceparent });
      result = await (span === undefined ? begin() : span.run(begin));
    } catch (error) {
      span?.end(toJobFailure(error).code);
      await failed(error);
      throw error;
    }
    try {
      const told = request.describe === undefined ? result : request.describe(result);
      if (told instanceof Promise) {
        told.then(tell, failed).catch(fail).catch(ignore);
        void told.then(ignore, ignore).then(() => span?.end());
      } else {
        span?.end(told instanceof Error ? toJobFailure(told).code : undefined);
        await tell(told);
      }
    } catch (error) {
      // Not JSON, or longer than an event may be: the call still gets its one result on the log.
      span?.end(toJobFailure(error).code);
      await fail(error);
      throw error;
    }
    return result;
  };
}

/** In this process the answer is there at once, and what is asked about starts in the same turn. */
function ask(guard: Guard, operations: readonly Operation[], from = 0): undefined | Promise<void> {
  for (let index = from; index < operations.length; index++) {
    const asked = guard.check(operations[index] as Operation);
    if (asked !== undefined) return asked.then(() => ask(guard, operations, index + 1));
  }
  return undefined;
}
