import { expect, it } from "vitest";
import { createFakeWorld } from "../../testing/fake-world.ts";
import { watchForStall } from "./stall-watch.ts";

const LIMITS = { idleMs: 100, totalMs: 1_000 };

it("ends what stands still, and what goes on too long; and leaves no timer", async () => {
  const world = createFakeWorld();
  const late: string[] = [];
  const watch = watchForStall(world, LIMITS, ({ message }) => late.push(message));
  for (let moves = 0; moves < 5; moves++) {
    await world.advance(60);
    watch.touch();
  }
  expect(late).toEqual([]);
  await world.advance(100);
  expect(late).toEqual(["nothing moved for 100 ms"]);

  const busy = watchForStall(world, LIMITS, ({ message }) => late.push(message));
  for (let moves = 0; moves < 20; moves++) {
    await world.advance(50);
    busy.touch();
  }
  expect(late).toEqual(["nothing moved for 100 ms", "it took too long"]);

  const short = watchForStall(world, LIMITS, ({ message }) => late.push(message));
  short.shorten(10);
  await world.advance(10);
  expect(late).toHaveLength(3);
  watchForStall(world, LIMITS, () => {}).stop();
  expect(world.pendingTimers).toBe(0);
});
