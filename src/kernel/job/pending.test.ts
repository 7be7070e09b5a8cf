/** Jobs beyond the limits on what runs: accepted, durable, and started later; or refused. */
import { describe, expect, it } from "vitest";
import type { JobHost } from "../agents-port.ts";
import { AUDIT_MINUTE_MS } from "../audit/audit-trail.ts";
import type { Principal } from "../principal.ts";
import { anAgent, createTestKernel, echo, ME, type TestKernel } from "../test-kernel.ts";

const YOU: Principal = { ...ME, id: "you" };

/** Jobs that run until the test ends them; `running` are the inputs of those that do. */
function gated(fields: { restart?: "always"; maxConcurrent?: number } = {}) {
  const open = new Map<unknown, (result: object) => void>();
  const agent = anAgent(
    "gated",
    ({ signal }: JobHost, input) =>
      new Promise<object>((resolve) => {
        open.set(input, resolve);
        signal.addEventListener("abort", () => open.delete(input));
      }),
    fields,
  );
  const finish = (input: unknown): void => {
    open.get(input)?.({});
    open.delete(input);
  };
  return { agent, running: () => [...open.keys()], finish };
}

const statusOf = async ({ stored }: TestKernel, id: string) => (await stored(id)).status;

describe("a job beyond the limit", () => {
  it("[reading-pending] is accepted as pending, and runs once there is room", async () => {
    const { agent, running, finish } = gated();
    const test = await createTestKernel({ agents: [agent], jobLimits: { maxRunningJobs: 1 } });
    await test.submit("gated", "first");
    const { job } = await test.submit("gated", "second");
    expect([job.status, await statusOf(test, job.id), running()]).toEqual(["pending", "pending", ["first"]]);
    finish("first");
    await test.world.settle();
    expect([await statusOf(test, job.id), running()]).toEqual(["running", ["second"]]);
    finish("second");
    await test.world.settle();
    expect(await test.stored(job.id)).toMatchObject({ status: "success", attempt: 1 });
    expect(test.kernel.unfinished).toBe(0);
  });

  it("starts in the commit that ends the one before it", async () => {
    const { agent, finish } = gated();
    const test = await createTestKernel({ agents: [agent], jobLimits: { maxRunningJobs: 1 } });
    await test.submit("gated", "first");
    const { job } = await test.submit("gated", "second");
    const before = test.batches.length;
    finish("first");
    await test.world.settle();
    expect(test.batches.slice(before).map(({ rows }) => rows.jobUpdates?.map(({ status }) => status))).toEqual([
      ["success", "running"],
    ]);
    expect(await statusOf(test, job.id)).toBe("running");
  });

  it("is started with its submission in one commit when there is room", async () => {
    const { agent } = gated();
    const test = await createTestKernel({ agents: [agent], jobLimits: { maxRunningJobs: 1 } });
    const { job } = await test.submit("gated", 1);
    expect([job.status, test.batches.length]).toEqual(["running", 1]);
  });

  it("waits by the limits of its principal and of its agent as well", async () => {
    const { agent, running } = gated({ maxConcurrent: 2 });
    const test = await createTestKernel({ agents: [agent, echo], jobLimits: { maxRunningJobsPerPrincipal: 1 } });
    await test.submit("gated", "mine");
    const mine = await test.submit("echo", "waits for mine");
    await test.submit("gated", "yours", { principal: YOU });
    const third = await test.submit("gated", "third", { principal: { ...ME, id: "third" } });
    expect(running()).toEqual(["mine", "yours"]);
    expect([await statusOf(test, mine.job.id), await statusOf(test, third.job.id)]).toEqual(["pending", "pending"]);
    expect((await test.submit("echo", 1, { principal: { ...ME, id: "third" } })).job.status).toBe("running");
  });

  it("[reading-pending] does not wait behind another principal's queue", async () => {
    const { agent, running, finish } = gated();
    const test = await createTestKernel({ agents: [agent], jobLimits: { maxRunningJobs: 1 } });
    for (let job = 0; job < 5; job++) await test.submit("gated", `mine ${job}`);
    await test.submit("gated", "yours", { principal: YOU });
    finish("mine 0");
    await test.world.settle();
    finish(running()[0]);
    await test.world.settle();
    expect(running()).toEqual(["yours"]);
  });

  it("[reading-pending] can be cancelled while it waits, and never runs", async () => {
    const { agent, running, finish } = gated();
    const test = await createTestKernel({ agents: [agent], jobLimits: { maxRunningJobs: 1 } });
    await test.submit("gated", "first");
    const { job } = await test.submit("gated", "second");
    void test.kernel.cancel({ job: job.id }, () => {});
    await test.world.settle();
    expect(await test.log(job.id)).toMatchObject([{ code: "E", payload: { final_status: "cancelled" } }]);
    finish("first");
    await test.world.settle();
    expect([running(), test.kernel.unfinished]).toEqual([[], 0]);
    expect((await test.stored(job.id)).startedAt).toBeNull();
  });

  it("[reading-pending] ends when its lease expires while it waits", async () => {
    const { agent } = gated();
    const test = await createTestKernel({ agents: [agent], jobLimits: { maxRunningJobs: 1 } });
    await test.submit("gated", "first");
    const expires = new Date(test.world.clock.now() + 10_000).toISOString();
    const { job } = await test.submit("gated", "second", { leaseConstraints: { expires_at: expires } });
    await test.world.advance(11_000);
    expect(await test.log(job.id)).toMatchObject([{ code: "E", payload: { code: "LEASE_EXPIRED" } }]);
    await test.world.advance(AUDIT_MINUTE_MS);
    expect(test.world.pendingTimers).toBe(0);
  });

  it("[reading-runtime-from-start] has its max_runtime_sec from its start on", async () => {
    const { agent, finish } = gated();
    const test = await createTestKernel({ agents: [agent], jobLimits: { maxRunningJobs: 1 } });
    await test.submit("gated", "first");
    const { job } = await test.submit("gated", "second", { maxRuntimeSec: 5 });
    await test.world.advance(60_000);
    expect(await statusOf(test, job.id)).toBe("pending");
    finish("first");
    await test.world.advance(4_999);
    expect(await statusOf(test, job.id)).toBe("running");
    await test.world.advance(1);
    expect(await test.stored(job.id)).toMatchObject({ status: "timed_out", endedAt: job.createdAt + 65_000 });
    expect(test.world.pendingTimers).toBe(0);
  });

  it("[reading-runtime-from-start] keeps that time over a restart", async () => {
    const { agent, finish } = gated({ restart: "always" });
    const first = await createTestKernel({ agents: [agent], jobLimits: { maxRunningJobs: 1 } });
    await first.submit("gated", "first");
    const { job } = await first.submit("gated", "second", { maxRuntimeSec: 5 });
    await first.world.advance(60_000);
    finish("first");
    await first.world.advance(2_000);
    const later = await first.crash({ downMs: 1_000 });
    await later.world.advance(1_999);
    expect(await statusOf(later, job.id)).toBe("running");
    await later.world.advance(1);
    expect(await statusOf(later, job.id)).toBe("timed_out");
  });

  it("[reading-pending] waits on over a restart, in its turn and with its input", async () => {
    const { agent, running, finish } = gated({ restart: "always" });
    const first = await createTestKernel({ agents: [agent], jobLimits: { maxRunningJobs: 1 } });
    for (const input of ["first", "second", "third"]) await first.submit("gated", input);
    const later = await first.crash({ downMs: 1_000 });
    expect(running()).toEqual(["first"]);
    finish("first");
    await later.world.settle();
    expect(running()).toEqual(["second"]);
    finish("second");
    await later.world.settle();
    expect(running()).toEqual(["third"]);
  });

  it("leaves its place to the next when it could not be stored", async () => {
    const { agent, running, finish } = gated();
    const test = await createTestKernel({ agents: [agent], jobLimits: { maxRunningJobs: 1 } });
    await test.submit("gated", "first");
    test.store.failNext();
    await expect(test.submit("gated", "lost")).rejects.toThrow(expect.objectContaining({ code: "INTERNAL_ERROR" }));
    await test.submit("gated", "second");
    finish("first");
    await test.world.advance(5_000);
    expect(running()).toEqual(["second"]);
  });
});

