/** The one port: an HTTP or HTTPS server of our own, bounded in what it gives to those who only knock. */
import { createServer, type Server, type ServerOptions } from "node:http";
import type { AddressInfo } from "node:net";
import { isLoopbackAddress } from "../transports/host-check.ts";
import { ARCP_PATH } from "../transports/websocket.ts";
import { createEntrance, type EntranceEnvironment, type EntranceRules } from "./entrance.ts";
import { readTlsPair, type TlsOptions, type TlsPair, watchTlsFiles } from "./tls-files.ts";

export interface ListenOptions extends EntranceRules {
  /** Default: 7777. 0 takes a free port. */
  readonly port?: number;
  /** Default: 127.0.0.1. */
  readonly host?: string;
  /** Serves `wss:` and `https:`. Files are looked at every minute, and a renewed certificate is used for new connections. */
  readonly tls?: TlsOptions;
}

export interface Address {
  /** Where sessions are opened, such as `ws://127.0.0.1:7777/arcp`. */
  readonly url: string;
  readonly host: string;
  readonly port: number;
}

const DEFAULT_PORT = 7777;
const DEFAULT_HOST = "127.0.0.1";

/**
 * Bounds for whoever speaks HTTP to the port. Beyond them a request is answered with 408 or 431 and its connection
 * closes; a socket beyond `maxConnections` and `socketsBeside` is closed without an answer.
 */
export const HTTP_LIMITS = {
  /** From the opening of a connection, or the first byte of a later request, to the end of the headers. */
  headersMs: 10_000,
  /** To the end of the body. Answers may take as long as they like. */
  requestMs: 60_000,
  /** How often requests are looked at for the two above. */
  lookMs: 2_000,
  tlsHandshakeMs: 10_000,
  /** Request line and headers, in bytes: room for the longest token, and as much again. */
  headerBytes: 32_768,
  headers: 100,
  /** Sockets that are no WebSocket (yet), beside `maxConnections` that are. */
  socketsBeside: 1_000,
} as const;

export type HttpLimits = { readonly [Name in keyof typeof HTTP_LIMITS]: number };

export interface Listener extends Address {
  /** Stops accepting. Connections that are open stay with whoever took them. */
  close(): Promise<void>;
}

export interface ListenerEnvironment extends EntranceEnvironment {
  /** Default: `HTTP_LIMITS`. */
  readonly limits?: HttpLimits;
}

/**
 * Listens, and lets in what `options` allow.
 * @throws Error as Node has it, such as `EADDRINUSE`; TlsError for a certificate or key that cannot be used; TypeError
 * for an entry of `trustedProxies` that is no address and no network.
 */
export async function listen(options: ListenOptions, environment: ListenerEnvironment): Promise<Listener> {
  const { port = DEFAULT_PORT, host = DEFAULT_HOST, tls, ...rules } = options;
  const { log, timers, limits = HTTP_LIMITS } = environment;
  const entrance = createEntrance(rules, environment);
  const pair = tls && (await readTlsPair(tls));
  const { server, renew } = await createBoundedServer(pair, limits);
  server.maxConnections = environment.limit.max + limits.socketsBeside;
  server.on("request", entrance.answer);
  server.on("upgrade", entrance.upgrade);
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, resolve);
  });
  // From here on a connection that cannot be accepted, as when file descriptors run out, is no reason to end.
  server.on("error", (error) => log.error({ err: error }, "a connection could not be accepted"));
  server.once("drop", () =>
    log.warn({ sockets: server.maxConnections }, "sockets are closed unheard: too many are open"),
  );
  const stopWatching = tls && pair && watchTlsFiles(tls, pair, { timers, log, renewed: renew });
  if (tls === undefined && (rules.trustedProxies ?? []).length === 0 && !isLoopback(host)) {
    log.warn({ host }, "listening beyond this machine without TLS: tokens and jobs cross the network in the clear");
  }
  const bound = (server.address() as AddressInfo).port;
  const named = host.includes(":") ? `[${host}]` : host;
  return {
    url: `${tls === undefined ? "ws" : "wss"}://${named}:${bound}${ARCP_PATH}`,
    host,
    port: bound,
    close() {
      stopWatching?.();
      return closeServer(server);
    },
  };
}

interface BoundedServer {
  readonly server: Server;
  /** Uses another certificate for connections from now on. */
  renew(pair: TlsPair): void;
}

/** `node:https` is loaded only when it is needed. */
async function createBoundedServer(pair: TlsPair | undefined, limits: HttpLimits): Promise<BoundedServer> {
  const options: ServerOptions = {
    headersTimeout: limits.headersMs,
    requestTimeout: limits.requestMs,
    connectionsCheckingInterval: limits.lookMs,
    maxHeaderSize: limits.headerBytes,
    // Some clients ask with every request whether we would rather speak `h2c`. They get their answer in HTTP/1.1.
    shouldUpgradeCallback: ({ headers }) => headers.upgrade?.toLowerCase() === "websocket",
  };
  if (pair === undefined) {
    const server = createServer(options);
    server.maxHeadersCount = limits.headers;
    return { server, renew: () => {} };
  }
  const https = await import("node:https");
  const server = https.createServer({ ...options, ...pair, handshakeTimeout: limits.tlsHandshakeMs });
  server.maxHeadersCount = limits.headers;
  return { server, renew: (renewed) => server.setSecureContext(renewed) };
}

function isLoopback(host: string): boolean {
  return host === "localhost" || isLoopbackAddress(host);
}

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve, reject) => {
    server.close((error) => (error === undefined ? resolve() : reject(error)));
    // Sockets that became WebSockets are not among these; whoever accepted them closes them.
    server.closeAllConnections();
  });
}
