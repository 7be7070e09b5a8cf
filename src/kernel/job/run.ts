/** Runs attempts: from the moment a job's start is durable until its outcome is fixed, whoever fixes it. */

import type { Log } from "../../platform/log.ts";
import type { Timer, World } from "../../platform/world.ts";
import { CodedError } from "../../protocol/errors.ts";
import type { AgentReturn, Agents, RunnableAgent } from "../agents-port.ts";
import { createGuard } from "../authority/guard.ts";
import { leaseOf } from "../authority/lease.ts";
import type { JobId } from "../ids.ts";
import { LogMeter } from "../log/log-meter.ts";
import type { Store } from "../ports.ts";
import type { PrincipalKey } from "../principal.ts";
import type { ActiveJob } from "./active-job.ts";
import type { JobArtifacts } from "./artifacts.ts";
import { Attempt, type AttemptParts } from "./attempt.ts";
import { armDeadline, armExpiry, endsByExpiry, leaseExpired } from "./deadlines.ts";
import { outcomeBelow, settleHold } from "./delegation.ts";
import { agentReference, type JobRecord } from "./job-record.ts";
import type { Outcome } from "./job-state.ts";
import { ancestorsOf } from "./job-tree.ts";
import type { RunSlots } from "./run-slots.ts";
import { SlotBreaks } from "./slot-breaks.ts";

/** What a run holds on to until its job's outcome is fixed. */
interface Run {
  deadline: Timer | undefined;
  /** Runs until the lease expires; undefined for a job whose lease does not. */
  readonly expiry: Timer | undefined;
  /** Runs until the next attempt may start. */
  pause?: Timer;
  /** Calls of an earlier attempt whose outcome nobody knows: told of when the next one starts. */
  openCalls?: readonly string[];
  attempt?: Attempt;
  /** Whose slots the job takes. */
  agent?: RunnableAgent;
}

const NO_STEPS: ReadonlyMap<string, string | null> = new Map();

export class Runner {
  readonly #agents: Agents;
  readonly #store: Store;
  readonly #artifacts: JobArtifacts;
  readonly #world: World;
  readonly #log: Log;
  readonly #slots: RunSlots;
  readonly #maxLogBytes: number;
  readonly #requireModelUse: boolean | undefined;
  readonly #beginDelegating: AttemptParts["beginDelegating"];
  readonly #beginRequesting: AttemptParts["beginRequesting"];
  readonly #breaks: SlotBreaks;
  readonly #onExpired: (job: JobRecord) => void;
  readonly #runs = new Map<JobId, Run>();

  constructor(options: {
    agents: Agents;
    store: Store;
    artifacts: JobArtifacts;
    world: World;
    log: Log;
    slots: RunSlots;
    maxLogBytes: number;
    /** See `GuardOptions`. */
    requireModelUse: boolean | undefined;
    beginDelegating: AttemptParts["beginDelegating"];
    beginRequesting: AttemptParts["beginRequesting"];
    /** The job ends because its lease has expired. */
    onExpired: (job: JobRecord) => void;
  }) {
    this.#agents = options.agents;
    this.#store = options.store;
    this.#artifacts = options.artifacts;
    this.#world = options.world;
    this.#log = options.log;
    this.#slots = options.slots;
    this.#maxLogBytes = options.maxLogBytes;
    this.#requireModelUse = options.requireModelUse;
    this.#beginDelegating = options.beginDelegating;
    this.#beginRequesting = options.beginRequesting;
    this.#breaks = new SlotBreaks(options.slots);
    this.#onExpired = options.onExpired;
  }

