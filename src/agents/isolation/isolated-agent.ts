/** An isolated agent as the kernel runs it: like any other, but what a client sent goes to its process as it was sent. */
import type { AgentReturn, RunnableAgent } from "../../kernel/agents-port.ts";
import { CodedError } from "../../protocol/errors.ts";
import { createContext } from "../context.ts";
import { inlineReturn } from "../inline-return.ts";
import { MAX_STREAMED_BYTES } from "../result-stream.ts";
import type { AgentRun } from "../run-agent.ts";
import { checkWithSchema } from "../schema-check.ts";
import { createFileCalls } from "./file-calls.ts";

/** What a client sent, and what the agent's schema made of it. The process has a schema of its own to make the same of it. */
class CheckedInput {
  readonly sent: unknown;
  readonly parsed: unknown;

  constructor(sent: unknown, parsed: unknown) {
    this.sent = sent;
    this.parsed = parsed;
  }
}

/** @param agent the agent as it would run in this process, but for `run`. */
export function keepSentInput(agent: RunnableAgent): RunnableAgent {
  const { needs } = agent;
  return {
    ...agent,
    parseInput(sent) {
      const parsed = agent.parseInput(sent);
      return parsed instanceof Promise
        ? parsed.then((value) => new CheckedInput(sent, value))
        : new CheckedInput(sent, parsed);
    },
    ...(needs === undefined
      ? {}
      : {
          needs: needs.map((need) => ({
            ...need,
            suggest: (input: unknown) => need.suggest(input instanceof CheckedInput ? input.parsed : input),
          })),
        }),
  };
}

/** Runs the agent once, in a process of its own; see `runAgent`. */
export async function runIsolated({
  definition,
  host,
  input,
  ids,
  outside,
  options,
  span,
}: AgentRun): Promise<AgentReturn> {
  const { isolation } = definition;
  const { isolator, maxResultBytes = MAX_STREAMED_BYTES, prices } = options;
  const agent = `${definition.name}@${definition.version}`;
  if (isolation === undefined || isolator === undefined) {
    throw new CodedError("INTERNAL_ERROR", `${agent} is isolated, and nothing here runs isolated agents`);
  }
  // Its functions stand on the real host, in this process.
  const context = createContext(host, undefined, ids, outside, options, span);
  const returned = await isolator.run({
    agent,
    isolation,
    host,
    input: input instanceof CheckedInput ? input.sent : input,
    maxResultBytes,
    // Infinity is not JSON.
    settings: {
      maxResultBytes: Math.min(maxResultBytes, Number.MAX_SAFE_INTEGER),
      ...(prices === undefined ? {} : { prices: prices.prices }),
    },
    traceParent: span?.traceparent.split("-").slice(2).join("-"),
    calls: createFileCalls(() => context.ctx.fs),
  });
  if (isolation.isLoadedHere || definition.output === undefined || "stream" in returned) return returned;
  // Of an agent whose code is not known here, nothing else has checked it by this schema.
  const value: unknown = returned.result === undefined ? undefined : JSON.parse(returned.result);
  const checked = await checkWithSchema(definition.output, value, { field: "output", agent, code: "INTERNAL_ERROR" });
  return inlineReturn(agent, checked);
}
