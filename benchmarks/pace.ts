/** Calls something so many times a second, as evenly as millisecond timers allow. */
import { setTimeout as sleep } from "node:timers/promises";

export interface Pace {
  readonly perSecond: number;
  readonly seconds: number;
}

/** How many calls a pace makes in all. */
export function callsOf(pace: Pace): number {
  return Math.round(pace.perSecond * pace.seconds);
}

/**
 * Calls `emit` at that pace. A late timer is caught up with at once, so that the mean rate holds.
 * @throws whatever `emit` throws, or the signal's reason when it aborts.
 */
export async function atPace(pace: Pace, emit: () => unknown, signal?: AbortSignal): Promise<void> {
  const total = callsOf(pace);
  const startedAt = performance.now();
  for (let done = 0; done < total; ) {
    await sleep(1, undefined, signal === undefined ? {} : { signal });
    const due = Math.min(total, Math.floor(((performance.now() - startedAt) * pace.perSecond) / 1000));
    for (; done < due; done++) await emit();
  }
}