  /** Takes charge of a job: from now on its deadline ends it, whether or not an attempt is under way. */
  hold(job: ActiveJob): void {
    const { record } = job;
    const run: Run = {
      deadline: armDeadline(record, this.#world, (outcome) => this.end(job, outcome)),
      expiry: armExpiry(record, this.#world, (expired) => run.attempt?.expire(expired)),
    };
    this.#runs.set(record.id, run);
  }

  /** See `RunSlots.assertRoom`. */
  assertRoom(principal: PrincipalKey, agent: RunnableAgent): void {
    this.#slots.assertRoom(principal, agent);
  }

  /**
   * Starts the next attempt of a held job as soon as it has a slot and its start is durable. Until then it waits.
   * @param parsed the checked input, where the caller has it; attempts that had to wait, and later ones, read it from the
   * store.
   */
  start(job: ActiveJob, agent: RunnableAgent, parsed?: { readonly input: unknown }): void {
    const { record } = job;
    const run = this.#runs.get(record.id);
    if (run === undefined) return;
    run.agent = agent;
    const above =
      record.parent === null || agent.maxConcurrent === undefined
        ? undefined
        : Array.from(ancestorsOf(job), (each) => each.record.id);
    if (this.#slots.take(record, agent, () => this.#start(job, undefined), above)) this.#start(job, parsed);
  }

  /** Gives up the slot of a job that waits for a person. */
  leaveSlot({ record }: ActiveJob): void {
    const agent = this.#runs.get(record.id)?.agent;
    if (agent !== undefined) this.#breaks.leave(record, agent);
  }

  /** Resolves once the job has a slot again; never, when it is released before. */
  takeSlot({ record }: ActiveJob): Promise<void> {
    return this.#breaks.back(record.id);
  }

  /** Calls `then` after `pauseMs`, unless the job is released before. */
  pause(job: ActiveJob, pauseMs: number, then: () => void): void {
    const run = this.#runs.get(job.record.id);
    if (run !== undefined) run.pause = this.#world.timers.after(pauseMs, then);
  }

  /** When the next attempt starts, each of these calls gets a result that says that its outcome is unknown. */
  closeCalls(job: ActiveJob, openCalls: readonly string[]): void {
    const run = this.#runs.get(job.record.id);
    if (run !== undefined) run.openCalls = openCalls;
  }

  /**
   * Fixes a job's outcome and shuts its agent out, in this turn, and those of every job below it. With nothing else to
   * wind down the terminals go into the same commit. Returns false when the outcome was fixed before.
   */
  end(job: ActiveJob, outcome: Outcome): boolean {
    if (job.apply({ type: "end", outcome }) === undefined) return false;
    this.release(job.record.id, () => stopReason(outcome));
    if (endsByExpiry(job.record, outcome, this.#world.clock.now())) this.#onExpired(job.record);
    this.settle(job);
    return true;
  }

  /** Puts the terminal of a job whose outcome is fixed on its log, after those of the jobs below it. */
  settle(job: ActiveJob): void {
    if (job.children.size > 0) this.#endChildren(job);
    job.apply({ type: "settle" });
    settleHold(job);
  }

  /** Lets go of a job: stops its clock and shuts its agent out. */
  release(id: JobId, reason: () => CodedError): void {
    const run = this.#runs.get(id);
    if (run === undefined) return;
    this.#runs.delete(id);
    run.deadline?.cancel();
    run.expiry?.cancel();
    run.pause?.cancel();
    run.attempt?.stop(reason);
    this.#breaks.forget(id);
    this.#slots.release(id);
  }

  #start(job: ActiveJob, parsed: { readonly input: unknown } | undefined): void {
    const { id } = job.record;
    const run = this.#runs.get(id);
    const decision = job.apply({ type: "start" });
    if (run === undefined || decision === undefined) {
      this.#slots.release(id);
      return;
    }
    if (decision.state.attempt === 1 && job.record.deadlineAt !== null) {
      // Its time runs from here on, and not while it waited.
      run.deadline?.cancel();
      run.deadline = armDeadline(job.record, this.#world, (outcome) => this.end(job, outcome));
    }
    if (run.openCalls !== undefined) {
      for (const callId of run.openCalls) job.append("tool_result", "tool_result", unknownOutcome(callId));
      delete run.openCalls;
    }
    job.whenCommitted((error) => {
      if (error === undefined && this.#runs.get(id) === run) void this.#attempt(job, run, parsed);
    });
  }

  async #attempt(job: ActiveJob, run: Run, parsed: { readonly input: unknown } | undefined): Promise<void> {
    const { record } = job;
    /** False once the job was released: its outcome is fixed, or is another's to fix. */
    const held = (): boolean => this.#runs.get(record.id) === run;
    try {
      const agent = this.#agents.resolve(agentReference(record));
      const input = parsed === undefined ? await agent.parseInput(await this.#readInput(record.id)) : parsed.input;
      let steps = NO_STEPS;
      let logBytes = 0;
      if (record.attempt > 1) {
        const recorded = await this.#store.readSteps(record.id);
        steps = new Map(recorded.map(({ name, value }) => [name, value]));
        logBytes = await this.#store.readLogBytes(record.id);
      }
      if (!held()) return;
      const meter = new LogMeter({
        limit: this.#maxLogBytes,
        bytes: logBytes,
        onNear: () => this.#measureLog(record.id, meter),
      });
      const attempt = new Attempt(job, {
        guard: createGuard({
          lease: leaseOf(record),
          expiresAt: record.expiresAt,
          clock: this.#world.clock,
          purse: job.purse,
          grants: job,
          requireModelUse: this.#requireModelUse,
        }),
        steps,
        artifacts: this.#artifacts,
        bound: { meter, onFull: (error) => this.end(job, { status: "error", error: error.toBody() }) },
        beginDelegating: this.#beginDelegating,
        beginRequesting: this.#beginRequesting,
      });
      run.attempt = attempt;
      const { expiresAt } = record;
      if (expiresAt !== null && this.#world.clock.now() >= expiresAt) attempt.expire(leaseExpired(expiresAt));
      const returned = await agent.run(attempt, input);
      if (attempt.expired !== undefined) throw attempt.expired;
      if (held()) this.end(job, succeeded(returned));
    } catch (error) {
      if (!held()) return;
      const failure = run.attempt?.expired ?? (error instanceof CodedError ? error : internalError(error));
      this.#log.debug({ job: record.id, attempt: record.attempt, code: failure.code, err: error }, "an agent failed");
      this.end(job, { status: "error", error: failure.toBody() });
    }
  }

  #endChildren(job: ActiveJob): void {
    const { outcome } = job.record;
    if (outcome === null) return;
    const below = outcomeBelow(job.record, outcome, this.#world.clock.now());
    // From the youngest on: those that wait for a place go before an older one's end would start them.
    for (const child of [...job.children].reverse()) this.end(child, below);
    job.touchLast();
  }

  async #readInput(id: JobId): Promise<unknown> {
    const text = await this.#store.readInput(id);
    return text === undefined ? undefined : JSON.parse(text);
  }

  #measureLog(id: JobId, meter: LogMeter): void {
    this.#store.readLogBytes(id).then(
      (bytes) => meter.correct(bytes),
      (error: unknown) => this.#log.warn({ job: id, err: error }, "the size of a job's log could not be read"),
    );
  }
}

function succeeded(returned: AgentReturn): Outcome {
  return { status: "success", ...returned };
}

function internalError(error: unknown): CodedError {
  const message =
    error instanceof Error ? error.message : `it threw ${typeof error === "object" ? "an object" : String(error)}`;
  return new CodedError("INTERNAL_ERROR", `the agent failed: ${message}`, { cause: error });
}

function unknownOutcome(callId: string): string {
  const error = new CodedError(
    "INTERNAL_ERROR",
    "the runtime stopped while this call was under way: whether it took effect is unknown",
    { retryable: false, details: { outcome: "unknown" } },
  );
  return JSON.stringify({ call_id: callId, error: error.toBody() });
}

/** What a shut-out agent's signal and its further calls report. */
function stopReason(outcome: Outcome): CodedError {
  if (outcome.status === "success") return new CodedError("CANCELLED", "the job has already returned its result");
  const { code, message, retryable, details } = outcome.error;
  return new CodedError(code, message, { retryable, ...(details && { details }) });
}
