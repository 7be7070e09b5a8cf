/** From what an agent's author defined to what the kernel runs. */
import { AsyncLocalStorage } from "node:async_hooks";
import type { RunnableAgent } from "../kernel/agents-port.ts";
import type { Ids } from "../platform/world.ts";
import { toJobFailure } from "./agent-error.ts";
import type { ContextOptions } from "./context.ts";
import type { AgentDefinition } from "./define-agent.ts";
import { keepSentInput, runIsolated } from "./isolation/isolated-agent.ts";
import { kernelNeeds } from "./needs.ts";
import { runAgent } from "./run-agent.ts";
import { checkWithSchema } from "./schema-check.ts";

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

  const runnable: RunnableAgent = {
    name: definition.name,
    version: definition.version,
    restart: definition.restart,
    ...(definition.maxConcurrent === undefined ? {} : { maxConcurrent: definition.maxConcurrent }),
    needs: kernelNeeds(definition.needs),
    parseInput(input) {
      if (inputSchema === undefined) return input;
      return checkWithSchema(inputSchema, input, { field: "input", agent, code: "INVALID_REQUEST" });
    },
    async run(host, input) {
      const span = options.tracing?.beginAttempt(host.job, host.attempt);
      const how = { definition, host, input, ids: world.ids, outside, options, span };
      const run = () => (definition.isolation === undefined ? runAgent(how) : runIsolated(how));
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
  return definition.isolation === undefined ? runnable : keepSentInput(runnable);
}
