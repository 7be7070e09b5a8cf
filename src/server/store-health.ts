/**
 * Whether the store takes what it is given, judged by the commits themselves: a full disk shows in those that fail, and its
 * end in one that succeeds.
 */
import type { Kernel } from "../kernel/kernel.ts";
import type { Clock } from "../platform/world.ts";

/**
 * A failed commit counts for this long. Nobody sends work to a runtime that is not ready, so none may come to show that the
 * disk has room again: after this time it is tried.
 */
export const FAILING_MS = 30_000;

export class StoreHealth {
  readonly #clock: Clock;
  #failedAt: number | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  watch(kernel: Pick<Kernel, "on">): void {
    kernel.on("commit:failed", () => {
      this.#failedAt = this.#clock.now();
    });
    kernel.on("commit:done", () => {
      this.#failedAt = undefined;
    });
  }

  /** The latest commit has failed, and that is not long ago. */
  isFailing(): boolean {
    return this.#failedAt !== undefined && this.#clock.now() - this.#failedAt < FAILING_MS;
  }
}
