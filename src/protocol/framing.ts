/** What both ends of a connection agree on beneath the messages: how it is closed, and how long a frame may be. */

/** Close codes (RFC 6455 §7.4); those from 4000 on are ours. Transports without codes carry them as they can. */
export const CLOSE = {
  normal: 1000,
  goingAway: 1001,
  /** Never sent: how an end without a close frame is told. */
  abnormal: 1006,
  internalError: 1011,
  /** What came is not ARCP, or not what may come now. */
  invalidMessage: 4400,
  unauthenticated: 4401,
  heartbeatLost: 4408,
  /** A newer connection resumed the same session. The client must not reconnect to fight for it. */
  superseded: 4409,
  /** The client has, or sends, more than it may. It may come back later. */
  beyondLimit: 4429,
} as const;

/** Longest frame a runtime accepts, in bytes. A longer one closes the connection. */
export const MAX_FRAME_BYTES = 1_048_576;
