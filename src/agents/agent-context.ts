/** `ctx`: everything an agent is handed. */
import type { Lease } from "../kernel/authority/lease.ts";
import type { ArtifactRef, ArtifactSource } from "./artifacts.ts";
import type { LogLevel, Metric, Progress } from "./event-bodies.ts";
import type { ResultEncoding, ResultStream } from "./result-stream.ts";

/** What the function under `ctx.tool` is handed. */
export interface ToolCall {
  readonly callId: string;
  /** Aborts when the job is stopped. */
  readonly signal: AbortSignal;
  /** W3C `traceparent` of this call, to be sent along to whatever it asks (§11). */
  readonly traceparent: string;
}

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
  metric(metric: Metric): Promise<void>;
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
   * @returns what `call` returned. It goes on the log as well, and must be JSON.
   * @throws CodedError LEASE_EXPIRED, BUDGET_EXHAUSTED or PERMISSION_DENIED; whatever `call` threw.
   */
  tool<Result>(name: string, args: unknown, call: (call: ToolCall) => Result | Promise<Result>): Promise<Result>;

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
