import { context, SpanStatusCode, trace } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import {
  AlwaysOffSampler,
  BasicTracerProvider,
  InMemorySpanExporter,
  ParentBasedSampler,
  type ReadableSpan,
  SimpleSpanProcessor,
} from "@opentelemetry/sdk-trace-base";
import { afterAll, afterEach, beforeEach, expect, it } from "vitest";
import { defineAgent } from "../agents/define-agent.ts";
import { connect } from "../client/connect.ts";
import type { SubmitOptions } from "../client/submission.ts";
import { createMemoryStore, type MemoryStore } from "../stores/memory/memory-store.ts";
import { createRuntime, type Runtime } from "./runtime.ts";
import { createTracing } from "./tracing.ts";

const TRACE = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLER = "00f067aa0ba902b7";

const exporter = new InMemorySpanExporter();
const cleanUps: (() => unknown)[] = [];

beforeEach(() => {
  trace.setGlobalTracerProvider(new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }));
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
});
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).toReversed()) await cleanUp();
  exporter.reset();
  trace.disable();
  context.disable();
});
afterAll(() => exporter.shutdown());

/** What an agent and its tool were handed, and the span that was active in the tool. */
const seen: { attempt?: string; tool?: string; active?: string | undefined } = {};
const caller = defineAgent({
  name: "caller",
  version: "1.0.0",
  async run(ctx) {
    seen.attempt = ctx.traceparent;
    return await ctx.tool("look-up", { secret: "args" }, ({ traceparent }) => {
      seen.tool = traceparent;
      seen.active = trace.getActiveSpan()?.spanContext().spanId;
      return "found";
    });
  },
});
const failing = defineAgent({
  name: "failing",
  version: "1.0.0",
  run: (ctx) => ctx.tool("break", null, () => Promise.reject(new Error("the password is hunter2"))),
});
const patient = defineAgent({
  name: "patient",
  version: "1.0.0",
  restart: "always",
  run: (ctx) => (ctx.attempt > 1 ? Promise.resolve() : new Promise<void>(() => {})),
});

async function start(store: MemoryStore = createMemoryStore()): Promise<Runtime> {
  const runtime = await createRuntime({
    agents: [caller, failing, patient],
    store,
    authenticator: { authenticate: async () => ({ id: "me", tenant: "t", roles: ["user"] }) },
  });
  cleanUps.push(() => runtime.close());
  return runtime;
}

async function openSession() {
  const runtime = await start();
  const { url } = await runtime.listen({ port: 0 });
  const session = await connect(url, { token: "any" });
  cleanUps.push(() => session.close());
  return session;
}

async function runJob(agent: string, input: unknown, options: SubmitOptions = {}) {
  const session = await openSession();
  const job = await session.submit(agent, input, { lease: { "tool.call": ["*"] }, ...options });
  await job.result().catch(() => {});
  return job;
}

function spanNamed(name: string): ReadableSpan {
  const found = exporter.getFinishedSpans().filter((span) => span.name === name);
  expect(found.map((span) => span.name)).toEqual([name]);
  return found[0] as ReadableSpan;
}

const idOf = (span: ReadableSpan) => span.spanContext().spanId;

