/** From what an agent's author defined to what the kernel runs. */
import { AsyncLocalStorage } from "node:async_hooks";
import type { AgentReturn, JobHost, RunnableAgent } from "../kernel/agents-port.ts";
import type { Ids } from "../platform/world.ts";
import { CodedError } from "../protocol/errors.ts";
import { toJobFailure } from "./agent-error.ts";
import { type ContextOptions, createContext } from "./context.ts";
import type { AgentDefinition } from "./define-agent.ts";
import { toJsonText } from "./json-text.ts";
import type { OpenResultStream } from "./result-stream.ts";
import { checkWithSchema } from "./schema-check.ts";
import { STREAM_BEGUN } from "./steps.ts";
import { runOwned } from "./stray-failures.ts";

/** Largest result given whole, in bytes of JSON: with its envelope about what one frame may hold. */
export const MAX_INLINE_RESULT_BYTES = 1_048_576;

/**
 * To be called outside any job: the async context of the call is the one in which the kernel is called from within.
 * The `run` of what it returns rejects with a `CodedError` only, be it thrown, refused or a stray failure.
 */
export function createRunnableAgent(
  definition: AgentDefinition,
  world: { readonly ids: Ids },
  options: ContextOptions = {},
): RunnableAgent {
  const outside = AsyncLocalStorage.snapshot();
  const agent = `${definition.name}@${definition.version}`;
  const { input: inputSchema } = definition;

  return {
    name: definition.name,
    version: definition.version,
    restart: definition.restart,
    ...(definition.maxConcurrent === undefined ? {} : { maxConcurrent: definition.maxConcurrent }),
    parseInput(input) {
      if (inputSchema === undefined) return input;
      return checkWithSchema(inputSchema, input, { field: "input", agent, code: "INVALID_REQUEST" });
    },
    async run(host, input) {
      const span = options.tracing?.beginAttempt(host.job, host.attempt);
      const run = () =>
        runOwned(host.job.id, async () => {
          const open = createContext(host, input, world.ids, outside, options, span);
          const returned = await definition.run(open.ctx, input);
          if (open.stream === undefined) assertNotStreamed(agent, host);
          return open.stream === undefined
            ? inlineReturn(agent, await checkOutput(definition, agent, returned))
            : streamedReturn(agent, open.stream, returned);
        });
      try {
        if (span === undefined) return await run();
        // An agent that is stopped may go on for as long as it likes: its attempt is over.
        host.signal.addEventListener("abort", () => span.end(toJobFailure(host.signal.reason).code), { once: true });
        const returned = await span.run(run);
        span.end();
        return returned;
      } catch (error) {
        const failure = toJobFailure(error);
        span?.end(failure.code);
        throw failure;
      }
    },
  };
}

function checkOutput({ output }: AgentDefinition, agent: string, returned: unknown): unknown {
  return output === undefined
    ? returned
    : checkWithSchema(output, returned, { field: "output", agent, code: "INTERNAL_ERROR" });
}

function inlineReturn(agent: string, value: unknown): AgentReturn {
  const result = toJsonText(value, `the result of ${agent}`, "INTERNAL_ERROR");
  if (result === undefined) return {};
  // No text has more bytes than three for each of its units: the count is needed only close to the limit.
  if (result.length * 3 > MAX_INLINE_RESULT_BYTES) {
    const bytes = Buffer.byteLength(result);
    if (bytes > MAX_INLINE_RESULT_BYTES) {
      throw new CodedError(
        "INTERNAL_ERROR",
        `the result of ${agent} has ${bytes} bytes, and at most ${MAX_INLINE_RESULT_BYTES} can be returned whole: use ctx.streamResult()`,
        { details: { bytes, limit: MAX_INLINE_RESULT_BYTES } },
      );
    }
  }
  return { result };
}

/** Chunks of an earlier attempt are on the log, and a job that emitted a chunk has no inline result (§8.4). */
function assertNotStreamed(agent: string, { steps, attempt }: JobHost): void {
  if (!steps.has(STREAM_BEGUN)) return;
  throw new CodedError(
    "INTERNAL_ERROR",
    `${agent} streamed its result in an earlier attempt, and returned it whole in attempt ${attempt}: stream it in every attempt`,
    { retryable: false },
  );
}

/** A result is whole or streamed, never both (§8.4). */
function streamedReturn(agent: string, { ended }: OpenResultStream, returned: unknown): AgentReturn {
  if (ended === undefined) {
    throw new CodedError("INTERNAL_ERROR", `${agent} returned without ending its result: await stream.end() first`);
  }
  if (returned !== undefined && returned !== ended) {
    throw new CodedError(
      "INTERNAL_ERROR",
      `${agent} streamed its result and returned another: return what stream.end() gave, or nothing`,
    );
  }
  const { resultId, size, summary } = ended;
  return { stream: { resultId, size }, ...(summary === undefined ? {} : { summary }) };
}
