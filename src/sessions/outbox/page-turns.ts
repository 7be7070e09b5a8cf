/**
 * Turns for sessions that catch up. Their pages come to a bounded number of entries in a turn of the event loop, all
 * sessions together: fifty that read at once would otherwise read, commit and send fifty pages in one turn, and hold up
 * everybody else for as long as that takes. Small pages share a turn, and its commit.
 */
import type { Timers } from "../../platform/world.ts";

export class PageTurns {
  readonly #timers: Timers;
  readonly #entriesPerTurn: number;
  /** Entries that may still be read in this turn; less than none where the last page was larger. */
  #left: number;
  /** In the order in which they came. */
  readonly #waiting: (() => void)[] = [];
  /** Somebody has a turn, and has not said what was read. */
  #reading = 0;
  #scheduled = false;

  constructor(timers: Timers, entriesPerTurn: number) {
    this.#timers = timers;
    this.#entriesPerTurn = entriesPerTurn;
    this.#left = entriesPerTurn;
  }

  /** Resolves when the caller may read its next page. `spent` has to follow, whatever becomes of the page. */
  next(): Promise<void> {
    if (this.#left > 0 && this.#reading === 0 && this.#waiting.length === 0) {
      this.#reading++;
      return Promise.resolve();
    }
    this.#schedule();
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** The page that a turn was had for has been read, and holds so many entries. */
  spent(entries: number): void {
    this.#reading--;
    this.#left -= entries;
    if (this.#left > 0 && this.#reading === 0) this.#giveTurn();
    if (this.#left < this.#entriesPerTurn) this.#schedule();
  }

  #giveTurn(): void {
    const first = this.#waiting.shift();
    if (first === undefined) return;
    this.#reading++;
    first();
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#timers.soon(() => {
      this.#scheduled = false;
      this.#left = this.#entriesPerTurn;
      // Also while a read is under way: where one takes long, the others do not wait for it.
      this.#giveTurn();
      if (this.#waiting.length > 0) this.#schedule();
    });
  }
}