it("gives job, attempt and tool call a span each, under the span that submitted [arcp-11-span-attributes]", async () => {
  const job = await runJob("caller", "the input", {
    traceId: `00-${TRACE}-${CALLER}-01`,
    lease: { "tool.call": ["*"], "cost.budget": ["USD:2.50"] },
    expiresAt: "2099-01-01T00:00:00Z",
  });
  const [jobSpan, attempt, call] = ["invoke_agent caller", "attempt 1", "execute_tool look-up"].map(spanNamed) as [
    ReadableSpan,
    ReadableSpan,
    ReadableSpan,
  ];
  expect([jobSpan, attempt, call].map((span) => span.spanContext().traceId)).toEqual([TRACE, TRACE, TRACE]);
  expect([jobSpan, attempt, call].map((span) => span.parentSpanContext?.spanId)).toEqual([
    CALLER,
    idOf(jobSpan),
    idOf(attempt),
  ]);
  expect(jobSpan.attributes).toMatchObject({
    "gen_ai.operation.name": "invoke_agent",
    "gen_ai.agent.name": "caller",
    "arcp.job.id": job.id,
    "arcp.job.agent": "caller@1.0.0",
    "arcp.principal": "t/me",
    "arcp.lease.expires_at": "2099-01-01T00:00:00Z",
    "arcp.budget.remaining": ["USD:2.5"],
    "arcp.job.status": "success",
    "arcp.job.attempts": 1,
  });
  expect(call.attributes).toMatchObject({ "gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "look-up" });
});

it("hands agents and tools the traceparent of their own span, which is active in the tool", async () => {
  await runJob("caller", null, { traceId: TRACE });
  expect(seen.attempt).toBe(`00-${TRACE}-${idOf(spanNamed("attempt 1"))}-01`);
  expect(seen.tool).toBe(`00-${TRACE}-${idOf(spanNamed("execute_tool look-up"))}-01`);
  expect(seen.active).toBe(idOf(spanNamed("execute_tool look-up")));
});

it("begins a trace for a job whose client named none", async () => {
  const { traceId } = await runJob("caller", null);
  const [root, job] = [spanNamed("submit caller"), spanNamed("invoke_agent caller")];
  expect([root.spanContext().traceId, job.spanContext().traceId]).toEqual([traceId, traceId]);
  expect([root.parentSpanContext, job.parentSpanContext?.spanId]).toEqual([undefined, idOf(root)]);
});

it("leaves it to the sampler of the provider, or to the client, which jobs are recorded", async () => {
  trace.disable();
  const sampler = new ParentBasedSampler({ root: new AlwaysOffSampler() });
  const spanProcessors = [new SimpleSpanProcessor(exporter)];
  trace.setGlobalTracerProvider(new BasicTracerProvider({ sampler, spanProcessors }));
  const { traceId } = await runJob("caller", null);
  expect(exporter.getFinishedSpans()).toEqual([]);
  expect(seen.tool).toMatch(new RegExp(`^00-${traceId}-[0-9a-f]{16}-00$`));
  await runJob("caller", null, { traceId: `00-${TRACE}-${CALLER}-00` });
  expect(exporter.getFinishedSpans()).toEqual([]);
  await runJob("caller", null, { traceId: `00-${TRACE}-${CALLER}-01` });
  expect(spanNamed("invoke_agent caller").parentSpanContext?.spanId).toBe(CALLER);
});

it("tells of a failure by its code, and nothing of what was said", async () => {
  await runJob("failing", "the input is secret");
  for (const name of ["invoke_agent failing", "attempt 1", "execute_tool break"]) {
    const span = spanNamed(name);
    expect(span.status).toEqual({ code: SpanStatusCode.ERROR, message: "INTERNAL_ERROR" });
    expect(span.attributes["error.type"]).toBe("INTERNAL_ERROR");
    expect(JSON.stringify([span.attributes, span.events, span.status])).not.toMatch(/hunter2|secret/);
  }
});

it("ends the spans of a job that is cancelled, though its agent goes on, and calls it no error", async () => {
  const session = await openSession();
  const job = await session.submit("patient", null);
  await job.cancel();
  await job.result().catch(() => {});
  for (const name of ["invoke_agent patient", "attempt 1"]) {
    const span = spanNamed(name);
    expect([span.attributes["error.type"], span.status.code]).toEqual(["CANCELLED", SpanStatusCode.UNSET]);
  }
});

it("goes on with the same trace, under the same span, in the next process [reading-trace-spans]", async () => {
  const store = createMemoryStore();
  const first = await start(store);
  await first.submit("patient", null, { traceId: `00-${TRACE}-${CALLER}-01` });
  await first.close();
  expect(spanNamed("invoke_agent patient").attributes["arcp.job.status"]).toBe("running");
  expect(spanNamed("attempt 1").attributes["error.type"]).toBe("INTERNAL_ERROR");
  exporter.reset();

  const second = await start(createMemoryStore(store.snapshot()));
  await second.close({ drainMs: 60_000 });
  const job = spanNamed("invoke_agent patient");
  expect([job.spanContext().traceId, job.parentSpanContext?.spanId]).toEqual([TRACE, CALLER]);
  expect(job.attributes).toMatchObject({ "arcp.job.status": "success", "arcp.job.attempts": 2 });
  expect(spanNamed("attempt 2").parentSpanContext?.spanId).toBe(idOf(job));
});

it("puts what this process submits under the span that is active there", async () => {
  const runtime = await start();
  await trace.getTracer("test").startActiveSpan("request", async (span) => {
    await (await runtime.submit("caller", null, { lease: { "tool.call": ["look-up"] } })).result();
    span.end();
  });
  expect(spanNamed("invoke_agent caller").parentSpanContext?.spanId).toBe(idOf(spanNamed("request")));
});

it("is not there when no provider is registered, and the trace goes along all the same [reading-trace-tools]", async () => {
  trace.disable();
  context.disable();
  expect(await createTracing()).toBeUndefined();
  await runJob("caller", null, { traceId: `00-${TRACE}-${CALLER}-00` });
  expect([seen.attempt, seen.tool]).toEqual([`00-${TRACE}-${CALLER}-00`, `00-${TRACE}-${CALLER}-00`]);
});
