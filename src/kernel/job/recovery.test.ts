import { describe, expect, it } from "vitest";
import { CodedError } from "../../protocol/errors.ts";
import type { JobHost } from "../agents-port.ts";
import { anAgent, createTestKernel, echo, endless, say, type TestKernel } from "../test-kernel.ts";

const LOST = { code: "E", payload: { final_status: "error", code: "INTERNAL_ERROR", retryable: true } };

/** Says something and then runs until the process dies; a later attempt returns its number. */
const persistent = anAgent(
  "persistent",
  async (host) => {
    say(host, `attempt ${host.attempt}`);
    await host.flush();
    return host.attempt === 1 ? new Promise<never>(() => {}) : { result: String(host.attempt) };
  },
  { restart: "always" },
);
/** Runs until the process dies, in every attempt. */
const doomed = { ...endless, name: "doomed", restart: "always" as const };

const codesOf = async (test: TestKernel, id: string) => (await test.log(id)).map(({ code }) => code).join("");

describe("a job that was running when the process died", () => {
  it("ends with one retryable error, once, when its agent does not run again", async () => {
    const first = await createTestKernel({ agents: [endless] });
    const { job } = await first.submit("endless");
    const later = await first.crash();
    expect(await later.log(job.id)).toMatchObject([LOST]);
    const laterStill = await later.crash();
    expect(await laterStill.log(job.id)).toHaveLength(1);
    expect([later.kernel.unfinished, later.world.pendingTimers]).toEqual([0, 0]);
  });

  it("[law-no-gap-or-repeat] runs again on the same stream, without a gap, when its agent does", async () => {
    const first = await createTestKernel({ agents: [persistent] });
    const { job } = await first.submit("persistent");
    const later = await first.crash({ downMs: 5_000 });
    expect(await later.log(job.id)).toMatchObject([
      { code: "l", payload: { body: { message: "attempt 1" } } },
      { code: "s", payload: { body: { phase: "restarted", message: "attempt 2" } } },
      { code: "l", payload: { body: { message: "attempt 2" } } },
      { code: "R", payload: { result: 2 } },
    ]);
    expect(await later.stored(job.id)).toMatchObject({ attempt: 2, startedAt: job.startedAt });
  });

  it("[law-no-event-lost] keeps every entry that was committed, and none that was not", async () => {
    const chatty = anAgent("chatty", async (host) => {
      for (let entry = 0; entry < 2_000; entry++) await say(host, "committed");
      await host.flush();
      first.store.hold();
      for (let entry = 0; entry < 100; entry++) say(host, "not committed");
      return new Promise<never>(() => {});
    });
    const first = await createTestKernel({ agents: [chatty] });
    const { job } = await first.submit("chatty");
    expect(first.store.held).toBe(1);
    const later = await first.crash();
    expect(await codesOf(later, job.id)).toBe(`${"l".repeat(2_000)}E`);
  });

  it("is taken up again and again while its log cannot be read", async () => {
    const { submit, kernel, store, world, stored } = await createTestKernel({ agents: [persistent] });
    const { job } = await submit("persistent");
    const { readChunks } = store;
    store.readChunks = () => Promise.reject(new Error("not now"));
    store.failNext();
    await expect(Promise.all([kernel.cancel({ job: job.id }, () => {}), world.settle()])).rejects.toThrow();
    await world.advance(10_000);
    store.readChunks = readChunks;
    await world.advance(60_000);
    expect(await stored(job.id)).toMatchObject({ status: "success", attempt: 2 });
  });

  it("finds again what its steps returned, and the input as it is checked anew", async () => {
    const seen: unknown[] = [];
    const stepping = anAgent(
      "stepping",
      async (host, input) => {
        seen.push([host.attempt, input, Object.fromEntries(host.steps)]);
        await host.recordStep("a", "1");
        await host.recordStep("b", null);
        return host.attempt === 1 ? new Promise<never>(() => {}) : {};
      },
      { restart: "always", parseInput: async (input) => `checked ${input}` },
    );
    const first = await createTestKernel({ agents: [stepping] });
    await first.submit("stepping", "in");
    await first.crash();
    expect(seen).toEqual([
      [1, "checked in", {}],
      [2, "checked in", { a: "1", b: null }],
    ]);
  });

  it("ends when its agent does not take its input any more", async () => {
    const first = await createTestKernel({ agents: [doomed] });
    const { job } = await first.submit("doomed");
    const parseInput = () => {
      throw new CodedError("INVALID_REQUEST", "input: must be an object");
    };
    const later = await first.crash({ agents: [{ ...doomed, parseInput }] });
    expect((await later.log(job.id)).at(-1)).toMatchObject({ code: "E", payload: { code: "INVALID_REQUEST" } });
  });

  it.each([
    ["its agent", []],
    ["[arcp-7.5-no-migration] the version it was submitted to", [{ ...persistent, version: "2.0.0" }]],
  ])("[reading-version-awaited] waits, and ends with an error that says so, when %s is gone", async (_, agents) => {
    const first = await createTestKernel({ agents: [persistent], jobLimits: { maxAgentWaitSec: 60 } });
    const { job } = await first.submit("persistent");
    const later = await first.crash({ agents });
    await later.world.advance(59_999);
    expect(await later.stored(job.id)).toMatchObject({ status: "running", attempt: 1 });
    await later.world.advance(1);
    expect((await later.log(job.id)).at(-1)).toMatchObject({
      code: "E",
      payload: {
        code: "AGENT_NOT_AVAILABLE",
        message: expect.stringContaining("waited 60 s for persistent@1.0.0 after a restart"),
      },
    });
    expect((await later.stored(job.id)).version).toBe("1.0.0");
    expect([later.kernel.unfinished, later.world.pendingTimers]).toEqual([0, 0]);
  });

  it("runs again as soon as its version is there again", async () => {
    const registered = [{ ...persistent, version: "2.0.0" }];
    const first = await createTestKernel({ agents: [persistent] });
    const { job } = await first.submit("persistent");
    const later = await first.crash({ agents: registered });
    await later.world.advance(7_000);
    registered.push({ ...persistent, version: "1.0.0" });
    await later.world.advance(5_000);
    expect(await later.stored(job.id)).toMatchObject({ status: "success", attempt: 2, version: "1.0.0" });
    expect(later.world.pendingTimers).toBe(0);
  });

  it("can be cancelled, or run out of time, while it waits for its version", async () => {
    const first = await createTestKernel({ agents: [persistent] });
    const one = await first.submit("persistent");
    const two = await first.submit("persistent", null, { maxRuntimeSec: 60 });
    const later = await first.crash({ agents: [] });
    void later.kernel.cancel({ job: one.job.id }, () => {});
    await later.world.advance(60_000);
    expect([(await later.stored(one.job.id)).status, (await later.stored(two.job.id)).status]).toEqual([
      "cancelled",
      "timed_out",
    ]);
    expect(later.world.pendingTimers).toBe(0);
  });

  it("[reading-unknown-outcome] has a result for every tool call that was under way, which says that its outcome is unknown", async () => {
    const call = (host: JobHost, id: string) =>
      host.append("tool_call", "tool_call", JSON.stringify({ tool: "t", args: {}, call_id: id }));
    const result = (host: JobHost, id: string) =>
      host.append("tool_result", "tool_result", JSON.stringify({ call_id: id, result: 1 }));
    const calling = anAgent(
      "calling",
      async (host) => {
        if (host.attempt > 1) return host.attempt === 2 ? new Promise<never>(() => {}) : {};
        for (const id of ["a", "b", "c"]) call(host, id);
        result(host, "b");
        // Far enough on that the calls stand in other chunks than the end of the log.
        for (let entry = 0; entry < 1_000; entry++) await say(host, "x");
        result(host, "c");
        await host.flush();
        return new Promise<never>(() => {});
      },
      { restart: "always" },
    );
    const first = await createTestKernel({ agents: [calling] });
    const { job } = await first.submit("calling");
    const before = (await first.log(job.id)).length;
    const second = await first.crash();
    expect((await second.log(job.id)).slice(before)).toMatchObject([
      { payload: { kind: "status", body: { phase: "restarted" } } },
      {
        payload: {
          kind: "tool_result",
          body: { call_id: "a", error: { code: "INTERNAL_ERROR", retryable: false, details: { outcome: "unknown" } } },
        },
      },
    ]);
    // And only one: the next attempt finds nothing open.
    const third = await second.crash();
    await third.world.advance(1_000);
    expect((await third.log(job.id)).slice(before + 2).map(({ code }) => code)).toEqual(["s", "R"]);
  });

  it("[reading-attempts] is run five times, with growing pauses from the third attempt on, and then ends with a retryable error", async () => {
    let test = await createTestKernel({ agents: [doomed] });
    const { job } = await test.submit("doomed");
    for (const [attempt, pause] of [
      [2, 0],
      [3, 1_000],
      [4, 2_000],
      [5, 4_000],
    ] as const) {
      test = await test.crash();
      if (pause > 0) {
        await test.world.advance(pause - 1);
        expect((await test.stored(job.id)).attempt).toBe(attempt - 1);
        await test.world.advance(1);
      }
      expect(await test.stored(job.id)).toMatchObject({ status: "running", attempt });
    }
    test = await test.crash();
    expect(await test.log(job.id)).toHaveLength(5);
    expect((await test.log(job.id)).at(-1)).toMatchObject(LOST);
    expect((await test.stored(job.id)).attempt).toBe(5);
  });

  it("can be cancelled during such a pause, and leaves no timer behind", async () => {
    let test = await createTestKernel({ agents: [doomed] });
    const { job } = await test.submit("doomed");
    test = await (await test.crash()).crash();
    expect(test.world.pendingTimers).toBe(1);
    void test.kernel.cancel({ job: job.id }, () => {});
    await test.world.settle();
    expect([(await test.stored(job.id)).status, test.world.pendingTimers]).toEqual(["cancelled", 0]);
  });
});

