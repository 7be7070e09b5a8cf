/** Listing jobs: the store looks at so many at a time, and between two such pages everyone else has a turn. */
import type { Timers } from "../../platform/world.ts";
import { type JobQuery, PAGE_LENGTH, type Store } from "../ports.ts";
import type { JobRecord } from "./job-record.ts";

/** Jobs that a store looks at for one page, however few of them match: 1 to 2 ms. */
export const JOBS_LOOKED_AT = 1_000;

/**
 * Jobs are looked at in the order of their insertion, and a listing by time ends at the first that is this much too old.
 * A runtime's clock that was set back by more, between two runs, may so hide jobs from listings by `createdAfter`.
 */
export const CLOCK_SLACK_MS = 3_600_000;

/** What a job adds to the length of a page. */
export function listedLength(job: JobRecord): number {
  return job.lease?.length ?? 0;
}

export class Listings {
  readonly #store: Pick<Store, "listJobs">;
  readonly #timers: Timers;
  /** When the last of those that go on has had its turn. */
  #turn: Promise<void> = Promise.resolve();

  constructor(store: Pick<Store, "listJobs">, timers: Timers) {
    this.#store = store;
    this.#timers = timers;
  }

  /**
   * Newest first: `limit` jobs, or fewer when there are no more, or when they reach `PAGE_LENGTH` together. One that looks
   * for what is rare among very many jobs takes long, and holds nobody up meanwhile.
   */
  async list(query: JobQuery): Promise<readonly JobRecord[]> {
    const found: JobRecord[] = [];
    let length = 0;
    let { from } = query;
    for (;;) {
      const limit = query.limit - found.length;
      const page = await this.#store.listJobs({ ...query, ...(from === undefined ? {} : { from }), limit });
      for (const job of page.jobs) {
        found.push(job);
        length += listedLength(job);
      }
      if (page.next === undefined || found.length >= query.limit || length >= PAGE_LENGTH) return found;
      from = page.next;
      await this.#nextTurn();
    }
  }

  /** One goes on in each turn of the event loop, however many there are. */
  #nextTurn(): Promise<void> {
    this.#turn = this.#turn.then(() => new Promise<void>((resolve) => this.#timers.soon(resolve)));
    return this.#turn;
  }
}
