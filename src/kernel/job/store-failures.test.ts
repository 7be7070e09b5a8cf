/** What becomes of jobs when the store fails under them: what was not stored did not happen, and nobody is left waiting. */
import { describe, expect, it, vi } from "vitest";
import type { JobHost } from "../agents-port.ts";
import { StoreError } from "../store-error.ts";
import { anAgent, createTestKernel, echo, endless, say } from "../test-kernel.ts";

const lost = expect.objectContaining({ code: "INTERNAL_ERROR", retryable: true });

/** An agent whose attempts are the test's. */
function held(restart: "never" | "always" = "never") {
  const hosts: JobHost[] = [];
  const agent = anAgent(
    "held",
    (host) => {
      hosts.push(host);
      return new Promise<never>(() => {});
    },
    { restart },
  );
  return { agent, hosts };
}

describe("a commit that fails in the middle of a job", () => {
  it("shuts its agent out at once, with a retryable error for whatever it awaits", async () => {
    const { agent, hosts } = held();
    const { submit, store, world } = await createTestKernel({ agents: [agent] });
    await submit("held");
    const host = hosts[0] as JobHost;
    store.hold();
    store.failNext();
    say(host, "x");
    const flushes = [host.flush()];
    await world.settle();
    say(host, "y");
    flushes.push(host.flush());
    const settled = Promise.allSettled(flushes);
    store.release();
    await world.settle();
    expect(await settled).toEqual([
      { status: "rejected", reason: lost },
      { status: "rejected", reason: lost },
    ]);
    expect([host.signal.aborted, host.signal.reason]).toEqual([true, lost]);
    expect(() => say(host, "z")).toThrow(lost);
  });

  it("gives room to an emission that waits for it", async () => {
    const { agent, hosts } = held();
    const { submit, store, world } = await createTestKernel({ agents: [agent] });
    await submit("held");
    store.failNext();
    let room: Promise<void> | undefined;
    for (let entry = 0; entry < 512; entry++) room = say(hosts[0] as JobHost, "x");
    await world.settle();
    await expect(room).resolves.toBeUndefined();
  });

  it("ends the job with one retryable error a moment later, on the log as it was stored", async () => {
    const { agent, hosts } = held();
    const { submit, store, world, log, kernel } = await createTestKernel({ agents: [agent] });
    const { job } = await submit("held");
    say(hosts[0] as JobHost, "stored");
    await world.settle();
    store.failNext();
    say(hosts[0] as JobHost, "not stored");
    await world.advance(1_000);
    expect(await log(job.id)).toMatchObject([
      { code: "l", payload: { body: { message: "stored" } } },
      { code: "E", payload: { code: "INTERNAL_ERROR", retryable: true } },
    ]);
    expect([kernel.unfinished, world.pendingTimers]).toEqual([0, 0]);
  });

  it("[law-no-gap-or-repeat] is followed by another attempt on the same stream, without a gap, where the agent asked for it", async () => {
    const { agent, hosts } = held("always");
    const { submit, store, world, log, kernel } = await createTestKernel({ agents: [agent] });
    const { job } = await submit("held");
    const seen: number[] = [];
    void (async () => {
      for await (const { firstSeq, payloads } of kernel.follow(job.id, 0)) {
        seen.push(...payloads.map((_, index) => firstSeq + index));
      }
    })();
    say(hosts[0] as JobHost, "stored");
    await world.settle();
    store.failNext();
    say(hosts[0] as JobHost, "not stored");
    await world.advance(1_000);
    say(hosts[1] as JobHost, "of the second attempt");
    void kernel.cancel({ job: job.id }, () => {});
    await world.settle();
    expect(hosts.map(({ attempt }) => attempt)).toEqual([1, 2]);
    expect(await log(job.id)).toMatchObject([
      { payload: { body: { message: "stored" } } },
      { payload: { body: { phase: "restarted" } } },
      { payload: { body: { message: "of the second attempt" } } },
      { code: "E" },
    ]);
    expect(seen).toEqual([1, 2, 3, 4]);
  });

  it("takes no other job with it but those in the same commit", async () => {
    const { agent, hosts } = held();
    const { submit, store, world } = await createTestKernel({ agents: [agent] });
    await submit("held");
    await submit("held");
    store.failNext();
    say(hosts[0] as JobHost, "x");
    await world.settle();
    expect(hosts.map(({ signal }) => signal.aborted)).toEqual([true, false]);
  });

  it("[law-one-terminal] loses the result that was in it, and ends the job once", async () => {
    const finish = Promise.withResolvers<object>();
    const finishing = anAgent("finishing", () => finish.promise);
    const { submit, store, world, log } = await createTestKernel({ agents: [finishing] });
    const { job } = await submit("finishing");
    store.failNext();
    finish.resolve({ result: "1" });
    await world.advance(60_000);
    expect((await log(job.id)).map(({ code }) => code)).toEqual(["E"]);
  });

  it("is tried again after 1, 2, 4 … 30 seconds while the store keeps failing, and after 1 again once it has not", async () => {
    const { agent, hosts } = held("always");
    const { submit, store, world } = await createTestKernel({ agents: [agent] });
    await submit("held");
    const commit = vi.spyOn(store, "commit").mockRejectedValue(new StoreError("no space"));
    say(hosts[0] as JobHost, "x");
    await world.settle();
    for (const pause of [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]) {
      commit.mockClear();
      await world.advance(pause - 1);
      expect(commit).not.toHaveBeenCalled();
      await world.advance(1);
      expect(commit).toHaveBeenCalledOnce();
    }
    commit.mockRestore();
    await world.advance(30_000);
    expect(hosts.map(({ attempt }) => attempt)).toEqual([1, 2]);
    // The third attempt comes after the pause of a loss, and the pause before a third attempt.
    store.failNext();
    say(hosts[1] as JobHost, "x");
    await world.advance(2_000);
    expect(hosts.map(({ attempt }) => attempt)).toEqual([1, 2, 3]);
  });

  it("is taken up when the store can be read again", async () => {
    const { agent, hosts } = held("always");
    const { submit, store, world } = await createTestKernel({ agents: [agent] });
    await submit("held");
    store.failNext();
    vi.spyOn(store, "readTree").mockRejectedValueOnce(new Error("unreadable"));
    vi.spyOn(store, "readHeads").mockRejectedValueOnce(new Error("unreadable"));
    say(hosts[0] as JobHost, "x");
    await world.advance(1_000 + 2_000);
    expect(hosts).toHaveLength(1);
    await world.advance(4_000);
    expect(hosts.map(({ attempt }) => attempt)).toEqual([1, 2]);
  });
});

