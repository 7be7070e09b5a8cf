/** `session.ack` (§6.5): what the client has processed need not be kept for it. Advisory, and never answered. */
import type { Handler } from "./handler.ts";

/** Places are freed when this many more have been acknowledged: each freeing is a write. */
const RELEASE_EVERY = 1_024;

export const handleAck: Handler<"session.ack"> = ({ kernel, session }, message) => {
  const upTo = Math.min(message.payload.last_processed_seq, session.stream.sent);
  if (upTo - session.released < RELEASE_EVERY) return;
  session.released = upTo;
  kernel.plan(() => ({ rows: { releases: [{ session: session.id, upTo }] }, committed() {} }));
};
