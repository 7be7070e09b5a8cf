/** A rate with some slack: what comes too soon is told how long to wait. */

/** Clients write in bursts: this many seconds' worth may come at once. */
const BURST_SEC = 2;

export class TokenBucket {
  /** Milliseconds a take stands for. */
  readonly #interval: number;
  /** When all that was taken so far would have come, had it come at the steady pace. */
  #paidUntil: number;

  /** @param perSecond takes a second; `Infinity` for no limit. */
  constructor(perSecond: number, now: number) {
    this.#interval = 1000 / perSecond;
    this.#paidUntil = now;
  }

  /** Takes one, if it may. @returns 0, or the milliseconds until one may be taken again. */
  take(now: number): number {
    const taken = Math.max(this.#paidUntil, now) + this.#interval;
    const early = taken - now - Math.max(BURST_SEC * 1000, this.#interval);
    if (early > 0) return Math.ceil(early);
    this.#paidUntil = taken;
    return 0;
  }
}
