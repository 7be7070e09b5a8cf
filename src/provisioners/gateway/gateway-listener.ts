/** The gateway's port, bounded in what it gives to those who only knock. */
import { createServer, type Server, type ServerOptions } from "node:http";
import type { AddressInfo } from "node:net";
import type { Gateway } from "./gateway.ts";

export interface GatewayListenOptions {
  readonly host: string;
  /** 0 takes a free port. */
  readonly port: number;
  /** PEM texts. Default: plain HTTP. */
  readonly tls?: { readonly cert: string; readonly key: string };
}

export interface GatewayListener {
  /** Such as `http://127.0.0.1:7778`. */
  readonly origin: string;
  /** Stops accepting; resolves when every connection is closed. */
  close(): Promise<void>;
  /** Closes connections that have nothing under way; with `all` those that have, too. */
  drop(all?: boolean): void;
}

const LIMITS: ServerOptions = {
  /** To the end of the headers, and of the body. */
  headersTimeout: 10_000,
  requestTimeout: 60_000,
  connectionsCheckingInterval: 2_000,
  maxHeaderSize: 32_768,
  keepAliveTimeout: 30_000,
  noDelay: true,
};
const MAX_HEADERS = 100;
const MAX_SOCKETS = 4_096;

/** @throws Error as Node has it, such as `EADDRINUSE`. */
export async function listenForGateway(gateway: Gateway, options: GatewayListenOptions): Promise<GatewayListener> {
  const { host, port, tls } = options;
  const server = await createBounded(tls);
  server.maxHeadersCount = MAX_HEADERS;
  server.maxConnections = MAX_SOCKETS;
  server.on("request", gateway.handle);
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, resolve);
  });
  // From here on a connection that cannot be accepted is no reason to end.
  server.on("error", () => {});
  const bound = (server.address() as AddressInfo).port;
  const named = host.includes(":") ? `[${host}]` : host;
  return {
    origin: `${tls === undefined ? "http" : "https"}://${named}:${bound}`,
    close: () => new Promise((resolve) => void server.close(() => resolve())),
    drop(all = false) {
      if (all) server.closeAllConnections();
      else server.closeIdleConnections();
    },
  };
}

async function createBounded(tls: GatewayListenOptions["tls"]): Promise<Server> {
  if (tls === undefined) return createServer(LIMITS);
  const https = await import("node:https");
  return https.createServer({ ...LIMITS, ...tls });
}
