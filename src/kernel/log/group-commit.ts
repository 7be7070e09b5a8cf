/**
 * Group commit: everything that became dirty in one turn of the event loop goes to the store as one batch, with the
 * rows the faces add to it. One commit is in flight at a time; what comes meanwhile waits for the next. Where many have
 * much to write, a batch ends once it is long: the rest waits in its order, so that nobody is held up by one long commit.
 * What ties the jobs of a tree together never parts: states, counters and holds that moved in one turn are in one commit.
 *
 * Commit, then publish: `committed` callbacks run only after the store has answered, kernel first, faces after, in the
 * order in which things were added. A refused tree is dropped and the rest is planned and committed again; any other
 * failure of the store fails the whole batch.
 */
import type { Log } from "../../platform/log.ts";
import type { Timers } from "../../platform/world.ts";
import type { JobId } from "../ids.ts";
import type { CommitBatch, Rows, Store, TreeClaim } from "../ports.ts";
import type { Contribution, Contributor, Transition } from "./contributor.ts";

/** One job's part of a commit, taken at the moment the batch is made. */
export interface Staged {
  readonly root: JobId;
  /** Absent while the root is inserted by this very batch. */
  readonly claim: TreeClaim | undefined;
  readonly transition: Transition;
  readonly rows: Partial<Rows>;
  /** About how much there is to write, in UTF-16 units. */
  readonly length: number;
  committed(): void;
  failed(error: unknown): void;
}

/** Something that has rows to commit: asked for them once per turn in which it was touched. */
export interface TransitionSource {
  /** The root of its tree. */
  readonly root: JobId;
  /** Whether what it has must be in one commit with what other jobs of its tree have. Its mere entries need not. */
  readonly isTied: boolean;
  stage(): Staged | undefined;
}

/** Plans a contribution when the batch is made; may be asked again if the batch has to be made anew. */
export type Plan = () => Contribution | undefined;

/** A tree of this commit is owned by another node now. */
export class StaleTreeError extends Error {
  override readonly name = "StaleTreeError";
}

const NO_ROWS: Partial<Rows> = {};
/** From this length on nobody is added to a batch: some 10 to 20 ms of writing, and what one job may add beyond. */
const MAX_BATCH_LENGTH = 1_048_576;

export class GroupCommit {
  readonly #store: Store;
  readonly #timers: Timers;
  readonly #log: Log;
  readonly #contributors: readonly Contributor[];
  readonly #onFailed: (error: unknown) => void;
  #sources = new Set<TransitionSource>();
  #plans: Plan[] = [];
  #scheduled = false;
  #inFlight = false;
  #idle: (() => void)[] = [];

  /** @param options.onFailed hears of a commit that failed whole, after those whose rows were in it. */
  constructor(options: {
    store: Store;
    timers: Timers;
    log: Log;
    contributors: readonly Contributor[];
    onFailed: (error: unknown) => void;
  }) {
    this.#store = options.store;
    this.#timers = options.timers;
    this.#log = options.log;
    this.#contributors = options.contributors;
    this.#onFailed = options.onFailed;
  }

  /** `source` has something for the next commit. */
  touch(source: TransitionSource): void {
    this.#sources.add(source);
    this.#schedule();
  }

  /** `source` has something for the next commit, where it comes after all that have by now. */
  touchLast(source: TransitionSource): void {
    this.#sources.delete(source);
    this.touch(source);
  }

  /** Adds rows that belong to no job's transition. They are planned after the faces have planned theirs. */
  plan(plan: Plan): void {
    this.#plans.push(plan);
    this.#schedule();
  }

  /** Resolves when nothing is waiting and nothing is in flight. */
  idle(): Promise<void> {
    if (!this.#scheduled && !this.#inFlight) return Promise.resolve();
    return new Promise((resolve) => this.#idle.push(resolve));
  }

  #schedule(): void {
    if (this.#scheduled || this.#inFlight) return;
    this.#scheduled = true;
    this.#timers.soon(() => {
      this.#scheduled = false;
      void this.#flush();
    });
  }

  async #flush(): Promise<void> {
    const sources = this.#sources;
    const plans = this.#plans;
    this.#sources = new Set();
    this.#plans = [];

