/**
 * Keeps the history of ended jobs within an age and a size. A tree is chosen first and removed a while later, unless
 * somebody has read of it meanwhile: so that nothing is taken from under a reader. It goes between two commits, and
 * whoever then plans to name it asks first (`keep`): so that no commit names a job that is gone, however slow the store.
 * It goes in short steps with pauses between, so that no job waits long for the store.
 */
import type { Log } from "../../platform/log.ts";
import type { Timer, World } from "../../platform/world.ts";
import type { JobId } from "../ids.ts";
import type { GroupCommit } from "../log/group-commit.ts";
import type { JobPlace, RemovalStep, Store } from "../ports.ts";
import { StoreError } from "../store-error.ts";

export interface RetentionLimits {
  /** How long an ended job's history is kept, in seconds. Default: 30 days. `Infinity`: for ever. */
  readonly maxAgeSec: number;
  /** How large the store may grow before the oldest ended jobs are removed, in bytes. Default: 10 GiB. */
  readonly maxBytes: number;
}

const DEFAULT_RETENTION: RetentionLimits = { maxAgeSec: 2_592_000, maxBytes: 10_737_418_240 };

/** How often it is looked for what may go. */
const LOOK_EVERY_MS = 60_000;
/** From the choice of a tree to its removal: longer than any read of it and commit about it takes. */
const GRACE_MS = 10_000;
/** Trees chosen at a time. */
const MAX_CHOSEN = 8_192;
/** Chosen for their size alone: few, since nobody knows how much each will free. */
const CHOSEN_FOR_SIZE = 256;
const TREES_PER_PAGE = 256;
/** Where hardly anything may go, a look ends after so many pages, and the next one goes on from there. */
const PAGES_PER_LOOK = 64;
const TREES_PER_STEP = 64;
const TREES_PER_STEP_FOR_SIZE = 4;
const PAUSE_MS = 10;
/** And this many times as long as the step took, where looking at who needs what takes long. */
const PAUSE_PER_STEP = 4;
/** Trees remembered as gone: those removed last, for whoever read of them before and is slow to say so. */
const MAX_REMEMBERED = 16_384;

/** @throws RangeError that names the limit and what it may be. */
export function completeRetention(given: Partial<RetentionLimits> = {}): RetentionLimits {
  const { maxAgeSec = DEFAULT_RETENTION.maxAgeSec, maxBytes = DEFAULT_RETENTION.maxBytes } = given;
  const limits = { maxAgeSec, maxBytes };
  for (const [name, value] of Object.entries(limits)) {
    if (typeof value !== "number" || !(value >= 0)) {
      throw new RangeError(`retention.${name} is ${String(value)}: it must be a number from 0 on, or Infinity`);
    }
  }
  return limits;
}

/** How far a removal has come. */
interface Removing {
  /** Whether its trees were chosen only because the store is too large. */
  readonly isForSize: boolean;
  readonly total: number;
  /** Something of trees that are gone is left. */
  readonly more: boolean;
}

export class Retention {
  readonly #store: Store;
  readonly #commits: GroupCommit;
  readonly #world: World;
  readonly #log: Log;
  readonly #limits: RetentionLimits;
  readonly #onFatal: (error: unknown) => void;
  readonly #onRemoved: () => void;
  /** Roots to be removed. Whoever reads of one takes it out. */
  readonly #chosen = new Set<JobId>();
  /** Roots that are gone, or just going. */
  readonly #gone = new Set<JobId>();
  /** Where the last look ended; undefined when it came to the end. */
  #lookedTo: JobPlace | undefined;
  #timer: Timer | undefined;
  #closed = false;

  constructor(options: {
    store: Store;
    commits: GroupCommit;
    world: World;
    log: Log;
    limits: RetentionLimits;
    onFatal: (error: unknown) => void;
    /** Trees were removed: what they alone named may go as well. */
    onRemoved: () => void;
  }) {
    this.#store = options.store;
    this.#commits = options.commits;
    this.#world = options.world;
    this.#log = options.log;
    this.#limits = options.limits;
    this.#onFatal = options.onFatal;
    this.#onRemoved = options.onRemoved;
  }

