/** `ctx`: everything an agent is handed. */
import type { Amounts } from "../kernel/authority/amounts.ts";
import type { Lease } from "../kernel/authority/lease.ts";
import type { Grant } from "../kernel/authority/permission-ask.ts";
import type { Metric } from "../kernel/job/metric.ts";
import type { CodedError } from "../protocol/errors.ts";
import type { ArtifactRef, ArtifactSource } from "./artifacts.ts";
import type { WhenDenied } from "./ask-people.ts";
import type { Budget, ChargeOptions } from "./budget.ts";
import type { Delegate } from "./delegate.ts";
import type { LogLevel, Progress } from "./event-bodies.ts";
import type { GuardedFiles } from "./files/guarded-files.ts";
import type { GuardedMcpClient, McpClientLike, McpOptions } from "./mcp.ts";
import type { GuardedModel, LanguageModelLike } from "./model.ts";
import type { ToolCall } from "./operation.ts";
import type { PermissionRequest } from "./request-permission.ts";
import type { ResultEncoding, ResultStream } from "./result-stream.ts";
import type { ToolSetLike } from "./tool-set.ts";

/** What the function under `ctx.step` is handed. */
export interface Step {
  /** The same in every attempt: pass it on as an idempotency key. */
  readonly key: string;
  /** Aborts when the job is stopped. */
  readonly signal: AbortSignal;
}

/**
 * Every emission returns a promise of room in the job's buffer, not of the disk: awaiting it is what keeps a chatty
 * agent in step with its store. One that never awaits is refused once 64 Mi characters wait, which ends its job. Once
 * the job is stopped every call rejects with the reason, and nothing is recorded. A wrong argument rejects with
 * INVALID_REQUEST naming the field. The functions can be taken out of `ctx`.
 */
export interface AgentContext<Input = unknown> {
  readonly jobId: string;
  /** `name@version`. */
  readonly agent: string;
  readonly input: Input;
  /** The authority this job was granted; null without a lease. */
  readonly lease: Lease | null;
  /** Aborts when the job is stopped; its reason is a `CodedError`. */
  readonly signal: AbortSignal;
  /** Which run of the agent function this is; the first is 1. */
  readonly attempt: number;
  /** 32 hex digits: the trace this job belongs to (§11). */
  readonly traceId: string;
  /** W3C `traceparent` of this attempt, to be sent along to services; within `tool`, that of the call is nearer. */
  readonly traceparent: string;

  /** A line of the job's log; `info` unless a level is given. */
  log(message: string): Promise<void>;
  log(level: LogLevel, message: string): Promise<void>;
  thought(text: string): Promise<void>;
  status(phase: string, message?: string): Promise<void>;
  progress(progress: Progress): Promise<void>;
  /**
   * A measurement. One whose name begins with `cost.` is money spent: with a budgeted currency for its `unit` it moves the
   * counters, as `charge` does.
   */
  metric(metric: Metric): Promise<void>;
  /**
   * Reports money spent, as one `cost.*` metric for each currency, and moves the counters of budgeted ones in the same turn
   * and commit, below zero too (§9.6): once one reads zero or less, no operation starts.
   */
  charge(amounts: Amounts, options?: ChargeOptions): Promise<void>;
  /** What is left of the budget, and setting it aside before it is spent. */
  readonly budget: Budget;
  /**
   * Whether what a vendor's SDK threw says that money or quota upstream has run out: then BUDGET_EXHAUSTED with what is
   * known of it as details, to be thrown or handled; undefined when it is something else, such as a rate limit (§9.6).
   */
  translateUpstreamBudgetExhausted(error: unknown): CodedError | undefined;
  /** An event of a kind of one's own, `x-<vendor>.<name>`; `body` is an object that JSON can hold. */
  emit(kind: `x-${string}`, body: object): Promise<void>;
  /**
   * Keeps content for whoever may see the job, for as long as the job is kept, and tells of it by an `artifact_ref` event.
   * Resolves with the event's body once both are durable. Bytes must not be changed before.
   * @throws CodedError INTERNAL_ERROR beyond `maxArtifactBytes` (256 MiB) or, over all artifacts of the job,
   * `maxJobArtifactBytes` (1 GiB), or when it cannot be stored; whatever reading `data` threw.
   */
  artifact(source: ArtifactSource): Promise<ArtifactRef>;
  /** Resolves once everything emitted so far is durable. */
  flush(): Promise<void>;

  /**
   * Runs `call` under the lease (`tool.call`): asks the guard, makes a `tool_call` event durable, asks the guard again
   * in the turn that starts `call`, and puts a `tool_result` on the log.
   * @param args goes on the log; any JSON.
   * @param options `{ onDenied: "ask" }` has people asked where the lease does not allow it, for these very arguments.
   * @returns what `call` returned. It goes on the log as well, and must be JSON.
   * @throws CodedError LEASE_EXPIRED, BUDGET_EXHAUSTED or PERMISSION_DENIED; whatever `call` threw.
   */
  tool<Result>(
    name: string,
    args: unknown,
    call: (call: ToolCall) => Result | Promise<Result>,
    options?: WhenDenied,
  ): Promise<Result>;

  /**
   * Asks for authority beside the lease: exactly one thing, for a short time. Resolves once it is granted; it may be taken back
   * before its time, and ends with the lease at the latest. The job's owner or an operator decides, or a policy; meanwhile
   * the job waits, through restarts of the runtime too where its agent runs again (`restart: "always"`), and holds no run
   * slot. The guard then allows that operation on that resource; with `args`, for these arguments alone.
   * @throws CodedError PERMISSION_DENIED when it is refused or nobody decides in time, with what became of it in
   * `details.state`, and at once for what lies outside the lease of the job above; LEASE_EXPIRED or BUDGET_EXHAUSTED;
   * INVALID_REQUEST for wrong arguments, and beyond 64 requests that wait, or 1,000 in all; DUPLICATE_KEY for a key
   * used for something else.
   */
  requestPermission(request: PermissionRequest): Promise<Grant>;

