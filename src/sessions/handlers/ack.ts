/** `session.ack` (§6.5): what the client has processed need not be kept for it. Advisory, and never answered. */
import type { Handler, HandlerContext } from "./handler.ts";

/** Places are freed when this many more have been acknowledged: each freeing is a write. */
const RELEASE_EVERY = 1_024;
/** Places freed in one commit at most: more would hold up everybody else for as long as deleting them takes. */
const RELEASE_STEP = 2_048;

export const handleAck: Handler<"session.ack"> = (context, message) => {
  const { session } = context;
  const upTo = Math.min(message.payload.last_processed_seq, session.stream.sent);
  session.acknowledged = Math.max(session.acknowledged, upTo);
  session.stream.acknowledge(upTo);
  if (!session.releasing && session.acknowledged - session.released >= RELEASE_EVERY) release(context);
};

/** Frees what is acknowledged, step by step, each with a commit of its own. */
function release({ kernel, session }: Pick<HandlerContext, "kernel" | "session">): void {
  session.releasing = session.acknowledged > session.released;
  if (!session.releasing) return;
  const upTo = Math.min(session.acknowledged, session.released + RELEASE_STEP);
  session.released = upTo;
  kernel.plan(() => ({
    rows: { releases: [{ session: session.id, upTo }] },
    committed: () => release({ kernel, session }),
    failed: () => {
      session.releasing = false;
    },
  }));
}
