/** For the tests of this folder: an HTTP server that accepts WebSockets, and a peer that writes raw bytes to it. */
import { once } from "node:events";
import { createServer } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { WebSocket } from "ws";
import { silentLog } from "../platform/log.ts";
import { createSystemWorld } from "../platform/system-world.ts";
import type { Connection, ConnectionHandlers } from "./connection.ts";
import { createFindPeer } from "./peer.ts";
import { type Acceptance, ARCP_PATH, acceptWebSocket, type WebSocketOptions } from "./websocket.ts";

interface Accepted {
  readonly acceptance: Acceptance;
  /** The server's side of the socket. */
  readonly socket: Duplex;
}

export interface TestServer extends AsyncDisposable {
  readonly port: number;
  readonly url: string;
  /** The next upgrade that has not been asked for yet. */
  nextUpgrade(): Promise<Accepted>;
  /** The next upgrade's connection. @throws Error when it was refused. */
  nextConnection(): Promise<Connection>;
}

export async function startTestServer(options: Partial<WebSocketOptions> = {}): Promise<TestServer> {
  const findPeer = createFindPeer({});
  const environment = { timers: createSystemWorld().timers, log: silentLog, findPeer, ...options };
  const http = createServer();
  const sockets = new Set<Duplex>();
  const upgrades = createQueue<Accepted>();
  http.on("upgrade", (request, socket, head) => {
    sockets.add(socket);
    upgrades.put({ acceptance: acceptWebSocket(request, socket, head, environment), socket });
  });
  http.listen(0, "127.0.0.1");
  await once(http, "listening");
  const { port } = http.address() as AddressInfo;
  return {
    port,
    url: `ws://127.0.0.1:${port}${ARCP_PATH}`,
    nextUpgrade: upgrades.next,
    async nextConnection() {
      const { acceptance } = await upgrades.next();
      if (!acceptance.accepted) throw new Error(`refused with ${acceptance.status}: ${acceptance.reason}`);
      return acceptance.connection;
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      http.close();
      http.closeAllConnections();
      await once(http, "close");
    },
  };
}

/** Values put in are handed out in order; `next` waits for one. */
export function createQueue<Value>(): { put(value: Value): void; next(): Promise<Value> } {
  const values: Value[] = [];
  const waiting: ((value: Value) => void)[] = [];
  return {
    put(value) {
      const taker = waiting.shift();
      if (taker === undefined) values.push(value);
      else taker(value);
    },
    next() {
      const [value] = values.splice(0, 1);
      return value === undefined ? new Promise((resolve) => void waiting.push(resolve)) : Promise.resolve(value);
    },
  };
}

/** Opens a connection and hands out what it is told, in order, as text: the frame, `drained`, or `closed <code>`. */
export function watchConnection(connection: Connection, handlers: Partial<ConnectionHandlers> = {}) {
  const calls = createQueue<string>();
  connection.open({
    frame: handlers.frame ?? ((text) => calls.put(text)),
    drained: handlers.drained ?? (() => calls.put("drained")),
    closed: handlers.closed ?? ((code) => calls.put(`closed ${code}`)),
  });
  return calls;
}

/** A client whose messages are waiting in `messages` from the first on. */
export async function connectClient(
  url: string,
  options: { headers?: Record<string, string>; protocols?: string[] } = {},
) {
  const client = new WebSocket(url, options.protocols ?? [], {
    perMessageDeflate: false,
    headers: options.headers ?? {},
  });
  const messages = createQueue<string>();
  client.on("message", (data) => messages.put(String(data)));
  const closed = once(client, "close").then(([code, reason]) => ({ code: Number(code), reason: String(reason) }));
  await once(client, "open");
  return { client, messages, closed };
}

export function upgradeRequest(
  headers: Record<string, string> = {},
  requestLine = `GET ${ARCP_PATH} HTTP/1.1`,
): string {
  const all = {
    Host: "127.0.0.1",
    Connection: "Upgrade",
    Upgrade: "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    ...headers,
  };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}`);
  return `${[requestLine, ...lines].join("\r\n")}\r\n\r\n`;
}

export const OPCODE = { text: 1, close: 8, ping: 9 } as const;

/** A client's frame: masked, with a mask of zeros that leaves the payload as it is. */
export function clientFrame(opcode: number, payload: string | Buffer): Buffer {
  const body = Buffer.from(payload);
  const size =
    body.length < 126
      ? Buffer.from([0x80 | body.length])
      : Buffer.from([0x80 | 126, body.length >>> 8, body.length & 255]);
  return Buffer.concat([Buffer.from([0x80 | opcode]), size, Buffer.alloc(4), body]);
}

export async function connectRaw(port: number): Promise<Socket> {
  const socket = connect(port, "127.0.0.1");
  await once(socket, "connect");
  socket.setNoDelay();
  return socket;
}

/** A raw peer whose handshake has been answered. */
export async function connectUpgraded(port: number): Promise<Socket> {
  const socket = await connectRaw(port);
  socket.write(upgradeRequest());
  await once(socket, "data");
  return socket;
}

/** Everything the peer is sent until the server ends. */
export async function readToEnd(socket: Socket): Promise<string> {
  let text = "";
  socket.on("data", (data) => {
    text += data.toString("latin1");
  });
  await once(socket, "end");
  return text;
}
