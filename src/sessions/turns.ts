/**
 * Turns for requests that read much: one in each turn of the event loop, session after session. All frames of one read
 * of a socket are handled in one turn; what they ask for would otherwise be read in that turn, too, and hold up everybody.
 */
import type { Timers } from "../platform/world.ts";
import { CodedError } from "../protocol/errors.ts";
import type { Session } from "./session.ts";

/** Turns one session may wait for: as many as our client has requests under way by default. More are refused. */
export const MAX_WAITING_TURNS = 10_000;

export class Turns {
  readonly #timers: Timers;
  /** Whose turn is next comes first. */
  readonly #waiting = new Map<Session, (() => void)[]>();
  #scheduled = false;

  constructor(timers: Timers) {
    this.#timers = timers;
  }

  /**
   * Resolves when it is the session's turn, in the order of its calls.
   * @throws CodedError INTERNAL_ERROR, retryable, when the session waits for `MAX_WAITING_TURNS` already.
   */
  async next(session: Session): Promise<void> {
    const waiting = this.#waiting.get(session) ?? [];
    if (waiting.length >= MAX_WAITING_TURNS) {
      throw new CodedError(
        "INTERNAL_ERROR",
        `${waiting.length} requests of this session wait already; ask again later`,
      );
    }
    this.#waiting.set(session, waiting);
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
    for (const [session, waiting] of this.#waiting) {
      this.#waiting.delete(session);
      waiting.shift()?.();
      if (waiting.length > 0) this.#waiting.set(session, waiting);
      return;
    }
  }
}