describe("a submission that cannot be stored", () => {
  it("is refused with a retryable error, runs nothing, and leaves nothing behind", async () => {
    const { agent, hosts } = held();
    const { submit, store, world, kernel } = await createTestKernel({ agents: [agent] });
    store.failNext();
    await expect(submit("held")).rejects.toThrow(lost);
    await world.advance(60_000);
    expect([hosts.length, kernel.unfinished, world.pendingTimers]).toEqual([0, 0, 0]);
    expect(await kernel.listJobs({ principals: ["t/me"], limit: 10 })).toEqual([]);
  });

  it("can be made again, and then works", async () => {
    const { submit, store, stored } = await createTestKernel({ agents: [echo] });
    store.failNext();
    await expect(submit("echo", 1)).rejects.toThrow(lost);
    expect((await stored((await submit("echo", 1)).job.id)).status).toBe("success");
  });
});

describe("a job whose agent is to be run again", () => {
  it("ends when what its steps returned cannot be read", async () => {
    const first = await createTestKernel({ agents: [{ ...endless, restart: "always" }] });
    const { job } = await first.submit("endless");
    const later = await createTestKernel({
      agents: [{ ...endless, restart: "always" }],
      snapshot: await first.store.crashImage(),
      start: false,
    });
    vi.spyOn(later.store, "readSteps").mockRejectedValue(new Error("unreadable"));
    await later.kernel.start();
    await later.world.settle();
    expect(await later.stored(job.id)).toMatchObject({ status: "error" });
    expect((await later.log(job.id)).at(-1)?.payload).toMatchObject(lost);
  });
});

