/** Makes the `ctx` of one attempt. Nothing here outlives the attempt, and all of it is made when first used. */

import { AsyncLocalStorage } from "node:async_hooks";
import type { JobHost } from "../kernel/agents-port.ts";
import { leaseOf } from "../kernel/authority/lease.ts";
import { agentReference } from "../kernel/job/job-record.ts";
import type { Ids } from "../platform/world.ts";
import { CodedError } from "../protocol/errors.ts";
import type { AgentContext } from "./agent-context.ts";
import { createArtifact } from "./artifacts.ts";
import { createEmit, type Outside } from "./emission.ts";
import type { LogLevel } from "./event-bodies.ts";
import { invalid, logBody, metricBody, progressBody, statusBody, thoughtBody, vendorBody } from "./event-bodies.ts";
import { createResultStream, MAX_STREAMED_BYTES, type OpenResultStream, type ResultEncoding } from "./result-stream.ts";
import { createStep, STREAM_BEGUN } from "./steps.ts";
import { createToolCall } from "./tool-call.ts";
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
}

export function createContext(
  host: JobHost,
  input: unknown,
  ids: Ids,
  outside: Outside,
  { maxResultBytes = MAX_STREAMED_BYTES }: ContextOptions = {},
  span?: ActiveSpan,
): OpenContext {
  let functions: ContextFunctions | undefined;
  const ctx = new JobContext(host, input, span, () => {
    functions ??= createFunctions({ host, ids, outside, maxResultBytes, span, signal: () => ctx.signal });
    return functions;
  });
  return {
    ctx,
    get stream() {
      return functions?.stream;
    },
  };
}

/** What an agent calls. Closures, so that each can be taken out of `ctx`; all of them made for the first that is asked for. */
type ContextFunctions = Pick<
  AgentContext,
  | "log"
  | "thought"
  | "status"
  | "progress"
  | "metric"
  | "emit"
  | "artifact"
  | "flush"
  | "tool"
  | "step"
  | "streamResult"
> & { readonly stream: OpenResultStream | undefined };

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
  get step() {
    return this.#functions().step;
  }
  get streamResult() {
    return this.#functions().streamResult;
  }
}

function createFunctions(options: {
  readonly host: JobHost;
  readonly ids: Ids;
  readonly outside: Outside;
  readonly maxResultBytes: number;
  readonly span: ActiveSpan | undefined;
  readonly signal: () => AbortSignal;
}): ContextFunctions {
  const { host, ids, outside, maxResultBytes, span, signal } = options;
  const emit = createEmit(host, outside);
  let step: AgentContext["step"] | undefined;
  let tool: AgentContext["tool"] | undefined;
  let artifact: AgentContext["artifact"] | undefined;
  let stream: OpenResultStream | undefined;

  // Asynchronous, so that a rejection by the kernel nobody awaits still comes out of this attempt.
  const flush = async (): Promise<void> => {
    await outside(() => host.flush());
  };

  return {
    log: (levelOrMessage: string, message?: string) =>
      emit("log", "log", () =>
        message === undefined ? logBody("info", levelOrMessage) : logBody(levelOrMessage as LogLevel, message),
      ),
    thought: (text) => emit("thought", "thought", () => thoughtBody(text)),
    status: (phase, message) => emit("status", "status", () => statusBody(phase, message)),
    progress: (progress) => emit("progress", "progress", () => progressBody(progress)),
    metric: (metric) => emit("metric", "metric", () => metricBody(metric)),
    emit: (kind, body) => emit("vendor", kind, () => vendorBody(kind, body)),
    artifact(source) {
      artifact ??= createArtifact(host, outside);
      return artifact(source);
    },
    flush,

    tool(name, args, call) {
      tool ??= createToolCall({ host, emit, ids, flush, signal, span });
      return tool(name, args, call);
    },
    step(name, work) {
      step ??= createStep({ host, outside, signal });
      return step(name, work);
    },
    streamResult<Encoding extends ResultEncoding = "utf8">({
      encoding = "utf8" as Encoding,
    }: {
      encoding?: Encoding;
    } = {}) {
      if (stream !== undefined)
        throw new CodedError("INVALID_REQUEST", "a job has one result: streamResult was called twice");
      if (encoding !== "utf8" && encoding !== "base64")
        throw invalid("streamResult.encoding", 'must be "utf8" or "base64"');
      // In the commit of the first chunk, whose fate the write tells of.
      const begin = (resultId: string): void => {
        if (!host.steps.has(STREAM_BEGUN)) void outside(() => host.recordStep(STREAM_BEGUN, resultId)).catch(ignore);
      };
      const opened = createResultStream(ids.next("res"), encoding, { emit, maxBytes: maxResultBytes, begin });
      stream = opened;
      return opened;
    },
    get stream() {
      return stream;
    },
  };
}

const ignore = (): void => {};

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
