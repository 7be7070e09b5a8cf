/** A rate with some slack: what comes too soon is told how long to wait. */
export class TokenBucket {
  /** Milliseconds a take stands for. */
  readonly #interval: number;
  /** How far takes may run ahead of the steady pace, in milliseconds. */
  readonly #slack: number;
  /** When all that was taken so far would have come, had it come at the steady pace. */
  #paidUntil: number;

  /**
   * @param perSecond takes a second; `Infinity` for no limit.
   * @param burst takes that may come at once after a pause; at least 1.
   */
  constructor(perSecond: number, burst: number, now: number) {
    this.#interval = 1000 / perSecond;
    this.#slack = perSecond === Number.POSITIVE_INFINITY ? 0 : Math.max(burst, 1) * this.#interval;
    this.#paidUntil = now;
  }

  /** Takes one, if it may. @returns 0, or the milliseconds until one may be taken again. */
  take(now: number): number {
    const taken = Math.max(this.#paidUntil, now) + this.#interval;
    const early = taken - now - this.#slack;
    if (early > 0) return Math.ceil(early);
    this.#paidUntil = taken;
    return 0;
  }
}
