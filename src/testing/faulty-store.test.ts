import { describe, expect, it } from "vitest";
import type { JobId } from "../kernel/ids.ts";
import type { CommitBatch, CommitOutcome, Store } from "../kernel/ports.ts";
import { StoreError } from "../kernel/store-error.ts";
import { aChunk, aJob, microtasks } from "../stores/contract/rows.ts";
import { createMemoryStore } from "../stores/memory/memory-store.ts";
import { describeStore } from "../stores/store-contract.ts";
import { createFaultyStore } from "./faulty-store.ts";

describeStore("a faulty store without faults", async () => {
  const inner = createMemoryStore();
  return {
    store: createFaultyStore(inner),
    reopen: async () => createFaultyStore(createMemoryStore(inner.snapshot())),
    dispose: () => inner.close(),
  };
});

const inserting = (id: JobId): CommitBatch => ({ claims: [], rows: { jobs: [aJob(id)] } });
const exists = async (store: Store, id: JobId) => (await store.readJob(id)) !== undefined;

/** Answers of commits by job, as they arrive. */
function recorder() {
  const answers: [JobId, CommitOutcome | Error][] = [];
  const commit = (store: Store, id: JobId): void => {
    store.commit(inserting(id)).then(
      (outcome) => answers.push([id, outcome]),
      (error: Error) => answers.push([id, error]),
    );
  };
  return { answers, commit };
}

describe("holding", () => {
  it("keeps commits from the store until they are released, in order", async () => {
    const store = createFaultyStore(createMemoryStore());
    const { answers, commit } = recorder();
    store.hold();
    commit(store, "a");
    commit(store, "b");
    await microtasks();
    expect([store.held, answers, await exists(store, "a")]).toEqual([2, [], false]);

    store.release();
    await microtasks();
    expect(answers).toEqual([
      ["a", { committed: true }],
      ["b", { committed: true }],
    ]);
    expect([store.held, await exists(store, "a"), await exists(store, "b")]).toEqual([0, true, true]);
    expect(await store.commit(inserting("c"))).toEqual({ committed: true });
  });

  it("passes on what the store says to a released commit", async () => {
    const store = createFaultyStore(createMemoryStore());
    store.hold();
    const rejected = expect(store.commit({ claims: [], rows: { chunks: [aChunk("nobody", 1, 1)] } })).rejects.toThrow();
    const refused = store.commit({ claims: [{ root: "nobody", epoch: 1 }], rows: {} });
    store.release();
    await rejected;
    expect(await refused).toEqual({ committed: false, refused: ["nobody"] });
  });
});

describe("one-shot faults", () => {
  it("fail one commit each, and write nothing of it", async () => {
    const store = createFaultyStore(createMemoryStore());
    store.failNext();
    store.failNext(new Error("as asked"));
    const failure = await store.commit(inserting("a")).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(StoreError);
    expect(failure).toMatchObject({ fatal: false });
    await expect(store.commit(inserting("a"))).rejects.toThrow("as asked");
    expect(await exists(store, "a")).toBe(false);
    expect(await store.commit(inserting("a"))).toEqual({ committed: true });
  });

  it("of a full disk last until there is room, and leave reads alone", async () => {
    const store = createFaultyStore(createMemoryStore());
    await store.commit(inserting("a"));
    store.fillDisk();
    for (const id of ["b", "c"]) await expect(store.commit(inserting(id))).rejects.toThrow("full");
    expect([await exists(store, "a"), await exists(store, "b")]).toEqual([true, false]);
    store.freeDisk();
    expect(await store.commit(inserting("b"))).toEqual({ committed: true });
  });

  it("refuse one commit, and write nothing of it", async () => {
    const store = createFaultyStore(createMemoryStore());
    store.refuseNext(["r1", "r2"]);
    expect(await store.commit(inserting("a"))).toEqual({ committed: false, refused: ["r1", "r2"] });
    expect(await exists(store, "a")).toBe(false);
    expect(await store.commit(inserting("a"))).toEqual({ committed: true });
  });

  it("write a commit and answer wrongly, or never", async () => {
    const store = createFaultyStore(createMemoryStore());
    const { answers, commit } = recorder();
    store.failAfterApply();
    await expect(store.commit(inserting("a"))).rejects.toMatchObject({ fatal: true });
    expect(await exists(store, "a")).toBe(true);
    store.failAfterApply("lost");
    commit(store, "b");
    await microtasks();
    expect(answers).toEqual([]);
    expect(await exists(store, "b")).toBe(true);
  });

  it("strike a held commit when it is released", async () => {
    const store = createFaultyStore(createMemoryStore());
    store.hold();
    const failing = expect(store.commit(inserting("a"))).rejects.toThrow("late");
    store.failNext(new Error("late"));
    store.release();
    await failing;
  });
});

describe("a crash image", () => {
  const found = async (store: ReturnType<typeof crashable>, survives?: (batch: CommitBatch) => boolean) => {
    const restarted = createMemoryStore(await store.crashImage(survives));
    return (await restarted.listJobs({ principals: ["t/me"], limit: 100 })).jobs.map(({ id }) => id).toReversed();
  };
  const crashable = () => createFaultyStore(createMemoryStore());
  const inserts = (batch: CommitBatch, id: JobId) => batch.rows.jobs?.some((job) => job.id === id) ?? false;

  it("holds what was acknowledged, and of what was held a prefix of one's choice", async () => {
    const store = crashable();
    await store.commit(inserting("a"));
    store.hold();
    void store.commit(inserting("b"));
    void store.commit(inserting("c"));
    expect(await found(store)).toEqual(["a"]);
    expect(await found(store, (batch) => inserts(batch, "b"))).toEqual(["a", "b"]);
    expect(await found(store, (batch) => inserts(batch, "c"))).toEqual(["a"]);
    expect(await found(store, () => true)).toEqual(["a", "b", "c"]);
    expect(await exists(store, "b")).toBe(false);
  });

  it("may lack what was written and not acknowledged, until a later write is", async () => {
    const store = crashable();
    await store.commit(inserting("a"));
    store.failAfterApply("lost");
    void store.commit(inserting("b"));
    expect(await found(store)).toEqual(["a"]);
    expect(await found(store, () => true)).toEqual(["a", "b"]);
    store.failNext();
    await expect(store.commit(inserting("c"))).rejects.toThrow();
    expect(await found(store)).toEqual(["a"]);
    await store.commit(inserting("d"));
    expect(await found(store)).toEqual(["a", "b", "d"]);
  });

  it("holds the epochs a claim raised", async () => {
    const store = crashable();
    store.failAfterApply("lost");
    void store.commit(inserting("a"));
    await store.claimTrees("n1");
    const restarted = createMemoryStore(await store.crashImage());
    expect((await restarted.claimTrees("n2")).map(({ claim }) => claim)).toEqual([{ root: "a", epoch: 3 }]);
  });

  it("leaves nothing of a held commit that the store would reject", async () => {
    const store = crashable();
    store.hold();
    const rejected = expect(store.commit({ claims: [], rows: { chunks: [aChunk("nobody", 1, 1)] } })).rejects.toThrow();
    expect(await found(store, () => true)).toEqual([]);
    store.release();
    await rejected;
  });
});
