/**
 * A job that waits for a person gives up its run slot, and takes one again, like any other job, before it goes on. Delegated
 * jobs have no slot of the runtime's, and keep the place they have with their agent: somebody waits for them.
 */
import type { RunnableAgent } from "../agents-port.ts";
import type { JobId } from "../ids.ts";
import type { PrincipalKey } from "../principal.ts";
import type { JobRecord } from "./job-record.ts";
import type { RunSlots } from "./run-slots.ts";

/** Jobs that may be without a slot at a time while they wait for people. Beyond, a waiting job keeps its slot. */
export const MAX_JOBS_ON_BREAK = 10_000;
/** The same for one principal. */
export const MAX_JOBS_ON_BREAK_PER_PRINCIPAL = 1_000;

interface Break {
  readonly record: JobRecord;
  readonly agent: RunnableAgent;
  /** Resolves once it has a slot again; absent until it wants one. */
  back?: Promise<void>;
}

export class SlotBreaks {
  readonly #slots: Pick<RunSlots, "take" | "release">;
  readonly #breaks = new Map<JobId, Break>();
  readonly #counts = new Map<PrincipalKey, number>();

  constructor(slots: Pick<RunSlots, "take" | "release">) {
    this.#slots = slots;
  }

  /** Does nothing for a job that has no slot to give. */
  leave(record: JobRecord, agent: RunnableAgent): void {
    const { id, parent, principal } = record;
    const count = this.#counts.get(principal) ?? 0;
    if (parent !== null || this.#breaks.has(id)) return;
    if (this.#breaks.size >= MAX_JOBS_ON_BREAK || count >= MAX_JOBS_ON_BREAK_PER_PRINCIPAL) return;
    this.#breaks.set(id, { record, agent });
    this.#counts.set(principal, count + 1);
    this.#slots.release(id);
  }

  /** Resolves once the job has a slot; at once where it gave up none. Never, when it is forgotten before. */
  back(id: JobId): Promise<void> {
    const left = this.#breaks.get(id);
    if (left === undefined) return Promise.resolve();
    left.back ??= new Promise((resolve) => {
      const taken = (): void => {
        this.forget(id);
        resolve();
      };
      if (this.#slots.take(left.record, left.agent, taken)) taken();
    });
    return left.back;
  }

  /** The job is given up. Its slot, or its place among the waiting, is its runner's to release. */
  forget(id: JobId): void {
    const left = this.#breaks.get(id);
    if (left === undefined) return;
    this.#breaks.delete(id);
    const { principal } = left.record;
    const count = (this.#counts.get(principal) ?? 1) - 1;
    if (count === 0) this.#counts.delete(principal);
    else this.#counts.set(principal, count);
  }
}
