/**
 * Heartbeats (§6.4), each direction by itself: an idle side is pinged so that something flows in every interval, and a
 * peer that was silent for two intervals loses its connection. Its session and its jobs are untouched.
 */

import { formatTime } from "../kernel/log/entry.ts";
import type { Timer, World } from "../platform/world.ts";
import { CodedError } from "../protocol/errors.ts";
import { CLOSE } from "../protocol/framing.ts";
import type { Channel } from "./channel.ts";

/** How many silent intervals a peer is allowed. */
const SILENT_INTERVALS = 2;

/** Watches one connection until cancelled. Looks twice an interval, so that no interval passes without a message. */
export function startHeartbeat(channel: Channel, intervalMs: number, world: World): Timer {
  const lookMs = intervalMs / 2;
  let timer: Timer;

  const look = (): void => {
    const now = world.clock.now();
    if (now - channel.lastReceivedAt >= SILENT_INTERVALS * intervalMs) {
      channel.refuse(new CodedError("HEARTBEAT_LOST", `nothing was heard for ${SILENT_INTERVALS} heartbeat intervals`));
      channel.close(CLOSE.heartbeatLost, "heartbeat lost");
      return;
    }
    if (now - channel.lastSentAt >= lookMs) {
      channel.send("session.ping", { nonce: `p_${world.ids.next("msg").slice(4)}`, sent_at: formatTime(now) });
    }
    timer = world.timers.after(lookMs, look);
  };

  timer = world.timers.after(lookMs, look);
  return { cancel: () => timer.cancel() };
}
