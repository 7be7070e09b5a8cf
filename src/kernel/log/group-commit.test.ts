import { describe, expect, it } from "vitest";
import { type Log, silentLog } from "../../platform/log.ts";
import { aJob } from "../../stores/contract/rows.ts";
import { createMemoryStore } from "../../stores/memory/memory-store.ts";
import { createFakeWorld } from "../../testing/fake-world.ts";
import { createFaultyStore } from "../../testing/faulty-store.ts";
import type { JobId } from "../ids.ts";
import type { CommitBatch } from "../ports.ts";
import { StoreError } from "../store-error.ts";
import type { Contributor, Transition } from "./contributor.ts";
import { GroupCommit, type Plan, StaleTreeError, type TransitionSource } from "./group-commit.ts";

const aSession = (id: string) => ({
  id,
  principal: "t/me",
  features: [],
  createdAt: 0,
  newestToken: "",
  presentedToken: null,
});

/** Everything that happens, in order, in `heard`. */
function setUp(faces: readonly string[] = []) {
  const world = createFakeWorld();
  const batches: CommitBatch[] = [];
  const memory = createMemoryStore();
  const store = createFaultyStore({
    ...memory,
    commit(batch) {
      batches.push(batch);
      return memory.commit(batch);
    },
  });
  const heard: string[] = [];
  const logged: string[] = [];
  const log: Log = { ...silentLog, error: (_, message) => logged.push(message) };
  const contributors = faces.map((name): Contributor & { transitions: readonly Transition[][] } => {
    const transitions: Transition[][] = [];
    return {
      transitions,
      contribute(these) {
        transitions.push([...these]);
        heard.push(`${name} plans`);
        return {
          rows: { sessions: [aSession(`${name}_${transitions.length}`)] },
          committed: () => heard.push(`${name} committed`),
          failed: () => heard.push(`${name} failed`),
        };
      },
    };
  });
  const commits = new GroupCommit({
    store,
    timers: world.timers,
    log,
    contributors,
    onFailed: (error) => heard.push(`onFailed: ${(error as Error).message}`),
  });

  /** A source whose job is inserted by its first commit, and claimed by later ones. */
  const source = (id: JobId, length = 100, root = id, isTied = true): TransitionSource => {
    let inserted = false;
    return {
      root,
      isTied,
      stage() {
        const accepted = !inserted;
        inserted = true;
        const job = aJob(id);
        return {
          root,
          claim: accepted ? undefined : { root, epoch: 1 },
          transition: { job, accepted, moved: false, ended: false, chunks: [] },
          rows: accepted ? { jobs: [job] } : { jobUpdates: [{ ...job, status: "running" as const }] },
          length,
          committed: () => heard.push(`${id} committed`),
          failed: (error) => heard.push(`${id} failed: ${(error as Error).name}`),
        };
      },
    };
  };
  const plan = (name: string): Plan => {
    return () => {
      heard.push(`${name} plans`);
      return {
        rows: { sessions: [aSession(name)] },
        committed: () => heard.push(`${name} committed`),
        failed: () => heard.push(`${name} failed`),
      };
    };
  };
  return { world, store, commits, batches, heard, logged, contributors, source, plan };
}

