/**
 * One attempt of the agent function: the `JobHost` an agent's context stands on. Shut out the moment the job leaves
 * `running`: from then on nothing it does is recorded, and everything it awaits rejects with the reason.
 */

import { CodedError } from "../../protocol/errors.ts";
import type { EntryKind } from "../../protocol/event-kinds.ts";
import type { JobHost } from "../agents-port.ts";
import type { Guard } from "../authority/guard.ts";
import type { ActiveJob } from "./active-job.ts";
import type { JobRecord } from "./job-record.ts";

/** Longest body of one event, in UTF-16 units of JSON text: ASCII then still fits a 1 MiB frame with its envelope. */
export const MAX_ENTRY_LENGTH = 1_000_000;

export class Attempt implements JobHost {
  readonly job: JobRecord;
  readonly attempt: number;
  readonly guard: Guard;
  readonly steps: ReadonlyMap<string, string | null>;
  readonly #active: ActiveJob;
  #controller: AbortController | undefined;
  #stopped: (() => CodedError) | undefined;
  #expired: CodedError | undefined;

  constructor(active: ActiveJob, guard: Guard, steps: ReadonlyMap<string, string | null>) {
    this.#active = active;
    this.job = active.record;
    this.attempt = active.record.attempt;
    this.guard = {
      check: (operation) => {
        this.#assertRunning();
        try {
          guard.check(operation);
        } catch (refusal) {
          if (refusal instanceof CodedError && refusal.code === "LEASE_EXPIRED") this.#expired ??= refusal;
          throw refusal;
        }
      },
    };
    this.steps = steps;
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#stopped !== undefined) this.#controller.abort(this.#stopped());
    }
    return this.#controller.signal;
  }

  /** The refusal of an operation tried after the lease's expiry: it ends the job, whatever the agent makes of it (§9.5). */
  get expired(): CodedError | undefined {
    return this.#expired;
  }

  append(kind: EntryKind, name: string, body: string): Promise<void> | undefined {
    this.#assertRunning();
    if (body.length > MAX_ENTRY_LENGTH) {
      throw new CodedError(
        "INVALID_REQUEST",
        `a ${name} event of ${body.length} characters; at most ${MAX_ENTRY_LENGTH} fit one event`,
        {
          details: { field: "body", limit: MAX_ENTRY_LENGTH },
        },
      );
    }
    return this.#active.append(kind, name, body);
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
    this.#active.addStep({ job: this.job.id, name, value });
    return this.flush();
  }

  /** Shuts the agent out. Idempotent: the first reason stands. It is made only where somebody asks for it. */
  stop(reason: () => CodedError): void {
    if (this.#stopped !== undefined) return;
    this.#stopped = reason;
    this.#controller?.abort(reason());
  }

  #assertRunning(): void {
    if (this.#stopped !== undefined) throw this.#stopped();
  }
}