  /**
   * The standard `fetch` under the lease (`net.fetch`), for http and https. Every hop of a redirect is an operation of its
   * own: asked of the guard, and on the log with its status, without query and body. At most 20 hops. Aborts when the job
   * is stopped, also while the body is read. The call's `traceparent` goes along.
   * @param options `{ onDenied: "ask" }` has people asked for each hop that the lease does not allow; a body must be text or
   * bytes then.
   * @throws CodedError LEASE_EXPIRED, BUDGET_EXHAUSTED or PERMISSION_DENIED; INVALID_REQUEST for another scheme, and for a
   * user name in the URL; TypeError as `fetch` does.
   */
  fetch(input: string | URL | Request, init?: RequestInit, options?: WhenDenied): Promise<Response>;
  /**
   * A language model of the AI SDK (specification v2, v3 or v4) under the lease's `model.use` (§9.7): what comes out goes
   * into `generateText`, `streamText` and the like. The lease may name the model by its id, or with its provider before it:
   * `gpt-5-mini` or `openai/gpt-5-mini`. Every call is on the log, without what was said, and is charged as a
   * `cost.inference` metric by what the model says it used and the runtime's `prices`, exactly; a streamed one by its last
   * part. Under a budget a call whose usage is not told, such as a stream that was cut short, is charged a token for each
   * byte that went over, which is nearly always too much.
   * @throws CodedError INVALID_REQUEST for what is no such model. Its calls: PERMISSION_DENIED, LEASE_EXPIRED or
   * BUDGET_EXHAUSTED (also for a vendor's quota); INVALID_REQUEST for a model without a price under a budget; whatever the
   * model threw.
   */
  model<Model extends LanguageModelLike>(model: Model): GuardedModel<Model>;
  /**
   * A tool set of the AI SDK under the lease: the `execute` of each tool becomes an operation (`tool.call`) by its name in
   * the set. A refusal is thrown, which the AI SDK tells the model as the tool's error. Tools without `execute` stay as
   * they are. Outputs must be JSON; of long ones the log keeps the beginning.
   * @param options `{ onDenied: "ask" }` has people asked for each call that the lease does not allow.
   */
  tools<Tools extends ToolSetLike>(tools: Tools, options?: WhenDenied): Tools;
  /**
   * A connected client of `@modelcontextprotocol/sdk` under the lease (`tool.call`): a tool is `<name>/<tool>`, a resource
   * `<name>/resource:<uri>`, a prompt `<name>/prompt:<prompt>`. Lists are cut to what the lease allows. The trace goes along
   * in `_meta`, and a stop of the job cancels the request. Connecting and closing the client stay the agent's.
   * @throws CodedError INVALID_REQUEST for another client, or a name that is none.
   */
  mcp<Client extends McpClientLike>(client: Client, options: McpOptions): GuardedMcpClient<Client>;
  /** Files under the lease (`fs.read`, `fs.write`). */
  readonly fs: GuardedFiles;
  /**
   * Asks the guard alone, for agents that bring their own clients: resolves when the operation may start now. Nothing is on
   * the log unless it is refused. What happens afterwards, and what becomes of a link or a redirect, nobody checks.
   * @param namespace such as `net.fetch` or a vendor's `x-acme.db`.
   * @param target what the operation touches: an absolute path, a URL, a name.
   * @param operation what is done with it, for what was granted beside the lease. Default: what is usual there, such as `GET`.
   * @throws CodedError LEASE_EXPIRED, BUDGET_EXHAUSTED or PERMISSION_DENIED.
   */
  authorize(namespace: string, target: string, operation?: string): Promise<void>;
  /** `authorize("model.use", id)`, the identifier as it is (§9.7). */
  assertModelAllowed(id: string): Promise<void>;

  /**
   * Starts another agent's job under part of this one's lease (§10). The guard is asked for `agent.delegate`; what the child
   * may do lies within what this job may, and its budget is set aside from what is available here. The child ends with this
   * job at the latest: whoever wants its result awaits it before returning.
   * @param agent a definition, whose input and output are typed then; or `name`, or `name@version`.
   * @throws CodedError LEASE_EXPIRED, BUDGET_EXHAUSTED, PERMISSION_DENIED or LEASE_SUBSET_VIOLATION for want of authority;
   * INVALID_REQUEST, AGENT_NOT_AVAILABLE or AGENT_VERSION_NOT_AVAILABLE for what is asked; DUPLICATE_KEY for a key used for
   * something else; INTERNAL_ERROR beyond `maxDelegationDepth`, `maxLiveChildren` or `maxTreeJobs`.
   */
  readonly delegate: Delegate;

  /**
   * Runs `work` once for all attempts: a later attempt gets the recorded value without running it. At least once, since
   * a crash may come between the end of `work` and its record. The value is what JSON keeps of it, in every attempt; at
   * most 4,194,304 characters of JSON.
   * @param name unique within the job; from 1 to 256 characters. A step that failed may be tried again by its name.
   */
  step<Value>(name: string, work: (step: Step) => Value | Promise<Value>): Promise<Value>;

  /**
   * Begins a streamed result (§8.4), instead of one returned whole; once for an attempt. Must be ended before `run`
   * returns. A later attempt begins anew, under another id.
   */
  streamResult(): ResultStream<"utf8">;
  streamResult<Encoding extends ResultEncoding>(options: { readonly encoding: Encoding }): ResultStream<Encoding>;
}
