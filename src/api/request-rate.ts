/** How many requests one principal may make: a bucket each, filled steadily, emptied by requests. */
import { TokenBucket } from "../platform/token-bucket.ts";
import type { Clock } from "../platform/world.ts";

export interface RequestRate {
  /** Requests a second, in the long run. */
  readonly perSecond: number;
  /** Requests at once, after a pause. */
  readonly burst: number;
}

/** Unless configured otherwise. More is refused with 429, and told how long to wait. */
const DEFAULT_REQUEST_RATE: RequestRate = { perSecond: 100, burst: 200 };
/** Buckets kept; beyond that, those of whoever was quiet longest go, which are full by then or soon will be. */
const MAX_BUCKETS = 10_000;

/** @throws RangeError for a rate at which nobody could ever ask. */
export function requestRateOf(configured: RequestRate = DEFAULT_REQUEST_RATE): RequestRate {
  if (!(configured.perSecond > 0)) throw new RangeError("requestRate.perSecond must be above 0");
  if (!(configured.burst >= 1)) throw new RangeError("requestRate.burst must be at least 1");
  return configured;
}

export class RequestRates {
  readonly #rate: RequestRate;
  readonly #clock: Clock;
  /** In the order of their last use. */
  readonly #buckets = new Map<string, TokenBucket>();

  constructor(rate: RequestRate, clock: Clock) {
    this.#rate = rate;
    this.#clock = clock;
  }

  /** Takes one request of `who` from its bucket: 0 when it may go on, else how many milliseconds it has to wait. */
  take(who: string): number {
    const { perSecond, burst } = this.#rate;
    const now = this.#clock.now();
    const bucket = this.#buckets.get(who) ?? new TokenBucket(perSecond, burst, now);
    this.#buckets.delete(who);
    this.#buckets.set(who, bucket);
    if (this.#buckets.size > MAX_BUCKETS) {
      const [oldest] = this.#buckets.keys();
      if (oldest !== undefined) this.#buckets.delete(oldest);
    }
    return bucket.take(now);
  }
}
