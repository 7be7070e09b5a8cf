/**
 * The outside world as arguments. Nothing above this folder reads a clock, sets a timer, draws randomness or
 * makes an id by itself: it is handed a `World`, so that tests and the simulation can decide what happens when.
 */

/** Wall time in whole milliseconds since the Unix epoch. Never goes backwards within one process. */
export interface Clock {
  now(): number;
}

/** A pending timer. `cancel` is idempotent and safe after the timer has fired. */
export interface Timer {
  cancel(): void;
}

export interface Timers {
  /** Runs `run` once after `delayMs` (any non-negative length, also beyond the 24.8 days of one `setTimeout`). */
  after(delayMs: number, run: () => void): Timer;
  /** Runs `run` in a later turn of the event loop, after pending I/O has had its chance. */
  soon(run: () => void): void;
}

export interface Randomness {
  /** `length` cryptographically strong random bytes. */
  bytes(length: number): Uint8Array;
}

export type IdPrefix =
  | "msg"
  | "sess"
  | "job"
  | "res"
  | "call"
  | "tok"
  | "node"
  | "cmd"
  | "art"
  | "req"
  | "del"
  | "perm"
  | "key";

export interface Ids {
  /** A new id: the prefix, an underscore and a ULID, such as `job_01JABCDEFGHJKMNPQRSTVWXYZ0`. */
  next(prefix: IdPrefix): string;
}

export interface World {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Randomness;
  readonly ids: Ids;
}