    const staged: Staged[] = [];
    /** The trees of a batch that is long enough: only what is tied to one of them is added still. */
    let trees: ReadonlySet<JobId> | undefined;
    let length = 0;
    for (const source of sources) {
      if (length >= MAX_BATCH_LENGTH) {
        trees ??= new Set(staged.map(({ root }) => root));
        if (!source.isTied || !trees.has(source.root)) {
          this.#sources.add(source);
          continue;
        }
      }
      const part = source.stage();
      if (part === undefined) continue;
      staged.push(part);
      length += part.length;
    }
    this.#inFlight = true;
    try {
      await this.#commit(staged, plans);
    } finally {
      this.#inFlight = false;
      if (this.#sources.size > 0 || this.#plans.length > 0) this.#schedule();
      else for (const resolve of this.#idle.splice(0)) resolve();
    }
  }

  async #commit(staged: readonly Staged[], plans: readonly Plan[]): Promise<void> {
    let remaining = staged;
    for (;;) {
      let contributions: Contribution[];
      try {
        contributions = this.#contribute(remaining, plans);
      } catch (error) {
        // Nothing of a transition is committed without the rows of every face. Rows that belong to none go on.
        this.#log.error(
          { err: error, jobs: remaining.length },
          "a face cannot add its rows; what fed this commit is discarded",
        );
        for (const part of remaining) this.#guarded(() => part.failed(error));
        remaining = [];
        continue;
      }
      if (remaining.length === 0 && contributions.length === 0) return;
      let refused: readonly JobId[];
      try {
        const outcome = await this.#store.commit(makeBatch(remaining, contributions));
        refused = outcome.committed ? [] : outcome.refused;
      } catch (error) {
        this.#log.error({ err: error, jobs: remaining.length }, "a commit failed; what fed it is discarded");
        for (const part of remaining) this.#guarded(() => part.failed(error));
        for (const contribution of contributions) this.#guarded(() => contribution.failed?.(error));
        this.#onFailed(error);
        return;
      }
      if (refused.length === 0) {
        for (const part of remaining) this.#guarded(() => part.committed());
        for (const contribution of contributions) this.#guarded(() => contribution.committed());
        return;
      }
      const stale = new Set(refused);
      for (const part of remaining) {
        if (stale.has(part.root))
          this.#guarded(() => part.failed(new StaleTreeError(`tree ${part.root} has moved to another node`)));
      }
      remaining = remaining.filter((part) => !stale.has(part.root));
    }
  }

  #contribute(staged: readonly Staged[], plans: readonly Plan[]): Contribution[] {
    const contributions: Contribution[] = [];
    const add = (contribution: Contribution | undefined): void => {
      if (contribution !== undefined) contributions.push(contribution);
    };
    if (staged.length > 0) {
      const transitions = staged.map((part) => part.transition);
      for (const contributor of this.#contributors) add(contributor.contribute(transitions));
    }
    for (const plan of plans) this.#guarded(() => add(plan()));
    return contributions;
  }

  /** One caller's fault must not keep the others from their commit, or from hearing of it. */
  #guarded(run: () => void): void {
    try {
      run();
    } catch (error) {
      this.#log.error({ err: error }, "a listener or plan of a commit threw");
    }
  }
}

type MutableRows = { [Table in keyof Rows]?: Rows[Table][number][] };

function makeBatch(staged: readonly Staged[], contributions: readonly Contribution[]): CommitBatch {
  const rows: MutableRows = {};
  const claims = new Map<JobId, TreeClaim>();
  for (const part of staged) {
    if (part.claim !== undefined) claims.set(part.claim.root, part.claim);
    addRows(rows, part.rows);
  }
  for (const contribution of contributions) addRows(rows, contribution.rows ?? NO_ROWS);
  return { claims: [...claims.values()], rows: rows as Partial<Rows> };
}

function addRows(into: MutableRows, rows: Partial<Rows>): void {
  for (const table in rows) {
    const key = table as keyof Rows;
    const added = rows[key];
    if (added === undefined || added.length === 0) continue;
    const target = into[key] as unknown[] | undefined;
    if (target === undefined) (into as Record<string, unknown[]>)[key] = [...added];
    else for (const row of added) target.push(row);
  }
}
