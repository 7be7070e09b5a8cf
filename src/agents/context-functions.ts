/** What an agent calls on its `ctx`, put together: one line for each, which lives in a file of its own and is made when first used. */
import type { JobHost } from "../kernel/agents-port.ts";
import type { Grant, PermissionAsk } from "../kernel/authority/permission-ask.ts";
import type { Ids } from "../platform/world.ts";
import { CodedError } from "../protocol/errors.ts";
import type { AgentContext } from "./agent-context.ts";
import { createArtifact } from "./artifacts.ts";
import { createAuthorize } from "./authorize.ts";
import { createBudget, createCharge } from "./budget.ts";
import { createDelegate, type Delegate, type DelegateOptions } from "./delegate.ts";
import { createEmit, createReport, type Outside } from "./emission.ts";
import type { LogLevel } from "./event-bodies.ts";
import { invalid, logBody, progressBody, statusBody, thoughtBody, vendorBody } from "./event-bodies.ts";
import { createFetch } from "./fetch.ts";
import { createFiles, type GuardedFiles } from "./files/guarded-files.ts";
import { createMcp } from "./mcp.ts";
import { createModel } from "./model.ts";
import { createOperate, type Operate } from "./operation.ts";
import type { PriceTable } from "./prices.ts";
import { createRequestPermission } from "./request-permission.ts";
import { createResultStream, type OpenResultStream, type ResultEncoding } from "./result-stream.ts";
import { createStep, STREAM_BEGUN } from "./steps.ts";
import { createToolCall } from "./tool-call.ts";
import { createTools } from "./tool-set.ts";
import { type ActiveSpan, traceparentOf } from "./tracing.ts";
import { translateUpstreamBudgetExhausted } from "./upstream-budget.ts";

/** What an agent calls. Closures, so that each can be taken out of `ctx`; all of them made for the first that is asked for. */
export type ContextFunctions = Pick<
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
  | "requestPermission"
  | "fetch"
  | "fs"
  | "model"
  | "tools"
  | "mcp"
  | "authorize"
  | "assertModelAllowed"
  | "charge"
  | "budget"
  | "translateUpstreamBudgetExhausted"
  | "delegate"
  | "step"
  | "streamResult"
> & { readonly stream: OpenResultStream | undefined };

export function createFunctions(options: {
  readonly host: JobHost;
  readonly ids: Ids;
  readonly outside: Outside;
  readonly maxResultBytes: number;
  readonly prices: PriceTable | undefined;
  readonly files: GuardedFiles | undefined;
  readonly apart: readonly string[] | undefined;
  readonly span: ActiveSpan | undefined;
  readonly signal: () => AbortSignal;
}): ContextFunctions {
  const { host, ids, outside, maxResultBytes, prices, files, apart, span, signal } = options;
  const emit = createEmit(host, outside);
  const report = createReport(host, outside);
  let made: Operate | undefined;
  let delegate: Delegate | undefined;
  let charge: AgentContext["charge"] | undefined;
  let budget: AgentContext["budget"] | undefined;
  let step: AgentContext["step"] | undefined;
  let tool: AgentContext["tool"] | undefined;
  let requestPermission: AgentContext["requestPermission"] | undefined;
  let fetch: AgentContext["fetch"] | undefined;
  let fs: AgentContext["fs"] | undefined;
  let model: AgentContext["model"] | undefined;
  let tools: AgentContext["tools"] | undefined;
  let mcp: AgentContext["mcp"] | undefined;
  let authorize: AgentContext["authorize"] | undefined;
  let artifact: AgentContext["artifact"] | undefined;
  let stream: OpenResultStream | undefined;

  // Asynchronous, so that a rejection by the kernel nobody awaits still comes out of this attempt.
  const flush = async (): Promise<void> => {
    await outside(() => host.flush());
  };

  const askPermission = async (ask: PermissionAsk): Promise<Grant> => await outside(() => host.requestPermission(ask));

  const traceparent = (): string => span?.traceparent ?? traceparentOf(host.job);

  /** Of all guarded things; made for the first of them. */
  const operate: Operate = (request, start) => {
    made ??= createOperate({ host, emit, ids, flush, requestPermission: askPermission, signal, span });
    return made(request, start);
  };

  return {
    log: (levelOrMessage: string, message?: string) =>
      emit("log", "log", () =>
        message === undefined ? logBody("info", levelOrMessage) : logBody(levelOrMessage as LogLevel, message),
      ),
    thought: (text) => emit("thought", "thought", () => thoughtBody(text)),
    status: (phase, message) => emit("status", "status", () => statusBody(phase, message)),
    progress: (progress) => emit("progress", "progress", () => progressBody(progress)),
    metric: (metric) => report(metric),
    emit: (kind, body) => emit("vendor", kind, () => vendorBody(kind, body)),
    artifact(source) {
      artifact ??= createArtifact(host, outside);
      return artifact(source);
    },
    flush,

    tool(name, args, call, how) {
      tool ??= createToolCall(operate);
      return tool(name, args, call, how);
    },
    requestPermission(request) {
      requestPermission ??= createRequestPermission(host, outside, files === undefined);
      return requestPermission(request);
    },
    fetch(input, init, how) {
      fetch ??= createFetch(operate);
      return fetch(input, init, how);
    },
    get fs() {
      fs ??= files ?? createFiles(operate, apart);
      return fs;
    },
    model(given) {
      model ??= createModel({
        host,
        operate,
        prices,
        charge: createCharge(report),
        budgeted: () => Object.keys(host.budget.view()),
        translate: translateUpstreamBudgetExhausted,
      });
      return model(given);
    },
    tools(given, how) {
      tools ??= createTools(operate);
      return tools(given, how);
    },
    mcp(client, how) {
      mcp ??= createMcp({ guard: host.guard, operate, signal, traceparent });
      return mcp(client, how);
    },
    authorize(namespace, target, what) {
      authorize ??= createAuthorize(host, operate, apart);
      return authorize(namespace, target, what);
    },
    assertModelAllowed(id) {
      authorize ??= createAuthorize(host, operate, apart);
      return authorize("model.use", id);
    },
    charge(amounts, how) {
      charge ??= createCharge(report);
      return charge(amounts, how);
    },
    get budget() {
      budget ??= createBudget(host, outside);
      return budget;
    },
    translateUpstreamBudgetExhausted,
    // The overloads promise more of the types than one function can be shown to keep; `createDelegate` keeps it.
    delegate: ((agent: string, input?: unknown, how?: DelegateOptions) => {
      delegate ??= createDelegate({
        host,
        emit,
        ids,
        outside,
        traceparent,
      });
      return delegate(agent, input, how);
    }) as Delegate,
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
