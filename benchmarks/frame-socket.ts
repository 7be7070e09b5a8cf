/**
 * A WebSocket on the load client's side: text frames in and out, and nothing else. Frames sent in one turn of the
 * event loop leave in one write, since one system call a frame would measure this client and not the server.
 */
import { connect, type Socket } from "node:net";
import { WebSocket } from "ws";
import { REPLY_TIMEOUT_MS, within } from "./within.ts";

export interface FrameHandlers {
  frame(text: string): void;
  /** Called once; nothing comes after it. */
  closed(code: number, reason: string): void;
}

export interface FrameSocket {
  send(text: string): void;
  /** Cuts the connection without a closing handshake, as a lost network would. */
  cut(): void;
  /** Closes in order, and resolves once the peer has agreed. */
  close(): Promise<void>;
}

/**
 * @param url `ws://host:port/path`.
 * @throws Error when the server cannot be reached, or refuses the upgrade.
 */
export async function openFrameSocket(url: string, handlers: FrameHandlers): Promise<FrameSocket> {
  const { hostname, port } = new URL(url);
  const tcp = connect({ host: hostname, port: Number(port), noDelay: true });
  const socket = new WebSocket(url, {
    perMessageDeflate: false,
    skipUTF8Validation: true,
    createConnection: () => tcp,
  });
  const opened = Promise.withResolvers<void>();
  const closed = Promise.withResolvers<void>();
  socket.on("open", opened.resolve);
  socket.on("error", opened.reject);
  // Without a fragment every message is one Buffer, the default `binaryType` of `ws`.
  socket.on("message", (data) => handlers.frame((data as Buffer).toString("utf8")));
  socket.on("close", (code, reason) => {
    closed.resolve();
    handlers.closed(code, reason.toString());
  });
  await within(opened.promise, REPLY_TIMEOUT_MS, `WebSocket connection to ${url}`);

  const send = corkedSender(socket, tcp);
  return {
    send,
    cut: () => socket.terminate(),
    async close() {
      socket.close();
      await within(closed.promise, REPLY_TIMEOUT_MS, `closing handshake from ${url}`);
    },
  };
}

/** Sends over `socket` so that all frames of one turn of the event loop leave in one write. */
export function corkedSender(socket: WebSocket, tcp: Socket): (text: string) => void {
  let corked = false;
  const uncork = (): void => {
    corked = false;
    tcp.uncork();
  };
  return (text) => {
    if (!corked) {
      corked = true;
      tcp.cork();
      setImmediate(uncork);
    }
    socket.send(text);
  };
}
