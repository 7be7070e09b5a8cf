/**
 * A store whose commits can be held, failed or refused, to show what happens around them: nothing may be published
 * before its commit, and a restart must find what was.
 */

import type { JobId } from "../kernel/ids.ts";
import type { CommitBatch, CommitOutcome, Store } from "../kernel/ports.ts";
import { StoreError } from "../kernel/store-error.ts";
import { createMemoryStore, type MemorySnapshot, type MemoryStore } from "../stores/memory/memory-store.ts";

/** One-shot faults strike the next commit that is forwarded, in the order they were ordered; reads are never touched. */
export interface FaultyStore extends Store {
  /** From now on commits wait and are not forwarded. */
  hold(): void;
  /** Forwards every held commit, oldest first, and those that come from now on. */
  release(): void;
  /** How many commits are held. */
  readonly held: number;
  /** The next commit rejects, and writes nothing. Default error: a `StoreError` that is not fatal. */
  failNext(error?: Error): void;
  /**
   * The next commit is written, and its answer is wrong: a rejection with `error` (default: a fatal `StoreError`), or,
   * with `"lost"`, no answer at all, as when the process dies before it.
   */
  failAfterApply(error?: Error | "lost"): void;
  /** From now on every commit rejects and writes nothing, as on a full disk; reads go on. Until `freeDisk`. */
  fillDisk(): void;
  freeDisk(): void;
  /** The next commit writes nothing and is refused, as if another node had claimed the trees of these roots. */
  refuseNext(roots: readonly JobId[]): void;
}

/** A faulty store over a memory store: it can show what a crash at this moment would leave. */
export interface CrashableStore extends FaultyStore {
  /**
   * What a restart would find now: every commit that was acknowledged, and, of those under way, a prefix. A commit is
   * under way while it is held, and after `failAfterApply` struck it until a later write is acknowledged.
   * @param survives asked for each commit under way, oldest first, until it says no; default: none survives.
   * @returns what to begin a new store with: `createMemoryStore(image)`.
   */
  crashImage(survives?: (batch: CommitBatch) => boolean): Promise<MemorySnapshot>;
}

type Fault =
  | { readonly type: "fail"; readonly error: Error }
  | { readonly type: "apply"; readonly error: Error | "lost" }
  | { readonly type: "refuse"; readonly roots: readonly JobId[] };

interface HeldCommit {
  readonly batch: CommitBatch;
  forward(): void;
}

export function createFaultyStore(inner: MemoryStore): CrashableStore;
export function createFaultyStore(inner: Store): FaultyStore;
export function createFaultyStore(inner: Store): FaultyStore & Partial<CrashableStore> {
  const faults: Fault[] = [];
  let holding = false;
  let isFull = false;
  let waiting: HeldCommit[] = [];
  /** What was written without being acknowledged, and what the store held before. */
  let doubtful: { readonly before: MemorySnapshot; readonly batches: CommitBatch[] } | undefined;

  async function forward(batch: CommitBatch): Promise<CommitOutcome> {
    if (isFull) throw new StoreError("the disk is full");
    const fault = faults.shift();
    switch (fault?.type) {
      case "fail":
        throw fault.error;
      case "refuse":
        return { committed: false, refused: fault.roots };
      case "apply":
        return applyInDoubt(batch, fault.error);
      case undefined: {
        const outcome = await inner.commit(batch);
        if (outcome.committed) doubtful = undefined;
        return outcome;
      }
    }
  }

  async function applyInDoubt(batch: CommitBatch, error: Error | "lost"): Promise<CommitOutcome> {
    if (isMemoryStore(inner)) {
      doubtful ??= { before: inner.snapshot(), batches: [] };
      doubtful.batches.push(batch);
    }
    await inner.commit(batch);
    if (error === "lost") return new Promise<never>(() => {});
    throw error;
  }

  const faulty: FaultyStore = {
    // Forwarded by hand, since a store need not be an instance of anything.
    async claimTrees(node) {
      const claimed = await inner.claimTrees(node);
      doubtful = undefined;
      return claimed;
    },
    readJob: (id) => inner.readJob(id),
    readTree: (root) => inner.readTree(root),
    readInput: (job) => inner.readInput(job),
    readHeads: (jobs) => inner.readHeads(jobs),
    listJobs: (query) => inner.listJobs(query),
    listAudit: (query) => inner.listAudit(query),
    readChunks: (query) => inner.readChunks(query),
    readLatest: (job, codes) => inner.readLatest(job, codes),
    readIdempotency: (principal, key) => inner.readIdempotency(principal, key),
    readSteps: (job) => inner.readSteps(job),
    readBudgets: (jobs) => inner.readBudgets(jobs),
    readHolds: (job, after) => inner.readHolds(job, after),
    readPermission: (id) => inner.readPermission(id),
    readPermissionsOf: (job) => inner.readPermissionsOf(job),
    listPermissions: (query) => inner.listPermissions(query),
    readArtifact: (id) => inner.readArtifact(id),
    sumArtifacts: (job) => inner.sumArtifacts(job),
    findNamedContents: (digests) => inner.findNamedContents(digests),
    readLogBytes: (job) => inner.readLogBytes(job),
    readSize: () => inner.readSize(),
    findRemovable: (query) => inner.findRemovable(query),
    removeTrees: (roots) => inner.removeTrees(roots),
    removeCommands: (createdBefore, limit) => inner.removeCommands(createdBefore, limit),
    readSession: (id) => inner.readSession(id),
    readSegments: (session, after, limit) => inner.readSegments(session, after, limit),
    listSessions: () => inner.listSessions(),
    measureSession: (id) => inner.measureSession(id),
    readCommands: (node) => inner.readCommands(node),
    readCommandOutcome: (id) => inner.readCommandOutcome(id),
    onWake: (listener) => inner.onWake(listener),
    close: () => inner.close(),

    commit(batch) {
      if (!holding) return forward(batch);
      return new Promise((resolve) => {
        waiting.push({ batch, forward: () => resolve(forward(batch)) });
      });
    },
    hold() {
      holding = true;
    },
    release() {
      holding = false;
      const released = waiting;
      waiting = [];
      for (const commit of released) commit.forward();
    },
    get held() {
      return waiting.length;
    },
    failNext: (error = new StoreError("the commit was made to fail")) => void faults.push({ type: "fail", error }),
    failAfterApply: (error = new StoreError("the commit's answer was made to fail", { fatal: true })) =>
      void faults.push({ type: "apply", error }),
    fillDisk() {
      isFull = true;
    },
    freeDisk() {
      isFull = false;
    },
    refuseNext: (roots) => void faults.push({ type: "refuse", roots }),
  };
  if (!isMemoryStore(inner)) return faulty;

  return Object.assign(faulty, {
    async crashImage(survives: (batch: CommitBatch) => boolean = () => false): Promise<MemorySnapshot> {
      const image = createMemoryStore(doubtful?.before ?? inner.snapshot());
      for (const batch of [...(doubtful?.batches ?? []), ...waiting.map((commit) => commit.batch)]) {
        if (!survives(batch)) break;
        // A commit that the store would reject leaves nothing, and a dead process hears no answer.
        await image.commit(batch).catch(() => undefined);
      }
      return image.snapshot();
    },
  });
}

function isMemoryStore(store: Store): store is MemoryStore {
  return "snapshot" in store;
}
