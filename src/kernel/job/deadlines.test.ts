import { describe, expect, it } from "vitest";
import type { Timer } from "../../platform/world.ts";
import { createFakeWorld } from "../../testing/fake-world.ts";
import type { JobHost } from "../agents-port.ts";
import { AUDIT_MINUTE_MS } from "../audit/audit-trail.ts";
import { anAgent, createTestKernel, deaf, echo, endless, say } from "../test-kernel.ts";
import { armExpiry } from "./deadlines.ts";

const DAY_MS = 86_400_000;
const TOOL = { namespace: "tool.call", target: "search" };
const expired = expect.objectContaining({ code: "LEASE_EXPIRED", retryable: false });

describe("max_runtime_sec", () => {
  it.each([
    ["heeds its signal", deaf],
    ["does not", endless],
  ])("ends a job whose agent %s, at the moment it runs out", async (_, agent) => {
    const { submit, world, stored, log, kernel } = await createTestKernel({ agents: [agent] });
    const { job } = await submit(agent.name, null, { maxRuntimeSec: 1.5 });
    await world.advance(1_499);
    expect((await stored(job.id)).status).toBe("running");
    await world.advance(1);
    expect(await stored(job.id)).toMatchObject({ status: "timed_out", endedAt: job.createdAt + 1_500 });
    expect(await log(job.id)).toMatchObject([{ code: "E", payload: { final_status: "timed_out", code: "TIMEOUT" } }]);
    expect([kernel.unfinished, world.pendingTimers]).toEqual([0, 0]);
  });

  it("ends a job after more days than one timer of the platform can wait", async () => {
    const { submit, world, stored } = await createTestKernel({ agents: [endless] });
    const { job } = await submit("endless", null, { maxRuntimeSec: (100 * DAY_MS) / 1_000 });
    await world.advance(100 * DAY_MS - 1);
    expect((await stored(job.id)).status).toBe("running");
    await world.advance(1);
    expect((await stored(job.id)).status).toBe("timed_out");
  });

  it("leaves no timer behind when the job ends before, however it ends", async () => {
    const failing = anAgent("failing", () => Promise.reject(new Error("broken")));
    const { submit, world, kernel } = await createTestKernel({ agents: [echo, failing, endless] });
    await submit("echo", 1, { maxRuntimeSec: 60 });
    await submit("failing", 1, { maxRuntimeSec: 60 });
    const { job } = await submit("endless", 1, { maxRuntimeSec: 60 });
    expect(world.pendingTimers).toBe(1);
    void kernel.cancel({ job: job.id }, () => {});
    await world.settle();
    expect(world.pendingTimers).toBe(0);
  });

  it("leaves no timer behind when the job could not be stored", async () => {
    const { submit, world, store } = await createTestKernel({ agents: [echo] });
    store.failNext();
    await expect(submit("echo", 1, { maxRuntimeSec: 60 })).rejects.toThrow();
    await world.advance(2_000);
    expect(world.pendingTimers).toBe(0);
  });

  it("[law-one-terminal] ends a job once that runs out of time before its start is stored", async () => {
    let ran = false;
    const quick = anAgent("quick", () => {
      ran = true;
      return {};
    });
    const { submit, store, world, log, kernel } = await createTestKernel({ agents: [quick] });
    store.hold();
    void submit("quick", null, { maxRuntimeSec: 1 });
    await world.advance(1_000);
    store.release();
    await world.settle();
    const [job] = await kernel.listJobs({ principals: ["t/me"], limit: 1 });
    expect((await log(job?.id ?? "")).map(({ payload }) => payload.code)).toEqual(["TIMEOUT"]);
    expect(ran).toBe(false);
  });
});

