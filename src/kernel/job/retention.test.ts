import { describe, expect, it, vi } from "vitest";
import type { Contributor } from "../log/contributor.ts";
import { StoreError } from "../store-error.ts";
import { anAgent, createTestKernel, echo, endless, ME, say, type TestKernel } from "../test-kernel.ts";

const DAY_SEC = 86_400;
const DAY_MS = DAY_SEC * 1_000;
/** Longer than from one look to the next and the grace period after it. */
const ROUND_MS = 75_000;

const exists = async ({ kernel }: TestKernel, id: string) => (await kernel.readJob(id)) !== undefined;

describe("an ended job's history", () => {
  it("[reading-retention] goes once it is older than its age, with its steps, key and log; unfinished jobs stay", async () => {
    const stepping = anAgent("stepping", async (host) => {
      await say(host, "x");
      await host.recordStep("one", "1");
      return {};
    });
    const test = await createTestKernel({ agents: [stepping, endless], retention: { maxAgeSec: DAY_SEC } });
    const old = (await test.submit("stepping", 1, { idempotencyKey: "k" })).job.id;
    const running = (await test.submit("endless")).job.id;
    await test.world.advance(DAY_MS / 2);
    const young = (await test.submit("stepping")).job.id;
    await test.world.advance(DAY_MS / 2 + ROUND_MS);
    const { store } = test;
    expect(await Promise.all([old, running, young].map((id) => exists(test, id)))).toEqual([false, true, true]);
    expect([await store.readChunks({ job: old, after: 0, limit: 9 }), await store.readSteps(old)]).toEqual([[], []]);
    expect((await test.kernel.listJobs({ principals: ["t/me"], limit: 9 })).map(({ id }) => id)).toEqual([
      young,
      running,
    ]);
    const again = await test.submit("stepping", 1, { idempotencyKey: "k" });
    expect([again.repeated, again.job.id === old]).toEqual([false, false]);
    expect((await test.submit("stepping", 1, { idempotencyKey: "k" })).job.id).toBe(again.job.id);
  });

  it("stays for ever without a limit of age", async () => {
    const test = await createTestKernel({ agents: [echo], retention: { maxAgeSec: Infinity } });
    const { job } = await test.submit("echo");
    await test.world.advance(100 * ROUND_MS);
    expect(await exists(test, job.id)).toBe(true);
  });

  it("goes oldest first while the store is larger than it may be, whatever its age", async () => {
    const large = anAgent("large", async (host) => {
      for (let entry = 0; entry < 100; entry++) await say(host, "x".repeat(10_000));
      return {};
    });
    const test = await createTestKernel({ agents: [large, echo], retention: { maxBytes: 2_500_000 } });
    const first = (await test.submit("large")).job.id;
    await test.world.advance(ROUND_MS);
    expect(await exists(test, first)).toBe(true);
    const others: string[] = [];
    for (let job = 0; job < 9; job++) others.push((await test.submit("large")).job.id);
    await test.world.advance(3 * ROUND_MS);
    expect(await exists(test, first)).toBe(false);
    expect(await test.store.readSize()).toBeLessThanOrEqual(2_500_000);
    // No more than that: what is left fits, four trees at a time.
    expect(await Promise.all(others.map((id) => exists(test, id)))).toEqual([...Array(7).fill(false), true, true]);
  });

  it("is named by no commit once it is gone, however long that commit had to wait", async () => {
    const test = await createTestKernel({ agents: [echo], retention: { maxAgeSec: 1 } });
    const { kernel, world, store } = test;
    const { job } = await test.submit("echo");
    const session = { id: "s", principal: "t/me", features: [], createdAt: 0, newestToken: "x", presentedToken: null };
    await store.commit({ claims: [], rows: { sessions: [session] } });
    // Read, chosen to be removed, and only then named: a commit before it takes its time.
    const read = await kernel.readJob(job.id);
    store.hold();
    let outcome: string | undefined;
    kernel.plan(() => ({ rows: { releases: [{ session: "s", upTo: 1 }] }, committed() {} }));
    await world.settle();
    expect(store.held).toBe(1);
    await world.advance(3 * ROUND_MS);
    kernel.plan(() => {
      if (read === undefined || !kernel.keepHistory(read)) {
        outcome = "gone";
        return undefined;
      }
      const follow = { session: "s", job: job.id, cursor: 0, mayCancel: false, since: 0 };
      return {
        rows: { follows: [follow] },
        committed: () => {
          outcome = "followed";
        },
        failed: () => {
          outcome = "failed";
        },
      };
    });
    store.release();
    await world.advance(3 * ROUND_MS);
    expect([outcome, await exists(test, job.id)]).toEqual(["gone", false]);
  });

  it("stays when a commit that is being planned names it", async () => {
    const test = await createTestKernel({ agents: [echo], retention: { maxAgeSec: 1 } });
    const { job } = await test.submit("echo");
    await test.world.advance(65_000);
    expect(test.kernel.keepHistory(job)).toBe(true);
    await test.world.advance(10_000);
    expect(await exists(test, job.id)).toBe(true);
  });

  it("[reading-retention] stays while a session's stream needs it", async () => {
    const follows: Contributor = {
      contribute: (transitions) => ({
        rows: {
          follows: transitions
            .filter(({ accepted }) => accepted)
            .map(({ job }) => ({ session: "s", job: job.id, cursor: 0, mayCancel: true, since: 0 })),
        },
        committed() {},
      }),
    };
    const test = await createTestKernel({ agents: [echo], contributors: [follows], retention: { maxAgeSec: 1 } });
    const session = { id: "s", principal: "t/me", features: [], createdAt: 0, newestToken: "x", presentedToken: null };
    await test.store.commit({ claims: [], rows: { sessions: [session] } });
    const { job } = await test.submit("echo");
    await test.world.advance(3 * ROUND_MS);
    expect(await exists(test, job.id)).toBe(true);
    await test.store.commit({ claims: [], rows: { endedSessions: ["s"] } });
    await test.world.advance(2 * ROUND_MS);
    expect(await exists(test, job.id)).toBe(false);
  });

  it("is not taken from somebody who has just begun to read it", async () => {
    const test = await createTestKernel({ agents: [echo], retention: { maxAgeSec: 1 } });
    const { job } = await test.submit("echo", 1, { idempotencyKey: "k" });
    // Chosen at the first look, to be removed ten seconds after it.
    await test.world.advance(65_000);
    expect(await test.submit("echo", 1, { idempotencyKey: "k" })).toMatchObject({ repeated: true });
    await test.world.advance(10_000);
    expect(await exists(test, job.id)).toBe(true);
    await test.world.advance(70_000 + ROUND_MS);
    expect(await exists(test, job.id)).toBe(false);
  });

  it("goes in steps, others in between", async () => {
    const test = await createTestKernel({ agents: [echo], retention: { maxAgeSec: 1 } });
    for (let job = 0; job < 200; job++) void test.kernel.submit(request(), () => {});
    await test.world.settle();
    const removing = vi.spyOn(test.store, "removeTrees");
    await test.world.advance(2 * ROUND_MS);
    expect(removing.mock.calls.map(([roots]) => roots.length)).toEqual([64, 64, 64, 8]);
    expect(await test.kernel.listJobs({ principals: ["t/me"], limit: 9 })).toEqual([]);
  });

  it("is looked after again after a fault of the store, and one that is fatal is told", async () => {
    const test = await createTestKernel({ agents: [echo], retention: { maxAgeSec: 1 } });
    const { job } = await test.submit("echo");
    vi.spyOn(test.store, "removeTrees").mockRejectedValueOnce(new StoreError("full"));
    await test.world.advance(ROUND_MS);
    expect(await exists(test, job.id)).toBe(true);
    await test.world.advance(2 * ROUND_MS);
    expect(await exists(test, job.id)).toBe(false);
    const gone = new StoreError("gone", { fatal: true });
    vi.spyOn(test.store, "readSize").mockRejectedValueOnce(gone);
    await test.world.advance(ROUND_MS);
    expect(test.fatal).toEqual([gone]);
  });

  it("leaves no timer once the kernel is closed", async () => {
    const test = await createTestKernel({ agents: [echo], retention: {} });
    await test.kernel.close();
    expect(test.world.pendingTimers).toBe(0);
  });
});

describe("retention limits", () => {
  it.each([{ maxAgeSec: -1 }, { maxBytes: Number.NaN }])("name what is wrong with %j", async (retention) => {
    const name = Object.keys(retention)[0] as string;
    await expect(createTestKernel({ retention })).rejects.toThrow(`retention.${name} is`);
  });
});

function request() {
  return { principal: ME, session: null, agent: "echo", input: 1 };
}
