/**
 * One attempt of the agent function: the `JobHost` an agent's context stands on. Shut out the moment the job leaves
 * `running`: from then on nothing it does is recorded, and everything it awaits rejects with the reason.
 */

import { CodedError } from "../../protocol/errors.ts";
import type { AppendedKind, DelegatedJob, DelegateRequest, JobHost } from "../agents-port.ts";
import type { Amounts } from "../authority/amounts.ts";
import type { BudgetView } from "../authority/budget-view.ts";
import type { Guard } from "../authority/guard.ts";
import type { Grant, PermissionAsk } from "../authority/permission-ask.ts";
import type { LogMeter } from "../log/log-meter.ts";
import type { ArtifactRow } from "../ports.ts";
import type { ActiveJob } from "./active-job.ts";
import type { ArtifactIntake, ArtifactLabel, JobArtifacts } from "./artifacts.ts";
import type { Delegations, Delegator } from "./delegate.ts";
import type { JobRecord } from "./job-record.ts";
import { type Metric, metricBody } from "./metric.ts";
import type { PermissionRequests, Requester } from "./request-permission.ts";
import type { ReservationHandle } from "./reservations.ts";

/** Longest body of one event, in UTF-16 units of JSON text: ASCII then still fits a 1 MiB frame with its envelope. */
export const MAX_ENTRY_LENGTH = 1_000_000;

/** Longest value of one step, in UTF-16 units of JSON text: it is written, and removed, in one piece. */
export const MAX_STEP_LENGTH = 4_194_304;

/** What bounds the job's log. */
export interface LogBound {
  readonly meter: LogMeter;
  /** Ends the job, which shuts the attempt out. */
  onFull(error: CodedError): void;
}

export interface AttemptParts {
  readonly guard: Guard;
  /** What earlier attempts recorded. */
  readonly steps: ReadonlyMap<string, string | null>;
  readonly artifacts: JobArtifacts;
  readonly bound: LogBound;
  beginDelegating(delegator: Delegator): Delegations;
  beginRequesting(requester: Requester): PermissionRequests;
}

export class Attempt implements JobHost {
  readonly job: JobRecord;
  readonly attempt: number;
  readonly guard: Guard;
  readonly steps: ReadonlyMap<string, string | null>;
  readonly #active: ActiveJob;
  readonly #bound: LogBound;
  readonly #artifacts: JobArtifacts;
  readonly #beginDelegating: AttemptParts["beginDelegating"];
  readonly #beginRequesting: AttemptParts["beginRequesting"];
  #intake: ArtifactIntake | undefined;
  #delegations: Delegations | undefined;
  #requests: PermissionRequests | undefined;
  #controller: AbortController | undefined;
  #stopped: (() => CodedError) | undefined;
  #expired: CodedError | undefined;
  /** Set once the lease has expired: why the signal is aborted while the agent is not yet shut out. */
  #unwinding: CodedError | undefined;

  constructor(active: ActiveJob, { guard, steps, artifacts, bound, beginDelegating, beginRequesting }: AttemptParts) {
    this.#active = active;
    this.#bound = bound;
    this.#artifacts = artifacts;
    this.#beginDelegating = beginDelegating;
    this.#beginRequesting = beginRequesting;
    this.job = active.record;
    this.attempt = active.record.attempt;
    this.guard = {
      check: (operation) => {
        this.#assertRunning();
        try {
          return guard.check(operation);
        } catch (refusal) {
          if (refusal instanceof CodedError && refusal.code === "LEASE_EXPIRED") this.#expired ??= refusal;
          throw refusal;
        }
      },
    };
    this.steps = steps;
  }

  get budget(): { view(): BudgetView } {
    return { view: () => this.#active.purse?.view() ?? {} };
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      const reason = this.#unwinding ?? this.#stopped?.();
      if (reason !== undefined) this.#controller.abort(reason);
    }
    return this.#controller.signal;
  }

  /** The refusal of an operation tried after the lease's expiry: it ends the job, whatever the agent makes of it (§9.5). */
  get expired(): CodedError | undefined {
    return this.#expired;
  }

  append(kind: AppendedKind, name: string, body: string): Promise<void> | undefined {
    this.#assertRunning();
    this.#admitEntry(name, body);
    return this.#active.append(kind, name, body);
  }