describe("a lease's expiry", () => {
  it("is never told before the clock says so, though a timer is early", async () => {
    const world = createFakeWorld();
    const expiresAt = world.clock.now() + 10_000;
    let early = 1;
    const after = (delayMs: number, run: () => void): Timer => world.timers.after(delayMs - early--, run);
    const told: number[] = [];
    const timers = { ...world.timers, after };
    armExpiry({ expiresAt }, { ...world, timers }, () => told.push(world.clock.now() - expiresAt));
    await world.advance(9_999);
    expect(told).toEqual([]);
    await world.advance(1);
    expect(told).toEqual([0]);
    armExpiry({ expiresAt: expiresAt + 5 }, world, () => told.push(1))?.cancel();
    expect(world.pendingTimers).toBe(0);
  });

  /** A job whose lease expires in 10 seconds. */
  async function leased(run: (host: JobHost) => Promise<object>, maxRuntimeSec?: number) {
    let host: JobHost | undefined;
    const agent = anAgent("leased", (given) => {
      host = given;
      return run(given);
    });
    const test = await createTestKernel({ agents: [agent] });
    const expiresAt = test.world.clock.now() + 10_000;
    const { job } = await test.submit("leased", null, {
      leaseRequest: { "tool.call": ["*"] },
      leaseConstraints: { expires_at: new Date(expiresAt).toISOString() },
      ...(maxRuntimeSec === undefined ? {} : { maxRuntimeSec }),
    });
    return { ...test, id: job.id, expiresAt, host: host as JobHost };
  }
  const untilStopped = ({ signal }: JobHost) => {
    return new Promise<object>((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
  };
  const never = () => new Promise<never>(() => {});

  it("[arcp-9.5-lease-expired] [arcp-9.5-checked-on-every-operation] refuses operations from that very moment on", async () => {
    const { host, world } = await leased(never);
    await world.advance(9_999);
    host.guard.check(TOOL);
    await world.advance(1);
    expect(() => host.guard.check(TOOL)).toThrow(expired);
    expect(() => host.guard.check(TOOL)).toThrow(expired);
  });

  it.each([
    ["heeds its signal", untilStopped],
    ["does not", never],
  ])(
    "[arcp-7.3-authority-errors] [arcp-9.5-ended-unasked] ends a job whose agent %s within two seconds",
    async (_, run) => {
      const { world, stored, log, id, expiresAt } = await leased(run);
      await world.advance(12_000);
      const job = await stored(id);
      expect(job.status).toBe("error");
      expect(job.endedAt).toBeGreaterThanOrEqual(expiresAt);
      expect(job.endedAt).toBeLessThanOrEqual(expiresAt + 2_000);
      expect(await log(id)).toMatchObject([
        { code: "E", payload: { final_status: "error", code: "LEASE_EXPIRED", retryable: false } },
      ]);
      await world.advance(AUDIT_MINUTE_MS);
      expect(world.pendingTimers).toBe(0);
    },
  );

  it("aborts the agent's signal at that very moment, and lets it say what it leaves behind", async () => {
    const { host, world, log, id } = await leased(never);
    const { signal } = host;
    await world.advance(9_999);
    expect(signal.aborted).toBe(false);
    await world.advance(1);
    expect(signal.reason).toMatchObject({ code: "LEASE_EXPIRED" });
    say(host, "half of it is done");
    await world.advance(2_000);
    expect((await log(id)).map(({ code }) => code)).toEqual(["l", "E"]);
    expect(() => say(host, "too late")).toThrow(expired);
  });

  it("[arcp-14-expirations-logged] [arcp-14-bounded-grace] is audited when it ends a job, within the second it leaves to unwind", async () => {
    const { world, kernel, id, expiresAt } = await leased(never);
    await world.advance(12_000);
    const { entries } = await kernel.listAudit({ scopes: ["t/me"], limit: 10 });
    expect(entries).toMatchObject([
      { action: "lease.expire", job: id, principal: "t/me", owner: "t/me", allowed: false, at: expiresAt + 1_000 },
    ]);
  });

  it("lets an agent that needs no more operations unwind and end by itself", async () => {
    const done = Promise.withResolvers<object>();
    const { host, world, stored, id } = await leased(() => done.promise);
    await world.advance(10_500);
    say(host, "winding down");
    done.resolve({ result: "1" });
    await world.settle();
    expect((await stored(id)).status).toBe("success");
  });

  it.each([
    ["returns", (finish: PromiseWithResolvers<object>) => finish.resolve({ result: "1" })],
    ["throws something else", (finish: PromiseWithResolvers<object>) => finish.reject(new Error("gave up"))],
  ])(
    "[arcp-9.5-job-error] ends the job when an operation is tried after it, though the agent then %s",
    async (_, end) => {
      const finish = Promise.withResolvers<object>();
      const { host, world, log, id } = await leased(() => finish.promise);
      await world.advance(10_500);
      expect(() => host.guard.check(TOOL)).toThrow(expired);
      end(finish);
      await world.settle();
      expect((await log(id)).at(-1)?.payload).toMatchObject({ final_status: "error", code: "LEASE_EXPIRED" });
    },
  );

  it("ends the job by whichever passes first, it or max_runtime_sec", async () => {
    const first = await leased(never, 5);
    await first.world.advance(20_000);
    const second = await leased(never, 15);
    await second.world.advance(20_000);
    expect([(await first.stored(first.id)).status, (await second.stored(second.id)).status]).toEqual([
      "timed_out",
      "error",
    ]);
    await second.world.advance(AUDIT_MINUTE_MS);
    expect([first.world.pendingTimers, second.world.pendingTimers]).toEqual([0, 0]);
  });

  it("binds no job without one", async () => {
    let host: JobHost | undefined;
    const free = anAgent("free", (given) => {
      host = given;
      return never();
    });
    const { submit, world, stored } = await createTestKernel({ agents: [free] });
    const { job } = await submit("free", null, { leaseRequest: { "tool.call": ["*"] } });
    await world.advance(1_000 * DAY_MS);
    expect(() => host?.guard.check(TOOL)).not.toThrow();
    expect((await stored(job.id)).status).toBe("running");
  });
});
