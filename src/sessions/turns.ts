/**
 * Turns for requests that read much: one in each turn of the event loop, whoever asks. All frames of one read of a
 * socket are handled in one turn; what they ask for would otherwise be read in that turn, too, and hold up everybody.
 */
import type { Timers } from "../platform/world.ts";

export class Turns {
  readonly #timers: Timers;
  readonly #waiting: (() => void)[] = [];
  #scheduled = false;

  constructor(timers: Timers) {
    this.#timers = timers;
  }

  /** Resolves when it is the caller's turn, in the order of the calls. */
  next(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      this.#schedule();
    });
  }

  #schedule(): void {
    if (this.#scheduled || this.#waiting.length === 0) return;
    this.#scheduled = true;
    this.#timers.soon(() => {
      this.#scheduled = false;
      this.#waiting.shift()?.();
      this.#schedule();
    });
  }
}