  report({ name, value, unit, dimensions }: Metric): Promise<void> | undefined {
    this.#assertRunning();
    // Read once: a getter may say something else to the log than to the counters.
    const metric = { name, value, unit, dimensions };
    const body = metricBody(metric);
    this.#admitEntry("metric", body);
    return this.#active.report(metric, body);
  }

  async reserve(amounts: Amounts, key?: string): Promise<ReservationHandle> {
    this.#assertRunning();
    const { handle, isNew } = this.#active.reservations.reserve(amounts, key, {
      report: (metric) => this.report(metric),
      assertRunning: () => this.#assertRunning(),
      isStopped: () => this.#stopped !== undefined,
    });
    if (isNew) await this.flush();
    return handle;
  }

  flush(): Promise<void> {
    this.#assertRunning();
    return new Promise((resolve, reject) => {
      this.#active.whenCommitted((error) => {
        if (this.#stopped !== undefined) reject(this.#stopped());
        else if (error !== undefined) reject(error);
        else resolve();
      });
    });
  }

  recordStep(name: string, value: string | null): Promise<void> {
    this.#assertRunning();
    if (value !== null && value.length > MAX_STEP_LENGTH) {
      throw new CodedError(
        "INVALID_REQUEST",
        `the value of step "${name}" has ${value.length} characters; at most ${MAX_STEP_LENGTH} are recorded: keep it with ctx.artifact`,
        { details: { field: "step.value", limit: MAX_STEP_LENGTH } },
      );
    }
    this.#admit(value ?? "");
    this.#active.addStep({ job: this.job.id, name, value });
    return this.flush();
  }

  async putArtifact(
    label: ArtifactLabel,
    content: AsyncIterable<Uint8Array>,
    tell: (row: ArtifactRow) => string,
  ): Promise<ArtifactRow> {
    this.#assertRunning();
    this.#intake ??= this.#artifacts.intake(this.#active, this.attempt, this.signal, (body) => {
      this.append("artifact_ref", "artifact_ref", body);
    });
    return this.#intake.put(label, content, tell);
  }

  async delegate(request: DelegateRequest): Promise<DelegatedJob> {
    this.#assertRunning();
    this.#delegations ??= this.#beginDelegating({
      job: this.#active,
      guard: this.guard,
      signal: this.signal,
      tell: (body) => {
        this.#admitEntry("delegate", body);
        void this.#active.append("delegate", "delegate", body);
      },
      assertRunning: () => this.#assertRunning(),
    });
    return this.#delegations.delegate(request);
  }

  async requestPermission(ask: PermissionAsk): Promise<Grant> {
    this.#assertRunning();
    this.#requests ??= this.#beginRequesting({
      job: this.#active,
      guard: this.guard,
      signal: this.signal,
      admit: (text) => this.#admit(text),
      assertRunning: () => this.#assertRunning(),
    });
    return await this.#requests.request(ask);
  }

  /** Tells the agent that the lease has expired: it may unwind, and the guard refuses whatever it begins. */
  expire(expired: CodedError): void {
    if (this.#stopped !== undefined || this.#unwinding !== undefined) return;
    this.#unwinding = expired;
    this.#controller?.abort(expired);
  }

  /** Shuts the agent out. Idempotent: the first reason stands. It is made only where somebody asks for it. */
  stop(reason: () => CodedError): void {
    if (this.#stopped !== undefined) return;
    this.#stopped = reason;
    this.#controller?.abort(reason());
  }

  #admitEntry(name: string, body: string): void {
    if (body.length > MAX_ENTRY_LENGTH) {
      throw new CodedError(
        "INVALID_REQUEST",
        `a ${name} event of ${body.length} characters; at most ${MAX_ENTRY_LENGTH} fit one event`,
        {
          details: { field: "body", limit: MAX_ENTRY_LENGTH },
        },
      );
    }
    this.#admit(body);
  }

  /** An entry that does not fit ends the job, whatever the agent makes of it; nothing of the entry is recorded. */
  #admit(body: string): void {
    const { meter, onFull } = this.#bound;
    if (meter.admit(body)) return;
    onFull(
      new CodedError("INTERNAL_ERROR", `the job's log has reached its limit of ${meter.limit} bytes (maxLogBytes)`, {
        details: { limit: "maxLogBytes", bytes: meter.limit },
      }),
    );
    this.#assertRunning();
  }

  #assertRunning(): void {
    if (this.#stopped !== undefined) throw this.#stopped();
  }
}
