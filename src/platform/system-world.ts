/** The real world: this machine's clock, timers and randomness. Works in Node and in a browser. */
import { createIds } from "./ulid.ts";
import type { Clock, Randomness, Timer, Timers, World } from "./world.ts";

/** The longest delay one `setTimeout` takes: 2^31 − 1 ms, about 24.8 days. Longer waits are made of several. */
const LONGEST_TIMEOUT_MS = 2_147_483_647;

/** Wall time, read once and advanced monotonically: a stepped system clock never makes it jump. */
function createClock(): Clock {
  const anchor = Date.now() - performance.now();
  return { now: () => Math.floor(anchor + performance.now()) };
}

function createTimers(): Timers {
  const soon: (run: () => void) => void =
    typeof setImmediate === "function" ? (run) => void setImmediate(run) : (run) => void setTimeout(run, 0);
  return {
    soon,
    after(delayMs: number, run: () => void): Timer {
      let remaining = Math.max(0, delayMs);
      let handle: ReturnType<typeof setTimeout>;
      const arm = (): void => {
        const step = Math.min(remaining, LONGEST_TIMEOUT_MS);
        remaining -= step;
        handle = setTimeout(remaining > 0 ? arm : run, step);
      };
      arm();
      return { cancel: () => clearTimeout(handle) };
    },
  };
}

/** Bytes drawn at once: a call into the generator costs more than the few bytes an id takes. */
const RANDOM_POOL_BYTES = 8_192;

/** Every byte is given out once. */
function createRandomness(): Randomness {
  let pool = new Uint8Array(0);
  let used = 0;
  return {
    bytes(length) {
      if (length > RANDOM_POOL_BYTES) return globalThis.crypto.getRandomValues(new Uint8Array(length));
      if (used + length > pool.length) {
        pool = globalThis.crypto.getRandomValues(new Uint8Array(RANDOM_POOL_BYTES));
        used = 0;
      }
      used += length;
      return pool.slice(used - length, used);
    },
  };
}

/** A `World` backed by this process. Make one per process and hand it down. */
export function createSystemWorld(): World {
  const clock = createClock();
  const random = createRandomness();
  return { clock, timers: createTimers(), random, ids: createIds(clock, random) };
}