  start(): void {
    this.#after(LOOK_EVERY_MS, () => this.#choose());
  }

  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
  }

  /** True while trees are chosen: whoever reads of one has to say so. */
  get isAboutToRemove(): boolean {
    return this.#chosen.size > 0;
  }

  /** Somebody reads of this tree: it stays for now. */
  touch(root: JobId): void {
    this.#chosen.delete(root);
  }

  /**
   * A commit that is being planned names a job of this tree: it stays for now.
   * @returns false when it is gone, or just going: then the commit must not name it.
   */
  keep(root: JobId): boolean {
    this.#chosen.delete(root);
    return !this.#gone.has(root);
  }

  /** Marks what may go, and removes it after the grace period. */
  async #choose(): Promise<void> {
    const { maxAgeSec, maxBytes } = this.#limits;
    const now = this.#world.clock.now();
    // Also tells whether the database is still there.
    const size = await this.#store.readSize();
    if (maxAgeSec !== Infinity) await this.#collect(now - maxAgeSec * 1_000, MAX_CHOSEN);
    const isForSize = this.#chosen.size === 0 && size > maxBytes;
    if (isForSize) await this.#collect(now - GRACE_MS, CHOSEN_FOR_SIZE);
    if (this.#closed) return;
    if (this.#chosen.size === 0) this.#after(LOOK_EVERY_MS, () => this.#choose());
    else this.#after(GRACE_MS, () => this.#remove({ isForSize, total: 0, more: false }));
  }

  async #collect(endedBefore: number, most: number): Promise<void> {
    let from = this.#lookedTo;
    const until = this.#chosen.size + most;
    for (let page = 0; page < PAGES_PER_LOOK && this.#chosen.size < until && !this.#closed; page++) {
      const limit = Math.min(TREES_PER_PAGE, until - this.#chosen.size);
      const found = await this.#store.findRemovable({ endedBefore, limit, ...(from === undefined ? {} : { from }) });
      for (const root of found.roots) this.#chosen.add(root);
      from = found.next;
      if (from === undefined) break;
      // Others between two pages.
      await new Promise<void>((resolve) => this.#world.timers.soon(resolve));
    }
    this.#lookedTo = from;
  }

  /** One step: what is left of trees removed before, or the next trees. Ends early once the size is what it may be. */
  async #remove({ isForSize, total: before, more: isLeft }: Removing): Promise<void> {
    if (isForSize && !isLeft && (await this.#store.readSize()) <= this.#limits.maxBytes) this.#chosen.clear();
    const trees = isForSize ? TREES_PER_STEP_FOR_SIZE : TREES_PER_STEP;
    const { removed, more, tookMs } = await this.#removeBetweenCommits(isLeft ? 0 : trees);
    const total = before + removed;
    if (this.#closed) return;
    if (more || this.#chosen.size > 0) {
      const pauseMs = Math.max(PAUSE_MS, tookMs * PAUSE_PER_STEP);
      this.#after(pauseMs, () => this.#remove({ isForSize, total, more }));
      return;
    }
    if (total > 0) {
      this.#log.info({ trees: total }, "removed the history of ended jobs");
      this.#onRemoved();
    }
    // There may be more to go than could be chosen at once.
    this.#after(total >= CHOSEN_FOR_SIZE ? PAUSE_MS : LOOK_EVERY_MS, () => this.#choose());
  }

  /** Removes the next trees, at most so many. Plans of follows that are made before it have kept theirs. */
  #removeBetweenCommits(most: number): Promise<RemovalStep & { readonly tookMs: number }> {
    const { clock } = this.#world;
    return new Promise((resolve, reject) => {
      this.#commits.plan(() => {
        const startedAt = clock.now();
        const roots = [...this.#chosen].slice(0, most);
        for (const root of roots) {
          this.#chosen.delete(root);
          this.#gone.add(root);
        }
        this.#removeTrees(roots).then((step) => resolve({ ...step, tookMs: clock.now() - startedAt }), reject);
        return undefined;
      });
    });
  }

  async #removeTrees(roots: readonly JobId[]): Promise<RemovalStep> {
    try {
      const step = await this.#store.removeTrees(roots);
      if (step.removed < roots.length) await this.#recall(roots);
      return step;
    } catch (error) {
      for (const root of roots) this.#gone.delete(root);
      throw error;
    } finally {
      for (const root of this.#gone) {
        if (this.#gone.size <= MAX_REMEMBERED) break;
        this.#gone.delete(root);
      }
    }
  }

  /** Some were left as they are, since a stream needs them. */
  async #recall(roots: readonly JobId[]): Promise<void> {
    for (const root of roots) if ((await this.#store.readJob(root)) !== undefined) this.#gone.delete(root);
  }

  #after(delayMs: number, work: () => Promise<void>): void {
    if (this.#closed) return;
    this.#timer = this.#world.timers.after(delayMs, () => {
      work().catch((error: unknown) => {
        if (this.#closed) return;
        this.#chosen.clear();
        if (error instanceof StoreError && error.fatal) {
          this.#onFatal(error);
          return;
        }
        this.#log.warn({ err: error }, "the history of ended jobs could not be looked after; trying again");
        this.#after(LOOK_EVERY_MS, () => this.#choose());
      });
    });
  }
}
