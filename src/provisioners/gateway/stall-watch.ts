/** Ends what takes too long: for want of movement, or in all. One timer, however often something moves. */
import type { Timer, World } from "../../platform/world.ts";

export interface StallWatch {
  touch(): void;
  /** From now on so much time is left, in all. */
  shorten(ms: number): void;
  stop(): void;
}

/** @param onLate called once at most. */
export function watchForStall(
  { clock, timers }: Pick<World, "clock" | "timers">,
  { idleMs, totalMs }: { readonly idleMs: number; readonly totalMs: number },
  onLate: (reason: Error) => void,
): StallWatch {
  let movedAt = clock.now();
  let endAt = movedAt + totalMs;
  let timer: Timer | undefined;

  function arm(): void {
    const now = clock.now();
    const left = Math.min(movedAt + idleMs, endAt) - now;
    if (left > 0) timer = timers.after(left, arm);
    else onLate(new Error(now >= endAt ? "it took too long" : `nothing moved for ${idleMs} ms`));
  }
  arm();

  return {
    touch() {
      movedAt = clock.now();
    },
    shorten(ms) {
      endAt = Math.min(endAt, clock.now() + ms);
      timer?.cancel();
      arm();
    },
    stop: () => timer?.cancel(),
  };
}
