import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { connect as connectSocket, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect as connectTls } from "node:tls";
import { afterEach, describe, expect, it, vi } from "vitest";
import { WebSocket } from "ws";
import { createFakeWorld } from "../testing/fake-world.ts";
import type { HttpFace } from "./http-faces.ts";
import { HTTP_LIMITS, type HttpLimits, type Listener, type ListenOptions, listen } from "./listener.ts";
import { MAX_PIPELINED } from "./pipeline.ts";
import { FIRST, SECOND } from "./test-certificates.ts";
import { ask, askSeen, createTestEntrance, type TestEntrance } from "./test-entrance.ts";
import { TLS_LOOK_MS } from "./tls-files.ts";

const cleanUps: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).toReversed()) await cleanUp();
});

interface Listening {
  readonly listener: Listener;
  readonly entrance: TestEntrance;
  readonly base: string;
}

async function start(
  options: ListenOptions = {},
  { limits, ...settings }: Parameters<typeof createTestEntrance>[0] & { limits?: Partial<HttpLimits> } = {},
): Promise<Listening> {
  const entrance = createTestEntrance(settings);
  const listener = await listen({ port: 0, ...options }, { ...entrance, limits: { ...HTTP_LIMITS, ...limits } });
  cleanUps.push(() => {
    for (const connection of entrance.connections) connection.close(1000, "");
    return listener.close();
  });
  return { listener, entrance, base: `http://127.0.0.1:${listener.port}` };
}

async function openWebSocket(url: string, options: object = {}): Promise<WebSocket> {
  const socket = new WebSocket(url, options);
  cleanUps.push(() => socket.terminate());
  await once(socket, "open");
  return socket;
}

/** How the runtime refuses this WebSocket: status and sentence. */
async function refusalOf(url: string): Promise<{ readonly status: number; readonly text: string }> {
  const socket = new WebSocket(url);
  socket.on("error", () => {});
  const [, response] = await once(socket, "unexpected-response");
  let text = "";
  for await (const chunk of response) text += chunk;
  return { status: response.statusCode, text };
}

async function knock(port: number): Promise<Socket> {
  const socket = connectSocket(port, "127.0.0.1");
  cleanUps.push(() => socket.destroy());
  await once(socket, "connect");
  return socket;
}

async function readToClose(socket: Socket): Promise<string> {
  let text = "";
  socket.setEncoding("latin1").on("data", (chunk) => {
    text += chunk;
  });
  socket.on("error", () => {});
  await once(socket, "close");
  return text;
}

describe("plain HTTP", () => {
  it("is answered by the face of its path, and by 404 where there is none", async () => {
    const { base } = await start();
    expect((await ask(`${base}/healthz`)).status).toBe(200);
    expect((await ask(`${base}/seen/deeper?x=1`)).status).toBe(200);
    for (const path of ["/seen2", "/", "//seen"]) expect((await ask(`${base}${path}`)).status).toBe(404);
  });

  it("is refused under a host or from an origin that is not ours", async () => {
    const { base } = await start({ allowedHosts: ["jobs.example.com"] });
    const foreign = await ask(`${base}/healthz`, { headers: { host: "evil.example" } });
    expect([foreign.status, foreign.body]).toEqual([403, expect.stringContaining("evil.example")]);
    expect((await ask(`${base}/healthz`, { headers: { origin: "https://evil.example" } })).status).toBe(403);
    expect((await ask(`${base}/healthz`, { headers: { host: "jobs.example.com" } })).status).toBe(200);
  });

  it("is answered with 500 by a face that throws, and the next request is served", async () => {
    const { base, entrance } = await start();
    expect((await ask(`${base}/broken`)).status).toBe(500);
    expect(entrance.logged).toEqual(["answering an HTTP request threw"]);
    expect((await ask(`${base}/healthz`)).status).toBe(200);
  });

  it("is answered though it would rather be HTTP/2", async () => {
    const { base } = await start();
    const headers = {
      connection: "Upgrade, HTTP2-Settings",
      upgrade: "h2c",
      "http2-settings": "AAMAAABkAAQAoAAAAAIAAAAA",
    };
    expect((await ask(`${base}/healthz`, { headers })).status).toBe(200);
  });
});

