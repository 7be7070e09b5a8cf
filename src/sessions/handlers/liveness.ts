/** `session.ping` and `session.pong` (§6.4). That something arrived was noted when the frame did. */
import { formatTime } from "../../kernel/log/entry.ts";
import type { Handler } from "./handler.ts";

export const handlePing: Handler<"session.ping"> = ({ channel, world }, message) => {
  channel.send("session.pong", { ping_nonce: message.payload.nonce, received_at: formatTime(world.clock.now()) });
};

export const handlePong: Handler<"session.pong"> = () => {};
