/** What is logged of refused upgrades: so many a minute, since whoever knocks decides how many there are. */
import type { Log } from "../platform/log.ts";
import type { Clock } from "../platform/world.ts";

const MINUTE_MS = 60_000;
/** Refusals logged one by one in a minute. Further ones are counted, and told with the first of a later minute. */
export const MAX_REFUSALS_LOGGED = 60;

export interface RefusedUpgrade {
  readonly status: number;
  readonly reason: string;
  readonly address: string;
}

export class RefusalLog {
  readonly #log: Log;
  readonly #clock: Clock;
  #since: number;
  #logged = 0;
  #unlogged = 0;

  constructor(log: Log, clock: Clock) {
    this.#log = log;
    this.#clock = clock;
    this.#since = clock.now();
  }

  add(refused: RefusedUpgrade): void {
    const now = this.#clock.now();
    if (now - this.#since >= MINUTE_MS) {
      if (this.#unlogged > 0)
        this.#log.warn({ refused: this.#unlogged }, "more WebSockets were refused than were logged");
      this.#since = now;
      this.#logged = 0;
      this.#unlogged = 0;
    }
    if (this.#logged >= MAX_REFUSALS_LOGGED) {
      this.#unlogged++;
      return;
    }
    this.#logged++;
    this.#log.info({ ...refused }, "refused a WebSocket");
  }
}
