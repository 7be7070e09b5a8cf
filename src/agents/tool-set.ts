/**
 * `ctx.tools`: a tool set of the AI SDK under the lease's `tool.call`. Each `execute` becomes an operation by the tool's
 * name in the set; everything else of a tool stays as it is, and a tool without one is the model's provider's to run.
 */
import { asks, type WhenDenied } from "./ask-people.ts";
import { invalid } from "./event-bodies.ts";
import { loggedResult } from "./logged-result.ts";
import type { Operate } from "./operation.ts";

/** A tool set of the AI SDK, by shape. */
export type ToolSetLike = Readonly<Record<string, object>>;

interface ExecuteOptions {
  readonly abortSignal?: AbortSignal | undefined;
}
type Execute = (input: unknown, options: ExecuteOptions) => unknown;

/** Async generators are told from other functions before they are called: both are wrapped in their own kind. */
const GENERATOR: object = Object.getPrototypeOf(async function* () {});

export function createTools(
  operate: Operate,
): <Tools extends ToolSetLike>(tools: Tools, whenDenied?: WhenDenied) => Tools {
  return <Tools extends ToolSetLike>(tools: Tools, whenDenied?: WhenDenied): Tools => {
    if (typeof tools !== "object" || tools === null || Array.isArray(tools)) {
      throw invalid("tools", "must be an object of tools by their names");
    }
    const asking: Operate = (request, start) => operate({ ...request, whenDenied }, start);
    const used = asks("tools", whenDenied) ? asking : operate;
    return Object.fromEntries(Object.entries(tools).map(([name, tool]) => [name, guard(used, name, tool)])) as Tools;
  };
}

function guard(operate: Operate, name: string, tool: object): object {
  if (typeof tool !== "object" || tool === null) throw invalid(`tools.${name}`, "must be a tool of the AI SDK");
  const { execute } = tool as { readonly execute?: unknown };
  if (execute === undefined) return tool;
  if (typeof execute !== "function") throw invalid(`tools.${name}.execute`, "must be a function");
  const run = execute.bind(tool) as Execute;
  const copy = Object.assign(Object.create(Object.getPrototypeOf(tool)), tool);
  const isGenerator = Object.getPrototypeOf(execute) === GENERATOR;
  return Object.assign(copy, { execute: isGenerator ? inPieces(operate, name, run) : whole(operate, name, run) });
}

/** For functions that return their output or a promise of it. Of one that returns a stream of outputs the last counts. */
function whole(operate: Operate, name: string, run: Execute): Execute {
  return (input, options) =>
    operate(requestOf(name, input), async ({ signal }) => {
      const output = await run(input, withSignal(options, signal));
      return isAsyncIterable(output) ? await lastOf(output) : output;
    });
}

/** For async generators: every output is handed on, and the last is the result on the log. */
function inPieces(operate: Operate, name: string, run: Execute): Execute {
  return async function* (input, options) {
    const begun = Promise.withResolvers<{ readonly outputs: AsyncIterable<unknown>; readonly signal: AbortSignal }>();
    const ended = Promise.withResolvers<unknown>();
    ended.promise.catch(ignore);
    const concluded = operate(requestOf(name, input), ({ signal }) => {
      begun.resolve({ outputs: run(input, withSignal(options, signal)) as AsyncIterable<unknown>, signal });
      return ended.promise;
    });
    concluded.catch(begun.reject);
    let last: unknown;
    try {
      const { outputs, signal } = await begun.promise;
      for await (const output of outputs) {
        signal.throwIfAborted();
        last = output;
        yield output;
      }
    } catch (error) {
      ended.reject(error);
      throw error;
    } finally {
      ended.resolve(last);
    }
    await concluded;
  };
}

function requestOf(name: string, args: unknown) {
  return { operations: [{ namespace: "tool.call", target: name }], tool: name, args, describe: loggedResult };
}

function withSignal(options: ExecuteOptions, signal: AbortSignal): ExecuteOptions {
  const { abortSignal } = options ?? {};
  return { ...options, abortSignal: abortSignal === undefined ? signal : AbortSignal.any([signal, abortSignal]) };
}

async function lastOf(outputs: AsyncIterable<unknown>): Promise<unknown> {
  let last: unknown;
  for await (const output of outputs) last = output;
  return last;
}

function isAsyncIterable(value: unknown): value is AsyncIterable<unknown> {
  return typeof value === "object" && value !== null && Symbol.asyncIterator in value;
}

const ignore = (): void => {};
