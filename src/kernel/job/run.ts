/** Runs attempts: from the moment a job's start is durable until its outcome is fixed, whoever fixes it. */
import type { Log } from "../../platform/log.ts";
import type { Timer, World } from "../../platform/world.ts";
import { CodedError } from "../../protocol/errors.ts";
import type { AgentReturn, Agents } from "../agents-port.ts";
import { createGuard } from "../authority/guard.ts";
import type { JobId } from "../ids.ts";
import type { Store } from "../ports.ts";
import type { ActiveJob } from "./active-job.ts";
import { Attempt } from "./attempt.ts";
import { armDeadline } from "./deadlines.ts";
import type { Outcome } from "./job-state.ts";
import { readSubmission } from "./submission.ts";

/** What a run holds on to until its job's outcome is fixed. */
interface Run {
  readonly deadline: Timer | undefined;
  /** Runs until the next attempt may start. */
  pause?: Timer;
  attempt?: Attempt;
}

export class Runner {
  readonly #agents: Agents;
  readonly #store: Store;
  readonly #world: World;
  readonly #log: Log;
  readonly #runs = new Map<JobId, Run>();

  constructor(options: { agents: Agents; store: Store; world: World; log: Log }) {
    this.#agents = options.agents;
    this.#store = options.store;
    this.#world = options.world;
    this.#log = options.log;
  }

  /** Takes charge of a job: from now on its deadline ends it, whether or not an attempt is under way. */
  hold(job: ActiveJob): void {
    this.#runs.set(job.record.id, {
      deadline: armDeadline(job.record, this.#world, (outcome) => this.end(job, outcome)),
    });
  }

  /**
   * Starts the next attempt of a held job as soon as its start is durable.
   * @param parsed the checked input, where the caller has it; later attempts read it from the submission again.
   */
  start(job: ActiveJob, parsed?: { readonly input: unknown }): void {
    if (job.apply({ type: "start" }) === undefined) return;
    job.whenCommitted((error) => {
      const run = this.#runs.get(job.record.id);
      if (error === undefined && run !== undefined) void this.#attempt(job, run, parsed);
    });
  }

  /** Starts the next attempt of a held job after `pauseMs`, unless it is released before. */
  startAfter(job: ActiveJob, pauseMs: number): void {
    const run = this.#runs.get(job.record.id);
    if (run !== undefined) run.pause = this.#world.timers.after(pauseMs, () => this.start(job));
  }

  /**
   * Fixes a job's outcome and shuts its agent out, in this turn. With nothing to wind down the terminal goes into the
   * same commit. Returns false when the outcome was fixed before.
   */
  end(job: ActiveJob, outcome: Outcome): boolean {
    if (job.apply({ type: "end", outcome }) === undefined) return false;
    this.release(job.record.id, () => stopReason(outcome));
    job.apply({ type: "settle" });
    return true;
  }

  /** Lets go of a job: stops its clock and shuts its agent out. */
  release(id: JobId, reason: () => CodedError): void {
    const run = this.#runs.get(id);
    if (run === undefined) return;
    this.#runs.delete(id);
    run.deadline?.cancel();
    run.pause?.cancel();
    run.attempt?.stop(reason);
  }

  async #attempt(job: ActiveJob, run: Run, parsed: { readonly input: unknown } | undefined): Promise<void> {
    const { record } = job;
    /** False once the job was released: its outcome is fixed, or is another's to fix. */
    const held = (): boolean => this.#runs.get(record.id) === run;
    try {
      const agent = this.#agents.resolve(`${record.agent}@${record.version}`);
      const input = parsed === undefined ? await agent.parseInput(readSubmission(record).input) : parsed.input;
      const steps = new Map<string, string | null>();
      if (record.attempt > 1) {
        for (const step of await this.#store.readSteps(record.id)) steps.set(step.name, step.value);
      }
      if (!held()) return;
      const attempt = new Attempt(job, createGuard(record.expiresAt, this.#world.clock), steps);
      run.attempt = attempt;
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
}

function succeeded(returned: AgentReturn): Outcome {
  return { status: "success", ...returned };
}

function internalError(error: unknown): CodedError {
  const message =
    error instanceof Error ? error.message : `it threw ${typeof error === "object" ? "an object" : String(error)}`;
  return new CodedError("INTERNAL_ERROR", `the agent failed: ${message}`, { cause: error });
}

/** What a shut-out agent's signal and its further calls report. */
function stopReason(outcome: Outcome): CodedError {
  if (outcome.status === "success") return new CodedError("CANCELLED", "the job has already returned its result");
  const { code, message, retryable, details } = outcome.error;
  return new CodedError(code, message, { retryable, ...(details && { details }) });
}
