import { describe, expect, it, vi } from "vitest";
import { createSystemWorld } from "../../platform/system-world.ts";
import { createFakeWorld } from "../../testing/fake-world.ts";
import { createMemoryWatch } from "./memory-watch.ts";

/** KiB. */
const MB = 1_024;

describe("the memory of processes", () => {
  it("is looked at while there is one, and too much of it is told once", async () => {
    const world = createFakeWorld();
    const sizes = new Map([
      [1, 100 * MB],
      [2, 100 * MB],
    ]);
    const measure = vi.fn(async (pids: readonly number[], tell: (pid: number, size: number) => void) => {
      for (const pid of pids) tell(pid, sizes.get(pid) ?? 0);
    });
    const { watch } = createMemoryWatch(world.timers, measure);
    const [first, second] = [vi.fn(), vi.fn()];
    const endFirst = watch(1, 100, first);
    const endSecond = watch(2, 200, second);
    await world.advance(5_000);
    expect(measure).toHaveBeenCalled();
    expect(first).not.toHaveBeenCalled();
    sizes.set(1, 100 * MB + 1);
    await world.advance(5_000);
    expect(first).toHaveBeenCalledTimes(1);
    expect(second).not.toHaveBeenCalled();
    endFirst();
    endSecond();
    expect(world.pendingTimers).toBe(0);
  });

  it("is found by the system's own count", async () => {
    const { watch } = createMemoryWatch(createSystemWorld().timers);
    await new Promise<void>((resolve) => watch(process.pid, 1, resolve));
  });
});
