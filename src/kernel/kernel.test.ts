import { describe, expect, it, vi } from "vitest";
import type { JobHost } from "./agents-port.ts";
import { anAgent, createTestKernel, echo, endless, say } from "./test-kernel.ts";

const closing = expect.objectContaining({ code: "INTERNAL_ERROR", message: "the runtime is closing" });

/** Emits for as long as it is allowed to. */
const chatty = anAgent(
  "chatty",
  async (host) => {
    for (;;) await say(host, "x");
  },
  { restart: "always" },
);

describe("starting a kernel", () => {
  it("rejects when the store cannot be read, and leaves nothing running", async () => {
    const first = await createTestKernel({ agents: [{ ...endless, restart: "always" }] });
    await first.submit("endless", null, { maxRuntimeSec: 60 });
    await first.submit("endless", null, { maxRuntimeSec: 60 });
    const later = await createTestKernel({ snapshot: await first.store.crashImage(), agents: [endless], start: false });
    const readHeads = later.store.readHeads.bind(later.store);
    vi.spyOn(later.store, "readHeads").mockImplementationOnce(readHeads).mockRejectedValueOnce(new Error("unreadable"));
    const starting = later.kernel.start();
    starting.catch(() => {});
    await later.world.settle();
    await expect(starting).rejects.toThrow("unreadable");
    expect([later.kernel.unfinished, later.world.pendingTimers]).toEqual([0, 0]);
  });
});

describe("closing a kernel", () => {
  it("ends no job, and the next start takes them up", async () => {
    const restarting = { ...endless, name: "restarting", restart: "always" as const };
    const first = await createTestKernel({ agents: [endless, restarting] });
    const [one, two] = [(await first.submit("endless")).job.id, (await first.submit("restarting")).job.id];
    await first.kernel.close();
    expect([(await first.stored(one)).status, (await first.stored(two)).status]).toEqual(["running", "running"]);
    const later = await first.crash();
    expect(await later.stored(one)).toMatchObject({ status: "error" });
    expect(await later.stored(two)).toMatchObject({ status: "running", attempt: 2 });
  });

  it("[law-no-event-lost] stores first what was emitted until then", async () => {
    let host: JobHost | undefined;
    const talker = anAgent("talker", (given) => {
      host = given;
      return new Promise<never>(() => {});
    });
    const { submit, kernel, world, log } = await createTestKernel({ agents: [talker] });
    const { job } = await submit("talker");
    for (let entry = 0; entry < 300; entry++) say(host as JobHost, "x");
    const closed = kernel.close();
    await world.settle();
    await closed;
    expect(await log(job.id)).toHaveLength(300);
  });

  it("comes to an end under agents that never stop emitting, and leaves the stream whole", async () => {
    const { kernel, world, log, crash } = await createTestKernel({ agents: [chatty] });
    const ids: string[] = [];
    for (let job = 0; job < 3; job++) {
      void kernel.submit(
        { principal: { id: "me", tenant: "t", roles: [] }, session: null, agent: "chatty", input: null },
        (accepted) => ids.push(accepted.job.id),
      );
    }
    // As `settle` would never return: a few turns of the event loop, with the agents still at it.
    const turning = world.settle().catch(() => {});
    for (let microtask = 0; microtask < 2_000; microtask++) await Promise.resolve();
    const closed = kernel.close();
    await turning;
    await world.settle();
    await closed;
    expect(ids).toHaveLength(3);
    for (const id of ids) expect((await log(id)).length).toBeGreaterThan(0);
    expect([kernel.unfinished, world.pendingTimers]).toEqual([0, 0]);
    const later = await crash({ agents: [{ ...chatty, restart: "never" }] });
    for (const id of ids) expect((await later.log(id)).at(-1)?.code).toBe("E");
  });

  it("shuts agents out, and rejects what they await", async () => {
    let host: JobHost | undefined;
    const talker = anAgent("talker", (given) => {
      host = given;
      return new Promise<never>(() => {});
    });
    const { submit, kernel, world } = await createTestKernel({ agents: [talker] });
    await submit("talker");
    const flushed = (host as JobHost).flush();
    flushed.catch(() => {});
    const closed = kernel.close();
    await world.settle();
    await closed;
    await expect(flushed).rejects.toThrow(closing);
    expect(() => say(host as JobHost, "late")).toThrow(closing);
    expect(host?.signal.aborted).toBe(true);
  });

  it("leaves no timer: of deadlines, of pauses, of jobs whose commit failed", async () => {
    const restarting = { ...endless, restart: "always" as const };
    const first = await createTestKernel({ agents: [restarting] });
    await first.submit("endless", null, { maxRuntimeSec: 60 });
    const later = await (await first.crash()).crash();
    let host: JobHost | undefined;
    const talker = anAgent("talker", (given) => {
      host = given;
      return new Promise<never>(() => {});
    });
    const failing = await createTestKernel({ agents: [talker] });
    await failing.submit("talker");
    failing.store.failNext();
    say(host as JobHost, "x");
    await failing.world.settle();
    expect([later.world.pendingTimers, failing.world.pendingTimers]).toEqual([2, 1]);
    await later.kernel.close();
    await failing.kernel.close();
    expect([later.world.pendingTimers, failing.world.pendingTimers]).toEqual([0, 0]);
  });

  it("does not take up again a job whose last commit fails", async () => {
    let host: JobHost | undefined;
    const talker = anAgent("talker", (given) => {
      host = given;
      return new Promise<never>(() => {});
    });
    const { submit, kernel, store, world } = await createTestKernel({ agents: [talker] });
    await submit("talker");
    store.failNext();
    say(host as JobHost, "x");
    const closed = kernel.close();
    await world.settle();
    await closed;
    expect([kernel.unfinished, world.pendingTimers]).toEqual([0, 0]);
  });

  it("refuses submissions from then on, those under way included", async () => {
    const checked = Promise.withResolvers<void>();
    const slow = anAgent("slow", () => ({}), { parseInput: () => checked.promise });
    const { submit, kernel, world, batches } = await createTestKernel({ agents: [echo, slow] });
    const underWay = submit("slow");
    underWay.catch(() => {});
    await kernel.close();
    checked.resolve();
    await world.settle();
    await expect(underWay).rejects.toThrow(closing);
    await expect(submit("echo")).rejects.toThrow(closing);
    expect([batches, kernel.unfinished]).toEqual([[], 0]);
  });

  it("leaves nobody waiting who asks for something afterwards", async () => {
    const { submit, kernel } = await createTestKernel({ agents: [endless] });
    const { job } = await submit("endless");
    await kernel.close();
    await expect(kernel.cancel({ job: job.id }, () => {})).rejects.toThrow(
      expect.objectContaining({ code: "INTERNAL_ERROR" }),
    );
    expect((await kernel.readJob(job.id))?.status).toBe("running");
  });

  it("can be done twice", async () => {
    const { submit, kernel } = await createTestKernel({ agents: [endless] });
    await submit("endless");
    await kernel.close();
    await expect(kernel.close()).resolves.toBeUndefined();
  });
});
