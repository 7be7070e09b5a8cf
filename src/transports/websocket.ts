/** From an HTTP upgrade to a `Connection`: path, host and origin checks, then the WebSocket handshake (RFC 6455 §4.2). */
import { type IncomingMessage, STATUS_CODES } from "node:http";
import type { Duplex } from "node:stream";
import { type WebSocket, WebSocketServer } from "ws";
import { MAX_FRAME_BYTES } from "../protocol/framing.ts";
import type { Connection } from "./connection.ts";
import { type HostRules, refuseHost } from "./host-check.ts";
import { CLOSE_TIMEOUT_MS } from "./limits.ts";
import type { FindPeer } from "./peer.ts";
import { createWebSocketConnection, type WebSocketEnvironment } from "./websocket-connection.ts";

/** Where sessions are opened. */
export const ARCP_PATH = "/arcp";

export interface WebSocketOptions extends WebSocketEnvironment, HostRules {
  readonly findPeer: FindPeer;
}

/** A refused upgrade has been answered with `status` and `reason`, and its socket is closing. */
export type Acceptance =
  | { readonly accepted: true; readonly connection: Connection }
  | { readonly accepted: false; readonly status: number; readonly reason: string };

const HANDSHAKE = {
  noServer: true,
  clientTracking: false,
  perMessageDeflate: false,
  maxPayload: MAX_FRAME_BYTES,
  // For peers that begin the close and then keep the socket open; a close of ours has its own timer.
  closeTimeout: CLOSE_TIMEOUT_MS,
  handleProtocols: selectProtocol,
};

/**
 * Browsers fail a connection that answers none of the subprotocols they offered, so any of ARCP's family is taken.
 * Never an unknown one: pages are known to put tokens there.
 */
function selectProtocol(offered: ReadonlySet<string>): string | false {
  if (offered.has("arcp.v1")) return "arcp.v1";
  return [...offered].find((protocol) => protocol.startsWith("arcp")) ?? false;
}

/** Answers an upgrade with `status` and `reason`, and closes its socket. */
export function refuseUpgrade(
  socket: Duplex,
  status: number,
  reason: string,
): Acceptance & { readonly accepted: false } {
  const body = `${reason}\n`;
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    "Connection: close",
    "Content-Type: text/plain; charset=utf-8",
    `Content-Length: ${Buffer.byteLength(body)}`,
    "Sec-WebSocket-Version: 13",
  ];
  // A peer that is gone already needs no answer.
  socket.on("error", () => {});
  socket.once("finish", () => socket.destroy());
  socket.end(`${head.join("\r\n")}\r\n\r\n${body}`);
  return { accepted: false, status, reason };
}

/**
 * Answers an HTTP server's `upgrade` event. Refusals: 404 for any path but `/arcp`, 403 for a host or origin that is
 * not ours, 400 for what is no WebSocket handshake; each with a sentence as its body. Frames over `MAX_FRAME_BYTES`
 * close the connection with 1009, binary ones with 1003, invalid UTF-8 with 1007. Throws nothing.
 */
export function acceptWebSocket(
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
  options: WebSocketOptions,
): Acceptance {
  const path = (request.url ?? "").split("?", 1)[0];
  if (path !== ARCP_PATH)
    return refuseUpgrade(socket, 404, `There is no WebSocket at this path. Connect to ${ARCP_PATH}.`);
  const refusal = refuseHost(request.headers, request.socket.localAddress ?? "", options);
  if (refusal !== undefined) return refuseUpgrade(socket, 403, refusal);

  // `handleUpgrade` answers before it returns. A server object of its own keeps one upgrade's failure apart from others'.
  let accepted: WebSocket | undefined;
  let failure = "The peer left during the handshake.";
  const handshake = new WebSocketServer(HANDSHAKE);
  handshake.on("wsClientError", (error: Error) => {
    failure = `Not a WebSocket handshake: ${error.message}.`;
  });
  handshake.handleUpgrade(request, socket, head, (ws) => {
    accepted = ws;
  });
  if (accepted === undefined) return refuseUpgrade(socket, 400, failure);
  return {
    accepted: true,
    connection: createWebSocketConnection(accepted, socket, options.findPeer(request), options),
  };
}
