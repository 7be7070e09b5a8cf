/** `session.close` (§6.7): the conversation pauses. Jobs run on, and the session stays resumable in its window. */
import { CLOSE } from "../../protocol/framing.ts";
import type { Handler } from "./handler.ts";

export const handleClose: Handler<"session.close"> = ({ channel, session }, message) => {
  session.closed = true;
  channel.send("session.closed", { request_id: message.id });
  channel.close(CLOSE.normal, "closed by the client");
};
