import { describe, expect, it } from "vitest";
import type { Log } from "../platform/log.ts";
import type { KernelEventName } from "./kernel-events.ts";
import { anAgent, createTestKernel, echo, endless, say, type TestKernel } from "./test-kernel.ts";

/** Everything told from now on: the event's name, and of the job what changes. */
function listen({ kernel }: TestKernel) {
  const told: [KernelEventName, ...unknown[]][] = [];
  const stops = (["job:accepted", "job:changed", "job:ended"] as const).map((name) =>
    kernel.on(name, ({ job }) => void told.push([name, job.status, job.attempt])),
  );
  stops.push(
    kernel.on(
      "job:appended",
      ({ chunks }) => void told.push(["job:appended", chunks.map(({ kinds }) => kinds).join()]),
    ),
  );
  return { told, stop: () => stops.forEach((stop) => void stop()) };
}

describe("what the kernel tells", () => {
  it("is each step of a job, in order", async () => {
    const test = await createTestKernel({ agents: [echo] });
    const { told } = listen(test);
    await test.submit("echo");
    expect(told).toEqual([
      ["job:accepted", "running", 1],
      ["job:changed", "running", 1],
      ["job:appended", "R"],
      ["job:ended", "success", 1],
    ]);
  });

  it("comes after the commit, and not at all without one", async () => {
    const test = await createTestKernel({ agents: [endless] });
    const { told } = listen(test);
    test.store.hold();
    const submitted = test.kernel.submit(
      { principal: { id: "me", tenant: "t", roles: [] }, session: null, agent: "endless", input: null },
      () => {},
    );
    await test.world.settle();
    expect(told).toEqual([]);
    test.store.failNext();
    test.store.release();
    await expect(submitted).rejects.toThrow("could not be stored");
    expect(told).toEqual([]);
  });

  it("tells of the next attempt of a job that is taken up", async () => {
    const always = anAgent("always", () => new Promise<never>(() => {}), { restart: "always" });
    const before = await createTestKernel({ agents: [always] });
    await before.submit("always");
    const after = await before.crash({ survives: () => true });
    const { told } = listen(after);
    expect((await after.kernel.listJobs({ principals: ["t/me"], limit: 1 }))[0]?.attempt).toBe(2);
    // Nobody could listen before the kernel had started: what comes next is heard.
    await after.submit("always");
    expect(told.map(([name]) => name)).toEqual(["job:accepted", "job:changed"]);
  });

  it("counts commits, their jobs and entries", async () => {
    const talk = anAgent("talk", async (host) => {
      for (let index = 0; index < 5; index++) say(host, "x");
      await host.flush();
      return {};
    });
    const test = await createTestKernel({ agents: [talk] });
    const commits: unknown[] = [];
    test.kernel.on("commit:done", (commit) => commits.push(commit));
    await test.submit("talk");
    expect(commits).toEqual([
      { jobs: 1, entries: 0, length: 0, durationMs: 0 },
      { jobs: 1, entries: 5, length: 480, durationMs: 0 },
      { jobs: 1, entries: 1, length: 122, durationMs: 0 },
    ]);
  });

  it("goes on to everyone when one listener throws, and breaks no work", async () => {
    const logged: string[] = [];
    const drop = (): void => {};
    const log: Log = { debug: drop, info: drop, warn: drop, error: (_, message) => void logged.push(message) };
    const test = await createTestKernel({ agents: [echo], log });
    test.kernel.on("job:accepted", () => {
      throw new Error("a bad listener");
    });
    const { told } = listen(test);
    const { job } = await test.submit("echo");
    expect((await test.stored(job.id)).status).toBe("success");
    expect(told.map(([name]) => name)).toContain("job:accepted");
    expect(logged).toEqual(["a listener threw; the work it was told of goes on"]);
  });

  it("ends when the listener stops, once for each time it was given", async () => {
    const test = await createTestKernel({ agents: [echo] });
    let heard = 0;
    const listener = (): void => void heard++;
    const [first, second] = [test.kernel.on("job:ended", listener), test.kernel.on("job:ended", listener)];
    first();
    first();
    await test.submit("echo");
    expect(heard).toBe(1);
    second();
    await test.submit("echo");
    expect(heard).toBe(1);
  });
});
