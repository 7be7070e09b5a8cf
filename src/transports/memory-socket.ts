/** The client's end of a memory connection as a WebSocket, so that the client SDK runs over it unchanged. */
import type { WebSocketLike } from "../client/web-socket.ts";
import type { Timers } from "../platform/world.ts";
import type { MemoryClient } from "./memory.ts";

type Listeners = {
  [Type in Parameters<WebSocketLike["addEventListener"]>[0]]: Parameters<WebSocketLike["addEventListener"]>[1][];
};

/** Opens in a later turn of `timers`, as a real socket does. */
export function createMemorySocket(client: MemoryClient, timers: Timers): WebSocketLike {
  const listeners: Listeners = { open: [], message: [], close: [], error: [] };
  const emit = (type: keyof Listeners, event: Parameters<Listeners["open"][number]>[0]): void => {
    for (const listener of listeners[type]) listener(event);
  };
  timers.soon(() => {
    emit("open", {});
    client.open({
      frame: (data) => emit("message", { data }),
      closed: (code, reason) => emit("close", { code, reason }),
    });
  });
  return {
    addEventListener: (type, listener) => void listeners[type].push(listener),
    send: (data) => client.send(data),
    close: (code, reason) => client.close(code, reason),
  };
}