describe("a submission beyond what may wait", () => {
  const full = expect.objectContaining({
    code: "INTERNAL_ERROR",
    retryable: true,
    details: { limit: "maxPendingJobsPerPrincipal", retry_after_ms: expect.any(Number) },
  });

  it("[reading-pending-bounded] is refused, and leaves nothing", async () => {
    const { agent, finish } = gated();
    const limits = { maxRunningJobs: 1, maxPendingJobsPerPrincipal: 1 };
    const test = await createTestKernel({ agents: [agent], jobLimits: limits });
    await test.submit("gated", "first");
    await test.submit("gated", "second");
    await expect(test.submit("gated", "third")).rejects.toThrow(full);
    expect(await test.kernel.listJobs({ principals: ["t/me"], limit: 10 })).toHaveLength(2);
    await test.submit("gated", "yours", { principal: YOU });
    finish("first");
    await test.world.settle();
    expect((await test.submit("gated", "third")).job.status).toBe("pending");
  });

  it("[reading-pending-bounded] is no submission when its key repeats another", async () => {
    const { agent } = gated();
    const limits = { maxRunningJobs: 1, maxPendingJobsPerPrincipal: 1 };
    const test = await createTestKernel({ agents: [agent], jobLimits: limits });
    await test.submit("gated", "first", { idempotencyKey: "k1" });
    await test.submit("gated", "second", { idempotencyKey: "k2" });
    for (const [input, idempotencyKey] of [
      ["first", "k1"],
      ["second", "k2"],
    ] as const) {
      expect(await test.submit("gated", input, { idempotencyKey })).toMatchObject({ repeated: true });
    }
  });
});

