/**
 * Turns for requests that read much: one in each turn of the event loop, session after session. All frames of one read
 * of a socket are handled in one turn; what they ask for would otherwise be read in that turn, too, and hold up everybody.
 */
import { RoundRobin } from "../platform/round-robin.ts";
import type { Timers } from "../platform/world.ts";
import { CodedError } from "../protocol/errors.ts";
import type { Session } from "./session.ts";

/** Turns one session may wait for: as many as our client has requests under way by default. More are refused. */
export const MAX_WAITING_TURNS = 10_000;

export class Turns {
  readonly #sessions: RoundRobin<Session>;

  constructor(timers: Timers) {
    this.#sessions = new RoundRobin(timers);
  }

  /**
   * Resolves when it is the session's turn, in the order of its calls.
   * @throws CodedError INTERNAL_ERROR, retryable, when the session waits for `MAX_WAITING_TURNS` already.
   */
  async next(session: Session): Promise<void> {
    const waiting = this.#sessions.waiting(session);
    if (waiting >= MAX_WAITING_TURNS) {
      throw new CodedError("INTERNAL_ERROR", `${waiting} requests of this session wait already; ask again later`);
    }
    return this.#sessions.next(session);
  }
}
