/** Runs the agent function once in this process, whatever host it stands on, and makes a job's return of what it returned. */
import type { AgentReturn, JobHost } from "../kernel/agents-port.ts";
import type { Ids } from "../platform/world.ts";
import { CodedError } from "../protocol/errors.ts";
import { type ContextOptions, createContext } from "./context.ts";
import type { AgentDefinition } from "./define-agent.ts";
import type { Outside } from "./emission.ts";
import { inlineReturn } from "./inline-return.ts";
import type { OpenResultStream } from "./result-stream.ts";
import { checkWithSchema } from "./schema-check.ts";
import { STREAM_BEGUN } from "./steps.ts";
import { runOwned } from "./stray-failures.ts";
import type { ActiveSpan } from "./tracing.ts";

export interface AgentRun {
  readonly definition: AgentDefinition;
  readonly host: JobHost;
  /** As the schema made it. */
  readonly input: unknown;
  readonly ids: Ids;
  /** Runs what the host does outside of the agent's async context. */
  readonly outside: Outside;
  readonly options: ContextOptions;
  readonly span?: ActiveSpan | undefined;
}

/** Rejects with whatever the agent threw, be it thrown, refused or a stray failure. */
export function runAgent({ definition, host, input, ids, outside, options, span }: AgentRun): Promise<AgentReturn> {
  const agent = `${definition.name}@${definition.version}`;
  return runOwned(host.job.id, async () => {
    const open = createContext(host, input, ids, outside, options, span);
    const returned = await definition.run(open.ctx, input);
    if (open.stream === undefined) assertNotStreamed(agent, host);
    return open.stream === undefined
      ? inlineReturn(agent, await checkOutput(definition, agent, returned))
      : streamedReturn(agent, open.stream, returned);
  });
}

function checkOutput({ output }: AgentDefinition, agent: string, returned: unknown): unknown {
  return output === undefined
    ? returned
    : checkWithSchema(output, returned, { field: "output", agent, code: "INTERNAL_ERROR" });
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
