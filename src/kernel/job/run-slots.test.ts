import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type CountedAgent, type RunLimits, RunSlots } from "./run-slots.ts";

const FREE: CountedAgent = { name: "free", version: "1" };
const SINGLE: CountedAgent = { name: "single", version: "1", maxConcurrent: 1 };
const NO_LIMITS: RunLimits = {
  maxRunningJobs: Infinity,
  maxRunningJobsPerPrincipal: Infinity,
  maxPendingJobs: Infinity,
  maxPendingJobsPerPrincipal: Infinity,
};

/** Slots whose starts are written down. */
function slotsWith(limits: Partial<RunLimits>) {
  const slots = new RunSlots({ ...NO_LIMITS, ...limits });
  const started: string[] = [];
  const take = (id: string, principal = "t/a", agent = FREE): void => {
    if (slots.take({ id, principal, parent: null }, agent, () => started.push(id))) started.push(id);
  };
  return { slots, started, take };
}

describe("slots", () => {
  it("are given at once while there is room", () => {
    const { started, take } = slotsWith({ maxRunningJobs: 2 });
    for (const id of ["1", "2", "3"]) take(id);
    expect(started).toEqual(["1", "2"]);
  });

  it("go to those who wait first when an agent that was registered anew allows more", () => {
    const { started, take } = slotsWith({});
    for (const id of ["1", "2"]) take(id, "t/a", SINGLE);
    take("3", "t/a", { ...SINGLE, maxConcurrent: 2 });
    expect(started).toEqual(["1", "2"]);
  });

  it("go to the jobs of one principal in the order they came", () => {
    const { slots, started, take } = slotsWith({ maxRunningJobs: 1 });
    for (const id of ["1", "2", "3"]) take(id);
    slots.release("1");
    slots.release("2");
    expect(started).toEqual(["1", "2", "3"]);
  });

  it("go to principals in turns: a thousand jobs of one delay another's one by one job", () => {
    const { slots, started, take } = slotsWith({ maxRunningJobs: 1 });
    for (let job = 0; job < 1_000; job++) take(`a${job}`, "t/a");
    take("b0", "t/b");
    take("b1", "t/b");
    for (let job = 0; job < 4; job++) slots.release(started.at(-1) as string);
    expect(started).toEqual(["a0", "a1", "b0", "a2", "b1"]);
  });

  it("are bounded for each principal, and one at its bound holds up nobody", () => {
    const { slots, started, take } = slotsWith({ maxRunningJobs: 3, maxRunningJobsPerPrincipal: 2 });
    for (const id of ["a1", "a2", "a3"]) take(id, "t/a");
    take("b1", "t/b");
    take("b2", "t/b");
    expect(started).toEqual(["a1", "a2", "b1"]);
    slots.release("b1");
    expect(started).toEqual(["a1", "a2", "b1", "b2"]);
    slots.release("a2");
    expect(started.at(-1)).toBe("a3");
  });

  it("are bounded for each agent, and what waits for it holds up no other job of the same principal", () => {
    const { slots, started, take } = slotsWith({});
    take("s1", "t/a", SINGLE);
    take("s2", "t/a", SINGLE);
    take("f1", "t/a", FREE);
    expect(started).toEqual(["s1", "f1"]);
    slots.release("f1");
    expect(started).toEqual(["s1", "f1"]);
    slots.release("s1");
    expect(started).toEqual(["s1", "f1", "s2"]);
  });

  it("of a job that waits and is given up go to the next", () => {
    const { slots, started, take } = slotsWith({ maxRunningJobs: 1 });
    for (const id of ["1", "2", "3"]) take(id);
    slots.release("2");
    slots.release("2");
    slots.release("1");
    expect([started, slots.running, slots.waiting]).toEqual([["1", "3"], 1, 0]);
  });

  it("are not given any more once they are paused", async () => {
    const { slots, started, take } = slotsWith({ maxRunningJobs: 1 });
    take("1");
    take("2");
    slots.pause();
    let isIdle = false;
    const idle = slots.idle().then(() => {
      isIdle = true;
    });
    await Promise.resolve();
    expect(isIdle).toBe(false);
    slots.release("1");
    await idle;
    expect([started, slots.waiting]).toEqual([["1"], 1]);
  });
});