describe("a store that cannot tell what is on the disk", () => {
  it("is reported as fatal, once for each commit", async () => {
    const { submit, store, fatal } = await createTestKernel({ agents: [echo] });
    const failure = new StoreError("fsync failed", { fatal: true });
    store.failNext(failure);
    await expect(submit("echo")).rejects.toThrow(lost);
    expect(fatal).toEqual([failure]);
  });

  it("is not, when it is only full or busy", async () => {
    const { submit, store, fatal } = await createTestKernel({ agents: [echo] });
    store.failNext(new StoreError("no space"));
    await expect(submit("echo")).rejects.toThrow(lost);
    expect(fatal).toEqual([]);
  });
});

describe("a disk that is full", () => {
  /** Says something all the time, and awaits what it says. */
  const chatty = (restart: "never" | "always") =>
    anAgent(
      "chatty",
      async (host) => {
        for (let entry = 0; entry < 1_000_000; entry++) {
          await say(host, "x".repeat(100));
          if (entry % 20 === 0) await host.flush();
          if (entry % 200 === 199) await new Promise((resolve) => host.signal.addEventListener("abort", resolve));
        }
        return {};
      },
      { restart },
    );

  it.each(["never", "always"] as const)(
    "refuses submissions with a retryable error, serves reads, and a chatty job goes on or ends soon after (restart: %s)",
    async (restart) => {
      const { submit, store, world, log, stored, kernel } = await createTestKernel({ agents: [chatty(restart), echo] });
      const { job } = await submit("chatty");
      const before = (await log(job.id)).length;
      store.fillDisk();
      void kernel.cancel({ job: "nobody" }, () => {}).catch(() => {});
      const cancelled = kernel.cancel({ job: job.id }, () => {});
      cancelled.catch(() => {});
      // For an hour nothing can be written: no error of it escapes, and what was there can be read.
      for (let minute = 0; minute < 60; minute++) {
        await world.advance(60_000);
        await expect(submit("echo", minute)).rejects.toThrow(lost);
      }
      await expect(cancelled).rejects.toThrow(lost);
      expect((await kernel.readJob(job.id))?.status).toBe("running");
      expect(await kernel.readChunks({ job: job.id, after: 0, limit: 10_000 })).not.toEqual([]);
      expect(await log(job.id)).toHaveLength(before);

      store.freeDisk();
      await world.advance(30_000);
      expect((await submit("echo", 1)).job.status).toBe("running");
      if (restart === "never") {
        expect((await log(job.id)).at(-1)).toMatchObject({ code: "E", payload: { code: "INTERNAL_ERROR" } });
        expect([kernel.unfinished, world.pendingTimers]).toEqual([0, 0]);
        return;
      }
      expect(await stored(job.id)).toMatchObject({ status: "running", attempt: 2 });
      const again = kernel.cancel({ job: job.id }, () => {});
      await world.settle();
      await again;
      expect([(await stored(job.id)).status, kernel.unfinished, world.pendingTimers]).toEqual(["cancelled", 0, 0]);
    },
  );

  it("that is full again and again does not run a job more than five times", async () => {
    const { submit, store, world, log, stored, kernel } = await createTestKernel({ agents: [chatty("always")] });
    const { job } = await submit("chatty");
    for (let fill = 0; fill < 6 && kernel.unfinished > 0; fill++) {
      store.fillDisk();
      void kernel.cancel({ job: job.id }, () => {}).catch(() => {});
      await world.advance(1_000);
      store.freeDisk();
      await world.advance(120_000);
    }
    expect(await stored(job.id)).toMatchObject({ status: "error", attempt: 5 });
    expect((await log(job.id)).at(-1)?.payload).toMatchObject({ code: "INTERNAL_ERROR" });
  });
});
