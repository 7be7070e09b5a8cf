/** One live transport: text frames in, text frames out. Knows bytes, not messages. */

export interface Peer {
  /** Remote address as the transport, or a trusted proxy, knows it; `unknown` for whoever comes by any other proxy. */
  readonly address: string;
  /** TLS, on the whole way as far as a trusted proxy knows it, or a transport that never leaves this machine. */
  readonly confidential: boolean;
  /** The token of an `Authorization: Bearer` header at the upgrade, if there was one. */
  readonly bearer?: string;
}

export interface ConnectionHandlers {
  /** One whole frame. */
  frame(text: string): void;
  /** Unsent bytes fell back under the mark that `overloaded` reported. */
  drained(): void;
  /** The connection is gone, whoever ended it. Called exactly once; nothing comes after it. */
  closed(code: number, reason: string): void;
}

export interface Connection {
  readonly peer: Peer;
  /** Begins delivery. Frames that arrived before are delivered first. Called once. */
  open(handlers: ConnectionHandlers): void;
  /** Queues frames in order. All frames of one turn of the event loop leave in one write. Ignored once closed. */
  send(frames: readonly string[]): void;
  /** More than 1 MiB waits to be taken by the peer: stop sending until `drained`. */
  readonly overloaded: boolean;
  /** Sends what is queued, then closes. Idempotent. */
  close(code: number, reason: string): void;
}

/** Unsent bytes from which a connection counts as overloaded. */
export const OVERLOAD_BYTES = 1_048_576;
