/**
 * What a session, and all sessions of one principal together, may hold or ask for. One file says each bound, its default
 * and what happens beyond it; `createRuntime({ limits })` sets them. A refusal for a limit is retryable and names it in
 * `details.limit`, by the name it has here.
 */
import { TokenBucket } from "../platform/token-bucket.ts";
import { CodedError } from "../protocol/errors.ts";

export interface SessionLimits {
  /**
   * Sessions of one principal, with or without a connection. Default: 10,000. Beyond it the oldest session that is only
   * kept for its unacknowledged events gives way; when there is none, a hello is refused.
   */
  readonly maxSessionsPerPrincipal: number;
  /** Connections of one principal that were welcomed. Default: 5,000. One more is refused, unless it supersedes one. */
  readonly maxConnectionsPerPrincipal: number;
  /**
   * Jobs a session may follow by subscribing when it asks for one more; what it submitted counts. Default: 10,000. A
   * `job.subscribe` beyond it is refused.
   */
  readonly maxFollowsPerSession: number;
  /**
   * Messages a second over a session's connection, with two seconds' worth at once. Default: 50,000: more than one session
   * is ever served, so that it stops what runs wild only. Acknowledgements do not count. A message beyond it is refused,
   * with `details.retry_after_ms`; a client that does not heed a thousand refusals in a row is disconnected.
   */
  readonly maxMessagesPerSecond: number;
  /** The same for all sessions of a principal together. Default: 100,000. */
  readonly maxMessagesPerSecondPerPrincipal: number;
  /**
   * Bytes of job logs that a session with `ack` keeps for events it has not acknowledged, once its window has closed.
   * Default: 64 MiB. Beyond it the session is over. Within its window a session keeps what there is.
   */
  readonly maxParkedBytes: number;
  /** The same for all such sessions of a principal together. Default: 256 MiB. Beyond it the oldest of them go. */
  readonly maxParkedBytesPerPrincipal: number;
  /**
   * Events sent and not acknowledged, from which a session with `ack` is told that it lags. Default: 500,000. Nothing is
   * held back for it.
   */
  readonly maxUnacknowledgedEvents: number;
  /**
   * For how long a connection may leave more than 1 MiB unread, in seconds. Default: 300. Then it is closed; its session
   * stays resumable, and loses nothing.
   */
  readonly maxUnreadSec: number;
}

const MIB = 1_048_576;

export const DEFAULT_SESSION_LIMITS: SessionLimits = {
  maxSessionsPerPrincipal: 10_000,
  maxConnectionsPerPrincipal: 5_000,
  maxFollowsPerSession: 10_000,
  maxMessagesPerSecond: 50_000,
  maxMessagesPerSecondPerPrincipal: 100_000,
  maxParkedBytes: 64 * MIB,
  maxParkedBytesPerPrincipal: 256 * MIB,
  maxUnacknowledgedEvents: 500_000,
  maxUnreadSec: 300,
};

/** Limits that may be 0: nothing at all is kept then. */
const MAY_BE_ZERO: ReadonlySet<string> = new Set(["maxParkedBytes", "maxParkedBytesPerPrincipal"]);

/**
 * The limits in force. What is not given has its default; `Infinity` lifts a limit.
 * @throws RangeError naming the option, for anything that is no number above 0.
 */
export function sessionLimits(given: Partial<SessionLimits> = {}): SessionLimits {
  const limits: Record<string, number> = { ...DEFAULT_SESSION_LIMITS };
  for (const name of Object.keys(limits)) {
    const value: unknown = given[name as keyof SessionLimits];
    if (value === undefined) continue;
    const least = MAY_BE_ZERO.has(name) ? "0 or more" : "more than 0";
    const fits = typeof value === "number" && (value > 0 || (value === 0 && MAY_BE_ZERO.has(name)));
    if (!fits) throw new RangeError(`limits.${name} must be a number, ${least}, not ${String(value)}`);
    limits[name] = value;
  }
  return limits as unknown as SessionLimits;
}

/** Longest interval and window, in seconds: some 31 years, within what dates and timers can express. */
const LONGEST_SEC = 1_000_000_000;

/**
 * A duration of the configuration, in seconds.
 * @throws RangeError naming the option.
 */
export function requireSeconds(name: string, value: number, least: number): number {
  if (typeof value === "number" && value >= least && value <= LONGEST_SEC) return value;
  throw new RangeError(`${name} must be a number of seconds from ${least} to ${LONGEST_SEC}, not ${String(value)}`);
}

/** Clients write in bursts: this many seconds' worth of messages may come at once. */
const BURST_SEC = 2;

/** @param perSecond messages a second; `Infinity` for no limit. */
export function messageBucket(perSecond: number, now: number): TokenBucket {
  return new TokenBucket(perSecond, BURST_SEC * perSecond, now);
}

/** Whether an error is the refusal of what goes beyond a limit: no fault of ours. */
export function isBeyondLimit({ details }: CodedError): boolean {
  return details !== undefined && Object.hasOwn(DEFAULT_SESSION_LIMITS, String(details.limit));
}

/** The refusal of what goes beyond a limit. The table has no code of its own for it: this one can be tried again. */
export function beyondLimit(limit: keyof SessionLimits, message: string, retryAfterMs?: number): CodedError {
  return new CodedError("INTERNAL_ERROR", message, {
    retryable: true,
    details: { limit, ...(retryAfterMs === undefined ? {} : { retry_after_ms: retryAfterMs }) },
  });
}
