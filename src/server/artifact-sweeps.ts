/**
 * Looks once, a while after the start, for contents that no artifact names: what a crash has left. Everything else that
 * loses its last name is swept when that happens.
 */
import type { Kernel } from "../kernel/kernel.ts";
import type { Log } from "../platform/log.ts";
import type { Timer, Timers } from "../platform/world.ts";

/** The start has more urgent things to do. */
const SWEEP_AFTER_MS = 60_000;

export function sweepAfterStart(kernel: Pick<Kernel, "sweepArtifacts">, timers: Timers, log: Log): Timer {
  return timers.after(SWEEP_AFTER_MS, () => {
    kernel.sweepArtifacts().then(
      (removed) => {
        if (removed > 0) log.info({ removed }, "removed contents that no artifact names");
      },
      (error: unknown) => log.warn({ err: error }, "artifacts could not be swept; the next start tries again"),
    );
  });
}
