/** Limits the transports share, beside those a connection's user must know (`connection.ts`). */

/** How long a peer may take to answer a close before its connection is destroyed, in milliseconds. */
export const CLOSE_TIMEOUT_MS = 2_000;

/**
 * Unsent bytes at which a connection is destroyed. Whoever heeds `overloaded` never gets near it; it bounds what a
 * peer that asks without reading the answers can make us hold.
 */
export const MAX_UNSENT_BYTES = 16 * 1_048_576;
