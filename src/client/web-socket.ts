/** The part of a WebSocket that is used. A browser's has it, Node's has it, and so does the `ws` package's. */

interface SocketEvent {
  readonly data?: unknown;
  readonly code?: number;
  readonly reason?: string;
}

export interface WebSocketLike {
  addEventListener(type: "open" | "message" | "close" | "error", listener: (event: SocketEvent) => void): void;
  /** Sends one text frame. */
  send(data: string): void;
  /** @param code 1000, or 3000 to 4999. */
  close(code?: number, reason?: string): void;
}

/** Begins to open a socket. A throw counts as a connection that could not be made. */
export type OpenWebSocket = (url: string) => WebSocketLike;

export const openWebSocket: OpenWebSocket = (url) => new WebSocket(url);