describe("what is held for those who only knock is bounded [reading-transport-bounds]", () => {
  const impatient = { headersMs: 20, requestMs: 20, lookMs: 5 };

  it.each([
    ["says nothing", ""],
    ["does not end its headers", "GET /arcp HTTP/1.1\r\nHost: 127.0.0.1\r\n"],
    ["does not end its body", "POST /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9\r\n\r\n{"],
  ])("in time: a peer that %s is cut off", async (_, text) => {
    const { listener, base } = await start({}, { limits: impatient });
    const socket = await knock(listener.port);
    socket.write(text);
    expect(await readToClose(socket)).not.toContain("101 Switching");
    expect((await ask(`${base}/healthz`)).status).toBe(200);
  });

  it("in size: long headers are refused with 431", async () => {
    const { listener } = await start({}, { limits: { headerBytes: 2_000 } });
    const socket = await knock(listener.port);
    socket.write(`GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Long: ${"x".repeat(2_000)}\r\n\r\n`);
    expect(await readToClose(socket)).toMatch(/^HTTP\/1\.1 431 /);
  });

  it("in number: WebSockets beyond maxConnections are told so, and let in when others have gone", async () => {
    const { listener } = await start({}, { max: 2 });
    const first = await openWebSocket(listener.url);
    await openWebSocket(listener.url);
    expect(await refusalOf(listener.url)).toEqual({ status: 503, text: expect.stringContaining("2 connections") });
    first.close();
    await once(first, "close");
    const third = await openWebSocket(listener.url);
    third.send("x");
    expect(String((await once(third, "message"))[0])).toBe("echo x");
  });

  it("over all ports together, whatever became of a refused handshake", async () => {
    const entrance = createTestEntrance({ max: 1 });
    const ports = await Promise.all([listen({ port: 0 }, entrance), listen({ port: 0 }, entrance)]);
    cleanUps.push(() => Promise.all(ports.map((port) => port.close())));
    expect((await refusalOf(ports[0].url.replace("/arcp", "/elsewhere"))).status).toBe(404);
    await openWebSocket(ports[0].url);
    expect((await refusalOf(ports[1].url)).status).toBe(503);
    entrance.connections[0]?.close(1000, "");
  });

  it("in requests of one connection: they are answered in turn, and too many at once close it", async () => {
    const begun: string[] = [];
    const faces: HttpFace[] = [
      {
        prefix: "/slow",
        handle(request, response) {
          begun.push(`${request.url} of ${begun.length - ended}`);
          response.once("finish", () => ended++);
          response.end(request.url);
        },
      },
      { prefix: "/held", handle: () => void begun.push("held") },
    ];
    let ended = 0;
    const { listener } = await start({}, { faces });
    const requests = (path: string, count: number) =>
      Array.from({ length: count }, (_, at) => `GET ${path}/${at} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`).join("");

    const patient = await knock(listener.port);
    patient.write(requests("/slow", 20));
    let text = "";
    patient.setEncoding("latin1").on("data", (chunk) => {
      text += chunk;
    });
    await vi.waitFor(() => expect(text.match(/\/slow\/\d+/g)).toHaveLength(20));
    expect(begun).toEqual(Array.from({ length: 20 }, (_, at) => `/slow/${at} of 0`));
    expect(text.match(/\/slow\/\d+/g)).toEqual(Array.from({ length: 20 }, (_, at) => `/slow/${at}`));

    begun.length = 0;
    const greedy = await knock(listener.port);
    greedy.write(requests("/held", MAX_PIPELINED + 2));
    expect(await readToClose(greedy)).toBe("");
    expect(begun).toEqual(["held"]);
  });

  it("in sockets: beyond them a connection is closed without an answer", async () => {
    const { listener, entrance } = await start({}, { max: 1, limits: { socketsBeside: 1 } });
    const held = [await knock(listener.port), await knock(listener.port)];
    const [one] = held;
    one?.write("GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
    await once(one as Socket, "data");
    expect(await readToClose(await knock(listener.port))).toBe("");
    expect(entrance.logged).toEqual(["sockets are closed unheard: too many are open"]);
  });
});

describe("a trusted proxy [reading-trusted-proxy]", () => {
  const said = { "x-forwarded-for": "203.0.113.9", "x-forwarded-proto": "https" };

  it("is believed what it says of the client", async () => {
    const { base, listener, entrance } = await start({ trustedProxies: ["127.0.0.0/8"] });
    expect(await askSeen(base, said)).toEqual({ address: "203.0.113.9", confidential: true });
    await openWebSocket(listener.url, { headers: { ...said, "x-forwarded-proto": "http" } });
    expect(entrance.connections[0]?.peer).toEqual({ address: "203.0.113.9", confidential: false });
  });

  it("is what nobody else can pass for", async () => {
    const { base } = await start({ trustedProxies: ["10.0.0.0/8"] });
    expect(await askSeen(base, said)).toEqual({ address: "unknown", confidential: false });
  });

  it("that is no address keeps the port from opening", async () => {
    await expect(start({ trustedProxies: ["proxy.example"] })).rejects.toThrow('trustedProxies: "proxy.example"');
  });
});

describe("beyond loopback", () => {
  it("a port without TLS or trusted proxy is warned of; with one of them, or on loopback, it is not", async () => {
    const warned = "listening beyond this machine without TLS: tokens and jobs cross the network in the clear";
    expect((await start({ host: "0.0.0.0" })).entrance.logged).toEqual([warned]);
    expect((await start({ host: "0.0.0.0", trustedProxies: ["10.0.0.1"] })).entrance.logged).toEqual([]);
    expect((await start({ host: "0.0.0.0", tls: FIRST })).entrance.logged).toEqual([]);
    expect((await start({ host: "localhost" })).entrance.logged).toEqual([]);
  });
});

describe("TLS", () => {
  it("serves wss: and https:, and its peers are confidential wherever they are", async () => {
    const { listener, entrance } = await start({ tls: FIRST });
    expect(listener.url).toBe(`wss://127.0.0.1:${listener.port}/arcp`);
    const socket = await openWebSocket(listener.url, { ca: FIRST.cert });
    socket.send("ö");
    expect(String((await once(socket, "message"))[0])).toBe("echo ö");
    expect(entrance.connections[0]?.peer.confidential).toBe(true);
  });

  it("does not answer what is not TLS, nor hold it for ever", async () => {
    const { listener } = await start({ tls: FIRST }, { limits: { tlsHandshakeMs: 20 } });
    const plain = await knock(listener.port);
    plain.write("GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
    expect(await readToClose(plain)).not.toContain("200");
    expect(await readToClose(await knock(listener.port))).toBe("");
  });

  async function commonName(port: number): Promise<string | string[] | undefined> {
    const socket = connectTls({ port, host: "127.0.0.1", rejectUnauthorized: false });
    await once(socket, "secureConnect");
    const name = socket.getPeerCertificate().subject.CN;
    socket.destroy();
    return name;
  }

  it("uses a renewed certificate for new connections, and keeps the old one while the files do not match", async () => {
    const directory = await mkdtemp(join(tmpdir(), "leasehold-tls-"));
    cleanUps.push(() => rm(directory, { recursive: true }));
    const tls = { cert: join(directory, "cert.pem"), key: join(directory, "key.pem") };
    const write = (part: { cert?: string; key?: string }) =>
      Promise.all(Object.entries(part).map(([name, text]) => writeFile(tls[name as "cert"], text)));
    await write(FIRST);
    const world = createFakeWorld();
    const logged: string[] = [];
    const lines = { next: () => {} };
    const tell = (_: unknown, message: string): void => {
      logged.push(message);
      lines.next();
    };
    const log = { debug() {}, info: tell, warn: tell, error: tell };
    const { listener } = await start({ tls }, { timers: world.timers, log });
    // Files are read outside the world: what is awaited is what the log then says.
    const look = async (): Promise<void> => {
      const told = new Promise<void>((resolve) => {
        lines.next = resolve;
      });
      await world.advance(TLS_LOOK_MS);
      await told;
      await world.settle();
    };
    expect(await commonName(listener.port)).toBe("leasehold-test-a");

    await write({ cert: SECOND.cert });
    await look();
    expect(await commonName(listener.port)).toBe("leasehold-test-a");
    await write({ key: SECOND.key });
    await look();
    expect(await commonName(listener.port)).toBe("leasehold-test-b");
    expect(logged).toEqual([
      "the TLS files cannot be used; the certificate read before stays in use",
      "the TLS certificate was renewed",
    ]);
    await listener.close();
    cleanUps.splice(1);
    expect(world.pendingTimers).toBe(0);
  });

  it.each([
    [
      "a certificate that is not there",
      { ...FIRST, cert: "/nowhere/cert.pem" },
      "tls.cert: /nowhere/cert.pem cannot be read",
    ],
    ["a key that is not there", { ...FIRST, key: "/nowhere/key.pem" }, "tls.key: /nowhere/key.pem cannot be read"],
    ["another's key", { cert: FIRST.cert, key: SECOND.key }, "tls.key is not the key of tls.cert"],
    [
      "a file that holds no PEM",
      { ...FIRST, key: import.meta.filename.replace("listener.test", "version") },
      "tls.key holds no PEM",
    ],
    [
      "a broken certificate",
      { ...FIRST, cert: "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n" },
      "tls.cert cannot be used",
    ],
    [
      "a broken key",
      { ...FIRST, key: "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n" },
      "tls.key cannot be used",
    ],
  ])("is refused with %s, by the name of the option", async (_, tls, message) => {
    await expect(start({ tls })).rejects.toThrow(message);
  });
});
