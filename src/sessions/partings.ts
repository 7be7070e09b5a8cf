/**
 * Farewells to those who never said hello. Whoever opens thousands of connections at once and says nothing has their time
 * run out at once, too: they are told so a few in each turn of the event loop, and everyone else is heard in between.
 */
import type { Timers } from "../platform/world.ts";

/** Some milliseconds of work. */
export const PARTINGS_PER_TURN = 16;

export class Partings {
  readonly #timers: Timers;
  /** As many as there are connections, at most. */
  #waiting: (() => void)[] = [];
  #scheduled = false;

  constructor(timers: Timers) {
    this.#timers = timers;
  }

  /** Has `part` called soon. Until then it may have become needless. */
  add(part: () => void): void {
    this.#waiting.push(part);
    this.#schedule();
  }

  #schedule(): void {
    if (this.#scheduled || this.#waiting.length === 0) return;
    this.#scheduled = true;
    this.#timers.soon(() => {
      this.#scheduled = false;
      const now = this.#waiting.slice(0, PARTINGS_PER_TURN);
      this.#waiting = this.#waiting.slice(PARTINGS_PER_TURN);
      this.#schedule();
      for (const part of now) part();
    });
  }
}
