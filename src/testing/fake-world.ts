/**
 * A world under a test's control: time moves only by `advance`, `soon` runs only when asked, and randomness and ids
 * follow from a seed. The same seed gives the same run.
 */
import { createIds } from "../platform/ulid.ts";
import type { Timer, World } from "../platform/world.ts";

export interface FakeWorld extends World {
  /** A seeded number in [0, 1). */
  draw(): number;
  /** A seeded whole number from 0 to `below` − 1. */
  drawInt(below: number): number;
  /**
   * Runs everything that is due now: pending promises, `soon` callbacks, and what they lead to, until nothing is
   * left. Time stands still.
   * @throws Error when it does not come to rest within 10,000 rounds.
   */
  settle(): Promise<void>;
  /** Moves time forward by `ms`, firing timers in order of their time and settling after each. */
  advance(ms: number): Promise<void>;
  /** Timers set and neither fired nor cancelled. A test that ends with more than it began with has leaked one. */
  readonly pendingTimers: number;
}

interface PendingTimer {
  readonly at: number;
  readonly order: number;
  readonly run: () => void;
}

/** 2026-01-01T00:00:00Z: a fixed start keeps ids and timestamps in tests stable. */
const DEFAULT_START = 1_767_225_600_000;
const ROUNDS_BEFORE_GIVING_UP = 10_000;
/** Promise chains of this depth come to rest within one round of `settle`. */
const MICROTASKS_PER_ROUND = 50;

/** Mulberry32: a small seeded generator, good enough to choose what happens in a test. */
function createDraw(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

export function createFakeWorld(options: { seed?: number; startAt?: number } = {}): FakeWorld {
  const draw = createDraw(options.seed ?? 1);
  let now = options.startAt ?? DEFAULT_START;
  let order = 0;
  const timers = new Set<PendingTimer>();
  let queued: (() => void)[] = [];

  const clock = { now: () => now };
  const random = { bytes: (length: number) => Uint8Array.from({ length }, () => Math.floor(draw() * 256)) };

  async function settle(): Promise<void> {
    for (let round = 0; round < ROUNDS_BEFORE_GIVING_UP; round++) {
      for (let turn = 0; turn < MICROTASKS_PER_ROUND; turn++) await Promise.resolve();
      if (queued.length === 0) return;
      const due = queued;
      queued = [];
      for (const run of due) run();
    }
    throw new Error(`the fake world did not come to rest within ${ROUNDS_BEFORE_GIVING_UP} rounds`);
  }

  function nextTimer(until: number): PendingTimer | undefined {
    let next: PendingTimer | undefined;
    for (const timer of timers) {
      if (timer.at > until) continue;
      if (next === undefined || timer.at < next.at || (timer.at === next.at && timer.order < next.order)) next = timer;
    }
    return next;
  }

  return {
    clock,
    random,
    ids: createIds(clock, random),
    timers: {
      soon: (run) => void queued.push(run),
      after(delayMs, run): Timer {
        const timer: PendingTimer = { at: now + Math.max(0, delayMs), order: order++, run };
        timers.add(timer);
        return { cancel: () => void timers.delete(timer) };
      },
    },
    draw,
    drawInt: (below) => Math.floor(draw() * below),
    settle,
    async advance(ms) {
      const until = now + ms;
      await settle();
      for (let timer = nextTimer(until); timer !== undefined; timer = nextTimer(until)) {
        timers.delete(timer);
        now = Math.max(now, timer.at);
        timer.run();
        await settle();
      }
      now = until;
    },
    get pendingTimers() {
      return timers.size;
    },
  };
}