describe("the queue", () => {
  const refusal = (limit: string) =>
    expect.objectContaining({ code: "INTERNAL_ERROR", retryable: true, details: { limit, retry_after_ms: 1_000 } });

  it("is bounded for the runtime and for each principal", () => {
    const { slots, take } = slotsWith({ maxRunningJobs: 1, maxPendingJobs: 3, maxPendingJobsPerPrincipal: 2 });
    for (const id of ["1", "2", "3"]) take(id, "t/a");
    expect(() => slots.assertRoom("t/a", FREE)).toThrow(refusal("maxPendingJobsPerPrincipal"));
    expect(() => slots.assertRoom("t/b", FREE)).not.toThrow();
    take("4", "t/b");
    expect(() => slots.assertRoom("t/c", FREE)).toThrow(refusal("maxPendingJobs"));
    slots.release("1");
    expect(() => slots.assertRoom("t/c", FREE)).not.toThrow();
  });

  it("may hold nothing: what cannot run at once is refused", () => {
    const { slots, take } = slotsWith({ maxRunningJobs: 1, maxPendingJobs: 0 });
    expect(() => slots.assertRoom("t/a", FREE)).not.toThrow();
    take("1");
    expect(() => slots.assertRoom("t/a", FREE)).toThrow(refusal("maxPendingJobs"));
  });
});

it("no limit is ever passed, none is left unused, and everything starts once in the end", () => {
  const agents: readonly CountedAgent[] = [FREE, SINGLE, { name: "pair", version: "1", maxConcurrent: 2 }];
  const submission = fc.record({ principal: fc.constantFrom("t/a", "t/b", "t/c"), agent: fc.nat(2) });
  const step = fc.oneof({ weight: 3, arbitrary: submission }, { weight: 2, arbitrary: fc.nat() });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), fc.integer({ min: 1, max: 4 }), (steps, maxRunningJobs) => {
      const slots = new RunSlots({ ...NO_LIMITS, maxRunningJobs, maxRunningJobsPerPrincipal: 2 });
      const jobs = new Map<string, { principal: string; agent: CountedAgent; isRunning: boolean }>();
      const starts = new Map<string, number>();
      const start = (id: string): void => {
        starts.set(id, (starts.get(id) ?? 0) + 1);
        const job = jobs.get(id);
        if (job !== undefined) job.isRunning = true;
      };
      const running = () => [...jobs.values()].filter(({ isRunning }) => isRunning);
      const hasRoom = ({ principal, agent }: { principal: string; agent: CountedAgent }) =>
        running().length < maxRunningJobs &&
        running().filter((job) => job.principal === principal).length < 2 &&
        running().filter((job) => job.agent === agent).length < (agent.maxConcurrent ?? Infinity);
      const end = (id: string): void => {
        jobs.delete(id);
        slots.release(id);
      };
      let submitted = 0;
      for (const each of steps) {
        if (typeof each === "number") {
          const ids = [...jobs.keys()];
          const id = ids[each % Math.max(1, ids.length)];
          if (id !== undefined) end(id);
        } else {
          const id = `job ${submitted++}`;
          const job = { principal: each.principal, agent: agents[each.agent] as CountedAgent, isRunning: false };
          jobs.set(id, job);
          if (slots.take({ id, principal: job.principal, parent: null }, job.agent, () => start(id))) start(id);
        }
        expect(running().length).toBe(slots.running);
        expect(running().length).toBeLessThanOrEqual(maxRunningJobs);
        expect([...jobs.values()].filter((job) => !job.isRunning && hasRoom(job))).toEqual([]);
      }
      while (jobs.size > 0) end([...jobs].find(([, { isRunning }]) => isRunning)?.[0] as string);
      expect([slots.running, slots.waiting, [...starts.values()].every((count) => count === 1)]).toEqual([0, 0, true]);
    }),
  );
});