describe("a job whose time ran out while no process ran", () => {
  /** Counts the attempts that were begun. */
  function counting() {
    const attempts: number[] = [];
    const agent = anAgent(
      "counting",
      (host: JobHost) => {
        attempts.push(host.attempt);
        return new Promise<never>(() => {});
      },
      { restart: "always" },
    );
    return { attempts, agent };
  }

  it("is timed out, and its agent does not run again", async () => {
    const { attempts, agent } = counting();
    const first = await createTestKernel({ agents: [agent] });
    const { job } = await first.submit("counting", null, { maxRuntimeSec: 60 });
    const later = await first.crash({ downMs: 60_000 });
    expect(await later.log(job.id)).toMatchObject([{ payload: { final_status: "timed_out", code: "TIMEOUT" } }]);
    expect([attempts, later.world.pendingTimers]).toEqual([[1], 0]);
  });

  it("is ended by its lease's expiry, and its agent does not run again", async () => {
    const { attempts, agent } = counting();
    const first = await createTestKernel({ agents: [agent] });
    const leaseConstraints = { expires_at: new Date(first.world.clock.now() + 60_000).toISOString() };
    const { job } = await first.submit("counting", null, { leaseConstraints });
    const later = await first.crash({ downMs: 61_000 });
    expect(await later.log(job.id)).toMatchObject([{ payload: { final_status: "error", code: "LEASE_EXPIRED" } }]);
    expect(attempts).toEqual([1]);
  });

  it("is timed out at its own time when a process runs again before", async () => {
    const { agent } = counting();
    const first = await createTestKernel({ agents: [agent] });
    const { job } = await first.submit("counting", null, { maxRuntimeSec: 60 });
    const later = await first.crash({ downMs: 59_000 });
    expect((await later.stored(job.id)).status).toBe("running");
    await later.world.advance(1_000);
    expect(await later.stored(job.id)).toMatchObject({ status: "timed_out", endedAt: job.createdAt + 60_000 });
  });

  it("ends as one that was lost when its agent would not have run again anyway", async () => {
    const first = await createTestKernel({ agents: [endless] });
    const { job } = await first.submit("endless", null, { maxRuntimeSec: 60 });
    const later = await first.crash({ downMs: 90_000 });
    expect(await later.log(job.id)).toMatchObject([LOST]);
  });
});

