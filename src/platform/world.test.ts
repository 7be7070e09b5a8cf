/** What every world promises, shown of the one that tests control; and that it gives the same run for the same seed. */
import { describe, expect, it } from "vitest";
import { createFakeWorld, type FakeWorld } from "../testing/fake-world.ts";

/** Does a bit of everything that a world can decide, and notes what came of it. */
async function run(world: FakeWorld): Promise<readonly unknown[]> {
  const notes: unknown[] = [];
  for (let round = 0; round < 20; round++) {
    const delay = world.drawInt(1_000);
    world.timers.after(delay, () => notes.push(["timer", round, world.clock.now()]));
    world.timers.soon(() => notes.push(["soon", round]));
    notes.push(world.ids.next("job"), [...world.random.bytes(4)], world.draw());
    await world.advance(world.drawInt(300));
  }
  await world.advance(1_000);
  return notes;
}

describe("a world under a test's control", () => {
  it("gives the same run for the same seed, and another for another", async () => {
    const first = await run(createFakeWorld({ seed: 7 }));
    expect(await run(createFakeWorld({ seed: 7 }))).toEqual(first);
    expect(await run(createFakeWorld({ seed: 8 }))).not.toEqual(first);
  });

  it("lets time stand still but for `advance`", async () => {
    const world = createFakeWorld({ startAt: 5_000 });
    await world.settle();
    expect(world.clock.now()).toBe(5_000);
    await world.advance(250);
    expect(world.clock.now()).toBe(5_250);
  });

  it("fires timers in the order of their time, then of their making, each at its own time", async () => {
    const world = createFakeWorld({ startAt: 0 });
    const fired: unknown[] = [];
    const set = (name: string, delay: number) => world.timers.after(delay, () => fired.push([name, world.clock.now()]));
    set("late", 30);
    set("first of two", 10);
    set("second of two", 10);
    set("negative", -1);
    await world.advance(30);
    expect(fired).toEqual([
      ["negative", 0],
      ["first of two", 10],
      ["second of two", 10],
      ["late", 30],
    ]);
  });

  it("fires within one advance what a timer sets, if it is due by then", async () => {
    const world = createFakeWorld({ startAt: 0 });
    const fired: number[] = [];
    const again = (): void => {
      fired.push(world.clock.now());
      world.timers.after(40, again);
    };
    world.timers.after(40, again);
    await world.advance(100);
    expect([fired, world.pendingTimers]).toEqual([[40, 80], 1]);
  });

  it("waits as long as it is told, and counts what has neither fired nor been cancelled", async () => {
    const world = createFakeWorld({ startAt: 0 });
    let fired = false;
    const timer = world.timers.after(365 * 86_400_000, () => {
      fired = true;
    });
    const cancelled = world.timers.after(1, () => {});
    cancelled.cancel();
    cancelled.cancel();
    expect(world.pendingTimers).toBe(1);
    await world.advance(365 * 86_400_000);
    timer.cancel();
    expect([fired, world.pendingTimers]).toEqual([true, 0]);
  });

  it("says so when it does not come to rest", async () => {
    const world = createFakeWorld();
    const again = (): void => world.timers.soon(again);
    again();
    await expect(world.settle()).rejects.toThrow("did not come to rest");
  });
});
