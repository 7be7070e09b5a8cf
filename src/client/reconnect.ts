/** When to try again after a connection was lost. */
import type { World } from "../platform/world.ts";

export interface ReconnectPolicy {
  /** Before the first attempt, in milliseconds; doubled for each one after it. Default 200. */
  readonly firstDelayMs: number;
  /** No delay is longer. Default 30,000. */
  readonly maxDelayMs: number;
  /** Attempts in a row without progress, after which the session fails with `CONNECTION_LOST`. Default 100: with the other defaults some 40 minutes. */
  readonly maxAttempts: number;
}

export const DEFAULT_RECONNECT: ReconnectPolicy = { firstDelayMs: 200, maxDelayMs: 30_000, maxAttempts: 100 };

/**
 * How long to wait before `attempt`, in milliseconds; undefined when there is to be none.
 * @param attempt from 1, counted since the last progress.
 * @param draw a random number in [0, 1). Half of the delay is random, so that the clients of a runtime that comes back do not all arrive at once.
 */
export function reconnectDelay(policy: ReconnectPolicy, attempt: number, draw: number): number | undefined {
  if (attempt > policy.maxAttempts) return undefined;
  const longest = Math.min(policy.maxDelayMs, policy.firstDelayMs * 2 ** (attempt - 1));
  return longest / 2 + (longest / 2) * draw;
}

/** The longest that a runtime may have a client wait: ten minutes. It would never come back otherwise. */
const LONGEST_ASKED_MS = 600_000;

/** How long the runtime asks to be left alone, by `details.retry_after_ms` of a refusal; 0 when it does not say. */
export function askedDelay(details: Readonly<Record<string, unknown>> | undefined): number {
  const asked = details?.retry_after_ms;
  return typeof asked === "number" && asked > 0 ? Math.min(asked, LONGEST_ASKED_MS) : 0;
}

/** A random number in [0, 1). */
export function randomFraction(world: World): number {
  const [high = 0, low = 0] = world.random.bytes(2);
  return (high * 256 + low) / 65_536;
}
