/** Makes the `ctx` of one attempt. Nothing here outlives the attempt, and all of it is made when first used. */
import { AsyncLocalStorage } from "node:async_hooks";
import type { JobHost } from "../kernel/agents-port.ts";
import { leaseOf } from "../kernel/authority/lease.ts";
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
  const { job } = host;
  const emit = createEmit(host, outside);
  let signal: AbortSignal | undefined;
  let lease: AgentContext["lease"] | undefined;
  let step: AgentContext["step"] | undefined;
  let tool: AgentContext["tool"] | undefined;
  let artifact: AgentContext["artifact"] | undefined;
  let stream: OpenResultStream | undefined;

  const jobSignal = (): AbortSignal => {
    signal ??= withinThisContext(host.signal);
    return signal;
  };
  // Asynchronous, so that a rejection by the kernel nobody awaits still comes out of this attempt.
  const flush = async (): Promise<void> => {
    await outside(() => host.flush());
  };

  const ctx: AgentContext = {
    jobId: job.id,
    agent: `${job.agent}@${job.version}`,
    input,
    get lease() {
      if (lease === undefined) lease = leaseOf(job);
      return lease;
    },
    get signal() {
      return jobSignal();
    },
    attempt: host.attempt,
    traceId: job.traceId,
    get traceparent() {
      return span?.traceparent ?? traceparentOf(job);
    },

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
      tool ??= createToolCall({ host, emit, ids, flush, signal: jobSignal, span });
      return tool(name, args, call);
    },
    step(name, work) {
      step ??= createStep({ host, outside, signal: jobSignal });
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
  };

  return {
    ctx,
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
