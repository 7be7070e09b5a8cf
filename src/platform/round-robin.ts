/**
 * One turn of the event loop for each who waits, in rotation: whoever asks for a thousand things at once delays the
 * others by one of them. For work that a store in this process answers at once, and that would else be done without a
 * break while nobody is heard.
 */
import type { Timers } from "./world.ts";

export class RoundRobin<Who> {
  readonly #timers: Timers;
  /** Whose turn is next comes first. Bounded by whoever calls. */
  readonly #waiting = new Map<Who, (() => void)[]>();
  #scheduled = false;

  constructor(timers: Timers) {
    this.#timers = timers;
  }

  /** How many turns `who` waits for. */
  waiting(who: Who): number {
    return this.#waiting.get(who)?.length ?? 0;
  }

  /** Resolves when it is the turn of `who`, in the order of its calls. */
  next(who: Who): Promise<void> {
    const waiting = this.#waiting.get(who) ?? [];
    this.#waiting.set(who, waiting);
    this.#schedule();
    return new Promise((resolve) => waiting.push(resolve));
  }

  #schedule(): void {
    if (this.#scheduled || this.#waiting.size === 0) return;
    this.#scheduled = true;
    this.#timers.soon(() => {
      this.#scheduled = false;
      this.#giveTurn();
      this.#schedule();
    });
  }

  #giveTurn(): void {
    const [first] = this.#waiting;
    if (first === undefined) return;
    const [who, waiting] = first;
    this.#waiting.delete(who);
    waiting.shift()?.();
    if (waiting.length > 0) this.#waiting.set(who, waiting);
  }
}
