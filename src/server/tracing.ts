/**
 * OpenTelemetry: a span for each job, from its acceptance to its end, under it one for each attempt, and under that one for
 * each tool call. They belong to the job's trace: its `trace_id` is theirs, and the span that submitted it their parent;
 * where none is named, one is made (`submit <agent>`).
 *
 * Only the API is used, through whatever provider the process has registered; without one nothing here is loaded. A span is
 * ended in the process that began it: a job that outlives its process has one in each, in the same trace.
 */
import type * as OpenTelemetry from "@opentelemetry/api";
import type { Attributes, Context, Span, SpanContext } from "@opentelemetry/api";
import type { ActiveSpan, Tracing } from "../agents/tracing.ts";
import { traceparentOf } from "../agents/tracing.ts";
import { leaseOf } from "../kernel/authority/lease.ts";
import type { JobId } from "../kernel/ids.ts";
import { agentReference, type JobRecord } from "../kernel/job/job-record.ts";
import type { BeginTrace } from "../kernel/job/submit.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { LEASEHOLD_VERSION } from "./version.ts";

export interface RuntimeTracing extends Tracing {
  /** Traces the jobs of this kernel. Call once, before it starts. */
  watch(kernel: Pick<Kernel, "on">): void;
  /** Begins a trace for a job whose submitter named none, so that the provider's sampler decides on it. */
  readonly begin: BeginTrace;
  /** The `traceparent` of the span that is active where this is called; undefined outside any. */
  active(): string | undefined;
  /** Ends the spans of jobs that go on in the next process. */
  close(): void;
}

/** Where every copy of `@opentelemetry/api` 1.x in a process keeps what was registered. */
const REGISTERED = Symbol.for("opentelemetry.js.api.1");

/** Undefined when nothing is registered: providers are to be registered before the runtime is made. */
export async function createTracing(): Promise<RuntimeTracing | undefined> {
  const registered = (globalThis as { readonly [REGISTERED]?: { readonly trace?: unknown } })[REGISTERED];
  return registered?.trace === undefined ? undefined : createWith(await import("@opentelemetry/api"));
}

function createWith({ context, ROOT_CONTEXT, SpanKind, SpanStatusCode, trace }: typeof OpenTelemetry): RuntimeTracing {
  const tracer = trace.getTracer("leasehold", LEASEHOLD_VERSION);
  const jobs = new Map<JobId, Span>();
  let stops: (() => void)[] = [];

  /** The job's span, begun where it has none; undefined when nobody gives spans after all. */
  function spanOf(job: JobRecord): Span | undefined {
    const known = jobs.get(job.id);
    if (known !== undefined) return known;
    const parent = parentOf(job);
    const begun = tracer.startSpan(
      `invoke_agent ${job.agent}`,
      { kind: SpanKind.SERVER, startTime: new Date(job.createdAt), attributes: attributesOf(job) },
      trace.setSpanContext(ROOT_CONTEXT, parent),
    );
    // Without a provider behind it the API hands the parent's context on.
    if (begun.spanContext().spanId === parent.spanId) return undefined;
    jobs.set(job.id, begun);
    return begun;
  }

  function fail(span: Span, code: string): void {
    span.setAttribute("error.type", code);
    // Being stopped by those it worked for is no fault of anything.
    if (code !== "CANCELLED") span.setStatus({ code: SpanStatusCode.ERROR, message: code });
  }

  function endJob(job: JobRecord): void {
    const span = spanOf(job);
    if (span === undefined) return;
    jobs.delete(job.id);
    span.setAttributes({ "arcp.job.status": job.status, "arcp.job.attempts": job.attempt });
    if (job.outcome !== null && "error" in job.outcome) fail(span, job.outcome.error.code);
    span.end();
  }

  function activate(span: Span, parent: Context): ActiveSpan {
    const own = trace.setSpan(parent, span);
    let ended = false;
    return {
      traceparent: formatTraceparent(span.spanContext()),
      run: (work) => context.with(own, work),
      beginToolCall(tool, callId) {
        const attributes = {
          "gen_ai.operation.name": "execute_tool",
          "gen_ai.tool.name": tool,
          "gen_ai.tool.call.id": callId,
        };
        return activate(tracer.startSpan(`execute_tool ${tool}`, { attributes }, own), own);
      },
      end(code) {
        if (ended) return;
        ended = true;
        if (code !== undefined) fail(span, code);
        span.end();
      },
    };
  }

  return {
    watch(kernel) {
      stops = [
        kernel.on("job:accepted", ({ job }) => void spanOf(job)),
        kernel.on("job:ended", ({ job }) => endJob(job)),
      ];
    },
    begin(agent) {
      const span = tracer.startSpan(`submit ${agent}`, {}, ROOT_CONTEXT);
      span.end();
      const own = span.spanContext();
      return trace.isSpanContextValid(own)
        ? { traceId: own.traceId, traceParent: `${own.spanId}-${formatFlags(own)}` }
        : undefined;
    },
    beginAttempt(job, attempt) {
      // The attempt begins in the very turn of the acceptance, and may be here first.
      const span = spanOf(job);
      if (span === undefined) return undefined;
      const parent = trace.setSpan(ROOT_CONTEXT, span);
      const attributes = { "arcp.job.id": job.id, "arcp.job.attempt": attempt };
      return activate(tracer.startSpan(`attempt ${attempt}`, { attributes }, parent), parent);
    },
    active() {
      const span = trace.getActiveSpan()?.spanContext();
      return span === undefined || !trace.isSpanContextValid(span) ? undefined : formatTraceparent(span);
    },
    close() {
      for (const stop of stops) stop();
      for (const span of jobs.values()) span.setAttribute("arcp.job.status", "running").end();
      jobs.clear();
    },
  };
}

/** The span that submitted the job, or what stands for it. */
function parentOf(job: JobRecord): SpanContext {
  const [, traceId = "", spanId = "", flags = ""] = traceparentOf(job).split("-");
  return { traceId, spanId, traceFlags: Number.parseInt(flags, 16), isRemote: true };
}

function formatFlags({ traceFlags }: SpanContext): string {
  return traceFlags.toString(16).padStart(2, "0");
}

function formatTraceparent(context: SpanContext): string {
  return `00-${context.traceId}-${context.spanId}-${formatFlags(context)}`;
}

/** What the draft recommends (§11), the field's names for agents, and where to find the job. No input and no result. */
function attributesOf(job: JobRecord): Attributes {
  const lease = leaseOf(job);
  const budget = Object.entries(lease?.budget ?? {}).map(([currency, amount]) => `${currency}:${amount}`);
  return {
    "gen_ai.operation.name": "invoke_agent",
    "gen_ai.agent.name": job.agent,
    "arcp.job.id": job.id,
    "arcp.job.agent": agentReference(job),
    "arcp.principal": job.principal,
    ...(job.session === null ? {} : { "arcp.session.id": job.session }),
    ...(job.parent === null ? {} : { "arcp.job.parent_id": job.parent }),
    ...(lease?.expiresAtText == null ? {} : { "arcp.lease.expires_at": lease.expiresAtText }),
    ...(budget.length === 0 ? {} : { "arcp.budget.remaining": budget }),
  };
}