describe("draining", () => {
  it("[reading-drain] waits for what runs, starts nothing that waits, and leaves it to the next start", async () => {
    const { agent, running, finish } = gated();
    const test = await createTestKernel({ agents: [agent], jobLimits: { maxRunningJobs: 1 } });
    const first = await test.submit("gated", "first");
    const second = await test.submit("gated", "second");
    let isDrained = false;
    const drained = test.kernel.drain(60_000).then(() => {
      isDrained = true;
    });
    await expect(test.submit("gated", "late")).rejects.toThrow(
      expect.objectContaining({ code: "INTERNAL_ERROR", retryable: true }),
    );
    await test.world.advance(1_000);
    expect(isDrained).toBe(false);
    finish("first");
    await test.world.settle();
    await drained;
    expect([await statusOf(test, first.job.id), await statusOf(test, second.job.id)]).toEqual(["success", "pending"]);
    expect([running(), test.world.pendingTimers]).toEqual([[], 0]);
    await test.kernel.close();
    const later = await test.crash();
    expect(running()).toEqual(["second"]);
    expect(await statusOf(later, second.job.id)).toBe("running");
  });

  it("ends with its grace period", async () => {
    const { agent } = gated();
    const test = await createTestKernel({ agents: [agent] });
    await test.submit("gated", "first");
    const drained = test.kernel.drain(5_000);
    await test.world.advance(5_000);
    await expect(drained).resolves.toBeUndefined();
    expect(test.world.pendingTimers).toBe(0);
  });

  it("takes no time when nothing runs", async () => {
    const test = await createTestKernel({ agents: [echo] });
    await expect(test.kernel.drain(5_000)).resolves.toBeUndefined();
    expect(test.world.pendingTimers).toBe(0);
  });
});
