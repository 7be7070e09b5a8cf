import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { createSystemWorld } from "./system-world.ts";

const LONGEST_TIMEOUT_MS = 2 ** 31 - 1;
const DAY_MS = 86_400_000;

describe("the system's timers", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  /** Waits `ms` in steps that the stubbed clock can take at once. */
  function wait(ms: number): void {
    for (let left = ms; left > 0; left -= DAY_MS) vi.advanceTimersByTime(Math.min(left, DAY_MS));
  }

  it.each([0, 1, 50, LONGEST_TIMEOUT_MS - 1, LONGEST_TIMEOUT_MS, LONGEST_TIMEOUT_MS + 1, 100 * DAY_MS])(
    "run once after %d ms, and not before",
    (delay) => {
      const run = vi.fn();
      createSystemWorld().timers.after(delay, run);
      wait(delay - 1);
      expect(run).not.toHaveBeenCalled();
      wait(1);
      expect(run).toHaveBeenCalledOnce();
      wait(200 * DAY_MS);
      expect(run).toHaveBeenCalledOnce();
    },
  );

  it("never ask the platform for a delay it would take for one millisecond", () => {
    const set = vi.spyOn(globalThis, "setTimeout");
    createSystemWorld().timers.after(60 * DAY_MS, () => {});
    wait(60 * DAY_MS);
    const delays = set.mock.calls.map(([, delay]) => delay ?? 0);
    expect(delays.length).toBeGreaterThan(1);
    expect(Math.max(...delays)).toBeLessThanOrEqual(LONGEST_TIMEOUT_MS);
  });

  it("run at once what is due already", () => {
    const run = vi.fn();
    createSystemWorld().timers.after(-5, run);
    vi.advanceTimersByTime(1);
    expect(run).toHaveBeenCalledOnce();
  });

  it.each([50, 60 * DAY_MS])("leave nothing behind when one of %d ms is cancelled, early or late", (delay) => {
    const run = vi.fn();
    const { timers } = createSystemWorld();
    const early = timers.after(delay, run);
    early.cancel();
    early.cancel();
    expect(vi.getTimerCount()).toBe(0);
    const late = timers.after(delay, run);
    wait(Math.max(delay - DAY_MS, 1));
    late.cancel();
    expect(vi.getTimerCount()).toBe(0);
    wait(delay);
    expect(run).not.toHaveBeenCalled();
  });

  it("may be cancelled after they have run", () => {
    const timer = createSystemWorld().timers.after(1, () => {});
    vi.advanceTimersByTime(1);
    expect(() => timer.cancel()).not.toThrow();
  });
});

describe("the system's next turn", () => {
  it("comes after everything that was promised, in order", async () => {
    const { timers } = createSystemWorld();
    const order: string[] = [];
    const turned = new Promise<void>((resolve) => {
      timers.soon(() => order.push("first"));
      timers.soon(() => {
        order.push("second");
        resolve();
      });
    });
    void Promise.resolve().then(() => order.push("promised"));
    await turned;
    expect(order).toEqual(["promised", "first", "second"]);
  });
});

describe("the system's clock", () => {
  it("tells the time in whole milliseconds", () => {
    const { clock } = createSystemWorld();
    expect(Number.isSafeInteger(clock.now())).toBe(true);
    expect(Math.abs(clock.now() - Date.now())).toBeLessThan(60_000);
  });

  it("goes on steadily, though the system's time is set back or forward [arcp-14-monotonic-clock]", () => {
    const elapsed = vi.spyOn(performance, "now").mockReturnValue(1_000);
    const wall = vi.spyOn(Date, "now").mockReturnValue(1_767_225_600_000);
    const { clock } = createSystemWorld();
    const start = clock.now();
    expect(start).toBe(1_767_225_600_000);
    wall.mockReturnValue(0);
    elapsed.mockReturnValue(1_010);
    expect(clock.now()).toBe(start + 10);
    wall.mockReturnValue(2_000_000_000_000);
    expect(clock.now()).toBe(start + 10);
  });
});

describe("the system's randomness", () => {
  it("gives as many bytes as were asked for, others each time", () => {
    const { random } = createSystemWorld();
    const [one, other] = [random.bytes(32), random.bytes(32)];
    expect([one.length, other.length, random.bytes(0).length]).toEqual([32, 32, 0]);
    expect(one).not.toEqual(other);
  });
});
