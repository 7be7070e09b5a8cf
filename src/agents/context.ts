/** Makes the `ctx` of one attempt. Nothing here outlives the attempt, and all of it is made when first used. */

import { AsyncLocalStorage } from "node:async_hooks";
import type { JobHost } from "../kernel/agents-port.ts";
import { leaseOf } from "../kernel/authority/lease.ts";
import { agentReference } from "../kernel/job/job-record.ts";
import type { Ids } from "../platform/world.ts";
import type { AgentContext } from "./agent-context.ts";
import { type ContextFunctions, createFunctions } from "./context-functions.ts";
import type { Outside } from "./emission.ts";
import type { GuardedFiles } from "./files/guarded-files.ts";
import type { Isolator } from "./isolation/isolator.ts";
import type { PriceTable } from "./prices.ts";
import { MAX_STREAMED_BYTES, type OpenResultStream } from "./result-stream.ts";
import { type ActiveSpan, type Tracing, traceparentOf } from "./tracing.ts";

export interface OpenContext {
  readonly ctx: AgentContext;
  /** What the agent streams, once it has begun to. */
  readonly stream: OpenResultStream | undefined;
}

export interface ContextOptions {
  /** Largest streamed result, in bytes. Default: 256 MiB. */
  readonly maxResultBytes?: number;
  /** Default: nothing is traced. */
  readonly tracing?: Tracing | undefined;
  /** What models cost. Default: no model has a price, and none can be called under a budget. */
  readonly prices?: PriceTable | undefined;
  /** Carries out `ctx.fs`. Default: this process, under the host's guard. */
  readonly files?: GuardedFiles;
  /** Absolute paths of directories that no lease covers: the runtime's own data. Default: none. */
  readonly apart?: readonly string[];
  /** Runs isolated agents. Default: none can run. */
  readonly isolator?: Isolator;
}

export function createContext(
  host: JobHost,
  input: unknown,
  ids: Ids,
  outside: Outside,
  { maxResultBytes = MAX_STREAMED_BYTES, prices, files, apart }: ContextOptions = {},
  span?: ActiveSpan,
): OpenContext {
  let functions: ContextFunctions | undefined;
  const ctx = new JobContext(host, input, span, () => {
    functions ??= createFunctions({
      host,
      ids,
      outside,
      maxResultBytes,
      prices,
      files,
      apart,
      span,
      signal: () => ctx.signal,
    });
    return functions;
  });
  return {
    ctx,
    get stream() {
      return functions?.stream;
    },
  };
}

/** A class, whose getters cost nothing to make: most of what a context offers is not used by most agents. */
class JobContext implements AgentContext {
  readonly jobId: string;
  readonly agent: string;
  readonly input: unknown;
  readonly attempt: number;
  readonly traceId: string;
  readonly #host: JobHost;
  readonly #span: ActiveSpan | undefined;
  readonly #functions: () => ContextFunctions;
  #lease: AgentContext["lease"] | undefined;
  #signal: AbortSignal | undefined;

  constructor(host: JobHost, input: unknown, span: ActiveSpan | undefined, functions: () => ContextFunctions) {
    const { job } = host;
    this.jobId = job.id;
    this.agent = agentReference(job);
    this.input = input;
    this.attempt = host.attempt;
    this.traceId = job.traceId;
    this.#host = host;
    this.#span = span;
    this.#functions = functions;
  }

  get lease() {
    if (this.#lease === undefined) this.#lease = leaseOf(this.#host.job);
    return this.#lease;
  }
  get signal() {
    this.#signal ??= withinThisContext(this.#host.signal);
    return this.#signal;
  }
  get traceparent() {
    return this.#span?.traceparent ?? traceparentOf(this.#host.job);
  }

  get log() {
    return this.#functions().log;
  }
  get thought() {
    return this.#functions().thought;
  }
  get status() {
    return this.#functions().status;
  }
  get progress() {
    return this.#functions().progress;
  }
  get metric() {
    return this.#functions().metric;
  }
  get emit() {
    return this.#functions().emit;
  }
  get artifact() {
    return this.#functions().artifact;
  }
  get flush() {
    return this.#functions().flush;
  }
  get tool() {
    return this.#functions().tool;
  }
  get requestPermission() {
    return this.#functions().requestPermission;
  }
  get delegate() {
    return this.#functions().delegate;
  }
  get charge() {
    return this.#functions().charge;
  }
  get budget() {
    return this.#functions().budget;
  }
  get translateUpstreamBudgetExhausted() {
    return this.#functions().translateUpstreamBudgetExhausted;
  }
  get fetch() {
    return this.#functions().fetch;
  }
  get model() {
    return this.#functions().model;
  }
  get tools() {
    return this.#functions().tools;
  }
  get mcp() {
    return this.#functions().mcp;
  }
  get fs() {
    return this.#functions().fs;
  }
  get authorize() {
    return this.#functions().authorize;
  }
  get assertModelAllowed() {
    return this.#functions().assertModelAllowed;
  }
  get step() {
    return this.#functions().step;
  }
  get streamResult() {
    return this.#functions().streamResult;
  }
}

/**
 * A signal that follows `signal` within the current async context. Listeners run in the context of whoever aborts, which
 * for the host's own signal is the kernel: a throw in an agent's listener would be nobody's.
 */
function withinThisContext(signal: AbortSignal): AbortSignal {
  const controller = new AbortController();
  const follow = AsyncLocalStorage.bind(() => controller.abort(signal.reason));
  if (signal.aborted) follow();
  else signal.addEventListener("abort", follow, { once: true });
  return controller.signal;
}
