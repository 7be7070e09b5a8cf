/** How many WebSockets a runtime holds at once, over all its ports. */
import type { Duplex } from "node:stream";

/** Default of `maxConnections`. Idle sessions cost some 16 KB each: this many, 160 MB. */
export const DEFAULT_MAX_CONNECTIONS = 10_000;

export interface ConnectionLimit {
  readonly max: number;
  /** False once `max` is reached. Otherwise the socket counts until it closes. */
  admit(socket: Duplex): boolean;
}

/** @throws RangeError when `max` is not a whole number from 1. */
export function createConnectionLimit(max: number): ConnectionLimit {
  if (!Number.isInteger(max) || max < 1)
    throw new RangeError(`maxConnections must be a whole number from 1, not ${max}`);
  let open = 0;
  return {
    max,
    admit(socket) {
      if (open >= max) return false;
      open++;
      socket.once("close", () => open--);
      return true;
    },
  };
}