describe("group commit", () => {
  it("makes one batch of everything touched in a turn, with the rows of the faces and the plans", async () => {
    const { world, commits, batches, source, plan } = setUp(["outbox"]);
    commits.touch(source("job_1"));
    commits.plan(plan("sess_1"));
    commits.touch(source("job_2"));
    expect(batches).toEqual([]);
    await world.settle();
    expect(batches.map(({ rows }) => [rows.jobs?.map(({ id }) => id), rows.sessions?.map(({ id }) => id)])).toEqual([
      [
        ["job_1", "job_2"],
        ["outbox_1", "sess_1"],
      ],
    ]);
  });

  it("asks a source once, however often it was touched", async () => {
    const { world, commits, batches, heard, source } = setUp();
    const job = source("job_1");
    for (let touch = 0; touch < 5; touch++) commits.touch(job);
    await world.settle();
    expect([batches.length, heard]).toEqual([1, ["job_1 committed"]]);
  });

  it("shows each face every transition of the batch, once", async () => {
    const { world, commits, contributors, source } = setUp(["outbox"]);
    commits.touch(source("job_1"));
    commits.touch(source("job_2"));
    await world.settle();
    expect(contributors[0]?.transitions.map((these) => these.map(({ job }) => job.id))).toEqual([["job_1", "job_2"]]);
  });

  it("asks no face about a batch of plans alone", async () => {
    const { world, commits, heard, plan } = setUp(["outbox"]);
    commits.plan(plan("sess_1"));
    await world.settle();
    expect(heard).toEqual(["sess_1 plans", "sess_1 committed"]);
  });

  it("goes to the store with nothing when there is nothing", async () => {
    const { world, commits, batches } = setUp(["outbox"]);
    commits.touch({ root: "job_1", isTied: false, stage: () => undefined });
    commits.plan(() => undefined);
    await world.settle();
    expect(batches).toEqual([]);
    await expect(commits.idle()).resolves.toBeUndefined();
  });

  it("ends a batch that is long, and goes on with the rest in its order", async () => {
    const { world, commits, batches, source } = setUp();
    const sources = ["job_1", "job_2", "job_3", "job_4", "job_5"].map((id) => source(id, 600_000));
    for (const each of sources) commits.touch(each);
    await world.settle();
    expect(batches.map(({ rows }) => rows.jobs?.map(({ id }) => id))).toEqual([
      ["job_1", "job_2"],
      ["job_3", "job_4"],
      ["job_5"],
    ]);
    await expect(commits.idle()).resolves.toBeUndefined();
  });

  it("keeps what happened to the jobs of a tree in one turn in one commit, however long", async () => {
    const { world, commits, batches, source } = setUp();
    const half = 600_000;
    commits.touch(source("root", half));
    commits.touch(source("other", half));
    commits.touch(source("late", half));
    commits.touch(source("child", half, "root"));
    await world.settle();
    expect(batches.map(({ rows }) => rows.jobs?.map(({ id }) => id))).toEqual([["root", "other", "child"], ["late"]]);
  });

  it("lets the mere entries of a long tree wait, which are tied to nothing", async () => {
    const { world, commits, batches, source } = setUp();
    const half = 524_288;
    const untied = source("untied", half, "root", false);
    commits.touch(source("root", half));
    commits.touch(source("other", half));
    commits.touch(untied);
    commits.touch(source("tied", half, "root"));
    await world.settle();
    expect(batches.map(({ rows }) => rows.jobs?.map(({ id }) => id))).toEqual([["root", "other", "tied"], ["untied"]]);
  });

  it("puts what is touched last behind all that was touched before", async () => {
    const { world, commits, heard, source } = setUp();
    const parent = source("parent");
    commits.touch(parent);
    commits.touch(source("child"));
    commits.touchLast(parent);
    await world.settle();
    expect(heard).toEqual(["child committed", "parent committed"]);
  });

  it("lets nobody who waits from a long batch wait for whoever came later", async () => {
    const { world, commits, batches, source } = setUp();
    const [first, second, third] = ["job_1", "job_2", "job_3"].map((id) => source(id, 2_000_000));
    for (const each of [first, second, third]) commits.touch(each as TransitionSource);
    world.timers.soon(() => commits.touch(first as TransitionSource));
    await world.settle();
    const written = batches.map(({ rows }) => [...(rows.jobs ?? []), ...(rows.jobUpdates ?? [])].map(({ id }) => id));
    expect(written).toEqual([["job_1"], ["job_2"], ["job_3"], ["job_1"]]);
  });

  it("claims each tree once, except those whose root the batch inserts", async () => {
    const { world, commits, batches, source } = setUp();
    const [one, two] = [source("job_1"), source("job_2")];
    commits.touch(one);
    await world.settle();
    commits.touch(one);
    commits.touch(two);
    await world.settle();
    expect(batches.map(({ claims }) => claims)).toEqual([[], [{ root: "job_1", epoch: 1 }]]);
  });

  it("[law-commit-then-publish] tells nobody of anything before the store has answered", async () => {
    const { world, store, commits, heard, source, plan } = setUp(["outbox"]);
    store.hold();
    commits.touch(source("job_1"));
    commits.plan(plan("sess_1"));
    await world.settle();
    expect(heard).toEqual(["outbox plans", "sess_1 plans"]);
    store.release();
    await world.settle();
    expect(heard.slice(2)).toEqual(["job_1 committed", "outbox committed", "sess_1 committed"]);
  });

  it("publishes the kernel's part first, then the faces' and the plans' in order", async () => {
    const { world, commits, heard, source, plan } = setUp(["outbox", "coordinator"]);
    commits.plan(plan("sess_1"));
    commits.plan(plan("sess_2"));
    commits.touch(source("job_1"));
    commits.touch(source("job_2"));
    await world.settle();
    expect(heard.filter((line) => line.endsWith("committed"))).toEqual([
      "job_1 committed",
      "job_2 committed",
      "outbox committed",
      "coordinator committed",
      "sess_1 committed",
      "sess_2 committed",
    ]);
  });

  it("keeps one commit in flight, and gathers what comes meanwhile in the next", async () => {
    const { world, store, commits, batches, source, plan } = setUp();
    store.hold();
    commits.touch(source("job_1"));
    await world.settle();
    for (const id of ["job_2", "job_3"]) {
      commits.touch(source(id));
      await world.settle();
    }
    commits.plan(plan("sess_1"));
    await world.settle();
    expect(store.held).toBe(1);
    store.release();
    await world.settle();
    expect(batches.map(({ rows }) => rows.jobs?.map(({ id }) => id))).toEqual([["job_1"], ["job_2", "job_3"]]);
  });

  it("commits what a callback of a commit touches", async () => {
    const { world, commits, batches, source, plan } = setUp();
    commits.plan(() => ({ rows: {}, committed: () => commits.touch(source("job_1")) }));
    commits.plan(plan("sess_1"));
    await world.settle();
    expect(batches.map(({ rows }) => rows.jobs?.length ?? 0)).toEqual([0, 1]);
  });

  it("fails every part of a commit that the store rejects, then says so, and goes on", async () => {
    const { world, store, commits, heard, source, plan } = setUp(["outbox"]);
    store.failNext(new StoreError("no space"));
    commits.touch(source("job_1"));
    commits.touch(source("job_2"));
    commits.plan(plan("sess_1"));
    await world.settle();
    const afterFailure = heard.splice(0).slice(2);
    expect(afterFailure).toEqual([
      "job_1 failed: StoreError",
      "job_2 failed: StoreError",
      "outbox failed",
      "sess_1 failed",
      "onFailed: no space",
    ]);
    commits.touch(source("job_3"));
    await world.settle();
    expect(heard).toEqual(["outbox plans", "job_3 committed", "outbox committed"]);
  });

  it("fails nothing that came while the failing commit was in flight", async () => {
    const { world, store, commits, heard, source } = setUp();
    store.hold();
    store.failNext();
    commits.touch(source("job_1"));
    await world.settle();
    commits.touch(source("job_2"));
    store.release();
    await world.settle();
    expect(heard).toEqual(["job_1 failed: StoreError", "onFailed: the commit was made to fail", "job_2 committed"]);
  });

  it("drops a refused tree, plans anew, and commits the rest", async () => {
    const { world, store, commits, batches, heard, contributors, source, plan } = setUp(["outbox"]);
    store.refuseNext(["job_1"]);
    commits.touch(source("job_1"));
    commits.touch(source("job_2"));
    commits.plan(plan("sess_1"));
    await world.settle();
    expect(heard).toEqual([
      "outbox plans",
      "sess_1 plans",
      `job_1 failed: ${StaleTreeError.name}`,
      "outbox plans",
      "sess_1 plans",
      "job_2 committed",
      "outbox committed",
      "sess_1 committed",
    ]);
    expect(contributors[0]?.transitions.map((these) => these.map(({ job }) => job.id))).toEqual([
      ["job_1", "job_2"],
      ["job_2"],
    ]);
    expect(batches.map(({ rows }) => rows.jobs?.map(({ id }) => id))).toEqual([["job_2"]]);
  });

  it("still commits the plans when every tree was refused", async () => {
    const { world, store, commits, heard, source, plan } = setUp();
    store.refuseNext(["job_1"]);
    commits.touch(source("job_1"));
    commits.plan(plan("sess_1"));
    await world.settle();
    expect(heard.at(-1)).toBe("sess_1 committed");
  });

  it("lets no listener's throw keep the others from hearing of their commit", async () => {
    const { world, commits, heard, logged, source } = setUp();
    commits.plan(() => ({ rows: { sessions: [aSession("sess_1")] }, committed: () => fail("a listener broke") }));
    commits.plan(() => ({ rows: {}, committed: () => heard.push("the next committed") }));
    commits.touch(source("job_1"));
    await world.settle();
    expect(heard).toEqual(["job_1 committed", "the next committed"]);
    expect(logged).toHaveLength(1);
  });

  it("leaves out a plan that throws, and commits the others", async () => {
    const { world, commits, heard, logged, source, plan } = setUp();
    commits.plan(() => fail("a plan broke"));
    commits.plan(plan("sess_1"));
    commits.touch(source("job_1"));
    await world.settle();
    expect(heard).toEqual(["sess_1 plans", "job_1 committed", "sess_1 committed"]);
    expect(logged).toHaveLength(1);
  });

  it("commits no transition without the rows of a face that throws, and fails it instead", async () => {
    const { world, commits, batches, heard, contributors, source, plan } = setUp(["outbox", "coordinator"]);
    Object.assign(contributors[1] ?? {}, { contribute: () => fail("a face broke") });
    commits.touch(source("job_1"));
    commits.plan(plan("sess_1"));
    await world.settle();
    expect(heard).toEqual(["outbox plans", "job_1 failed: Error", "sess_1 plans", "sess_1 committed"]);
    expect(batches.map(({ rows }) => Object.keys(rows))).toEqual([["sessions"]]);
  });
});

describe("idle", () => {
  it("resolves at once when nothing waits and nothing is in flight", async () => {
    await expect(setUp().commits.idle()).resolves.toBeUndefined();
  });

  it("waits for what is scheduled, what is in flight, and what comes of it", async () => {
    const { world, store, commits, heard, source } = setUp();
    store.hold();
    commits.touch(source("job_1"));
    void commits.idle().then(() => heard.push("idle"));
    await world.settle();
    commits.touch(source("job_2"));
    store.release();
    await world.settle();
    expect(heard).toEqual(["job_1 committed", "job_2 committed", "idle"]);
  });

  it("comes after a failure as well", async () => {
    const { world, store, commits, source } = setUp();
    store.failNext();
    commits.touch(source("job_1"));
    const idle = commits.idle();
    await world.settle();
    await expect(idle).resolves.toBeUndefined();
  });
});

function fail(message: string): never {
  throw new Error(message);
}
