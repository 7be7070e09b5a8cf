/** The one port: WebSocket upgrades to the ARCP face, and plain HTTP for health. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Log } from "../platform/log.ts";
import type { Timers } from "../platform/world.ts";
import type { Connection } from "../transports/connection.ts";
import type { HostRules } from "../transports/host-check.ts";
import { ARCP_PATH, acceptWebSocket } from "../transports/websocket.ts";

export interface ListenOptions extends HostRules {
  /** Default: 7777. 0 takes a free port. */
  readonly port?: number;
  /** Default: 127.0.0.1. */
  readonly host?: string;
}

export interface Address {
  /** Where sessions are opened, such as `ws://127.0.0.1:7777/arcp`. */
  readonly url: string;
  readonly host: string;
  readonly port: number;
}

const DEFAULT_PORT = 7777;
const DEFAULT_HOST = "127.0.0.1";

export interface Listener extends Address {
  /** Stops accepting. Connections that are open stay with whoever took them. */
  close(): Promise<void>;
}

/**
 * Listens, and hands every accepted WebSocket to `accept`.
 * @throws Error as Node has it, such as `EADDRINUSE`.
 */
export async function listen(
  options: ListenOptions,
  environment: { readonly timers: Timers; readonly log: Log; readonly accept: (connection: Connection) => void },
): Promise<Listener> {
  const { port = DEFAULT_PORT, host = DEFAULT_HOST, ...rules } = options;
  const server = createServer(answer);
  server.on("upgrade", (request, socket, head) => {
    const outcome = acceptWebSocket(request, socket, head, {
      ...rules,
      timers: environment.timers,
      log: environment.log,
    });
    if (outcome.accepted) environment.accept(outcome.connection);
    else environment.log.info({ status: outcome.status, reason: outcome.reason }, "refused a WebSocket");
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, resolve);
  });
  // From here on a connection that cannot be accepted, as when file descriptors run out, is no reason to end.
  server.on("error", (error) => environment.log.error({ err: error }, "a connection could not be accepted"));
  const bound = (server.address() as AddressInfo).port;
  const named = host.includes(":") ? `[${host}]` : host;
  return { url: `ws://${named}:${bound}${ARCP_PATH}`, host, port: bound, close: () => closeServer(server) };
}

function answer(request: IncomingMessage, response: ServerResponse): void {
  const path = (request.url ?? "").split("?", 1)[0];
  const known = path === "/healthz";
  const allowed = request.method === "GET" || request.method === "HEAD";
  const status = known ? (allowed ? 200 : 405) : 404;
  const body = status === 200 ? { status: "ok" } : { error: { message: explain(status, path) } };
  response.writeHead(status, { "content-type": "application/json", ...(status === 405 ? { allow: "GET, HEAD" } : {}) });
  response.end(request.method === "HEAD" ? undefined : `${JSON.stringify(body)}\n`);
}

function explain(status: number, path: string | undefined): string {
  if (status === 405) return "only GET and HEAD are allowed here";
  return path === ARCP_PATH
    ? "this path takes WebSocket connections only"
    : `nothing is here; sessions are opened at ${ARCP_PATH}`;
}

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve, reject) => {
    server.close((error) => (error === undefined ? resolve() : reject(error)));
    // Sockets that became WebSockets are not among these; whoever accepted them closes them.
    server.closeAllConnections();
  });
}
