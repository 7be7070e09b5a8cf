/**
 * Turns for requests that read: one in each turn of the event loop, principal after principal. A page of a listing takes
 * some milliseconds, and a store in this process answers at once: a hundred asked for at a time would be put together
 * without a break, while nobody else is heard. What is written is not held back: together it is one commit.
 */
import type { PrincipalKey } from "../kernel/principal.ts";
import type { Timers } from "../platform/world.ts";

export class Turns {
  readonly #timers: Timers;
  /** Whose turn is next comes first. There are as many as there are requests under way, which the port bounds. */
  readonly #waiting = new Map<PrincipalKey | null, (() => void)[]>();
  #scheduled = false;

  constructor(timers: Timers) {
    this.#timers = timers;
  }

  /** Resolves when it is the turn of `who`, in the order of its requests. All who are nobody share theirs. */
  next(who: PrincipalKey | null): Promise<void> {
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