describe("a job found in another state", () => {
  it("is started when it had not been", async () => {
    const first = await createTestKernel({ agents: [endless] });
    const { job } = await first.submit("endless");
    const pending = {
      id: job.id,
      status: "pending" as const,
      attempt: 0,
      startedAt: null,
      endedAt: null,
      outcome: null,
    };
    await first.store.commit({ claims: [], rows: { jobUpdates: [pending] } });
    const later = await first.crash({ agents: [anAgent("endless", () => ({ result: "1" }))] });
    expect(await later.stored(job.id)).toMatchObject({ status: "success", attempt: 1 });
  });

  it("is settled with the outcome that was fixed, without its agent", async () => {
    const first = await createTestKernel({ agents: [endless] });
    const { job } = await first.submit("endless");
    const error = { code: "CANCELLED", message: "stopped", retryable: false } as const;
    const ending = { ...job, status: "ending" as const, outcome: { status: "cancelled" as const, error } };
    await first.store.commit({ claims: [], rows: { jobUpdates: [ending] } });
    const later = await first.crash({ agents: [] });
    expect(await later.log(job.id)).toMatchObject([{ payload: { final_status: "cancelled", message: "stopped" } }]);
    expect(later.kernel.unfinished).toBe(0);
  });

  it("is left alone when it had ended", async () => {
    const first = await createTestKernel({ agents: [echo] });
    const { job } = await first.submit("echo", 1);
    const later = await first.crash();
    expect([later.batches, await codesOf(later, job.id)]).toEqual([[], "R"]);
  });
});

describe("recovery", () => {
  it("fences the process that had the tree before", async () => {
    const first = await createTestKernel({ agents: [persistent] });
    const { job } = await first.submit("persistent");
    // The same store, not a copy of it: as a process that is taken for dead and is not.
    await first.store.claimTrees("node_other");
    const cancelled = first.kernel.cancel({ job: job.id }, () => {});
    cancelled.catch(() => {});
    await first.world.settle();
    await expect(cancelled).rejects.toThrow(expect.objectContaining({ code: "INTERNAL_ERROR" }));
    expect((await first.stored(job.id)).status).toBe("running");
    expect([first.kernel.unfinished, first.world.pendingTimers]).toEqual([0, 0]);
  });

  it("takes up every one of many jobs", async () => {
    const first = await createTestKernel({ agents: [persistent, endless] });
    const ids: string[] = [];
    for (let job = 0; job < 100; job++) ids.push((await first.submit(job % 2 === 0 ? "persistent" : "endless")).job.id);
    const later = await first.crash();
    const ends = await Promise.all(ids.map((id) => codesOf(later, id)));
    expect(ends).toEqual(ids.map((_, job) => (job % 2 === 0 ? "lslR" : "E")));
    expect(later.kernel.unfinished).toBe(0);
  });
});
