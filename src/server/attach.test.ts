import { once } from "node:events";
import { createServer, type Server } from "node:http";
import { createServer as createHttpsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { type Duplex, PassThrough } from "node:stream";
import { afterEach, describe, expect, it } from "vitest";
import { WebSocket, WebSocketServer } from "ws";
import { type AttachOptions, attach } from "./attach.ts";
import { FIRST } from "./test-certificates.ts";
import { ask, askSeen, createTestEntrance } from "./test-entrance.ts";

const cleanUps: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).toReversed()) await cleanUp();
});

async function open(server: Server): Promise<number> {
  const sockets = new Set<Duplex>();
  server.on("connection", (socket: Duplex) => void sockets.add(socket));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  cleanUps.push(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

async function host(options: AttachOptions = {}) {
  const server = createServer((request, response) => response.end(`the owner's ${request.url}`));
  const entrance = createTestEntrance();
  const attachment = attach(server, options, entrance);
  const port = await open(server);
  return { server, entrance, attachment, port, base: `http://127.0.0.1:${port}`, url: `ws://127.0.0.1:${port}` };
}

async function echo(url: string, options: object = {}): Promise<string> {
  const socket = new WebSocket(url, options);
  cleanUps.push(() => socket.terminate());
  await once(socket, "open");
  socket.send("x");
  return String((await once(socket, "message"))[0]);
}

async function statusOfUpgrade(url: string): Promise<number> {
  const socket = new WebSocket(url);
  socket.on("error", () => {});
  const [, response] = await once(socket, "unexpected-response");
  response.destroy();
  return response.statusCode;
}

describe("attached to somebody's server", () => {
  it("takes sessions and the requests of our faces, and leaves all others to their owner", async () => {
    const { base, url } = await host();
    expect(await echo(`${url}/arcp?x`)).toBe("echo x");
    expect((await ask(`${base}/healthz`)).body).toBe('{"status":"ok"}\n');
    for (const path of ["/", "/healthzz", "/arcp", "/a/healthz"]) {
      expect((await ask(`${base}${path}`)).body).toBe(`the owner's ${path}`);
    }
  });

  it("takes over the faces that are named, and no others", async () => {
    const { base } = await host({ faces: ["/seen"] });
    expect((await ask(`${base}/healthz`)).body).toBe("the owner's /healthz");
    expect(await askSeen(base, {})).toEqual({ address: "127.0.0.1", confidential: true });
    const none = await host({ faces: [] });
    expect((await ask(`${none.base}/seen`)).body).toBe("the owner's /seen");
    expect(await echo(`${none.url}/arcp`)).toBe("echo x");
  });

  it("leaves a face at / alone, unless it is named", async () => {
    const server = createServer((_, response) => response.end("the owner's"));
    const everything = {
      prefix: "/",
      handle: (_: unknown, response: { end(text: string): void }) => response.end("ours"),
    };
    const attachment = attach(server, {}, createTestEntrance({ faces: [everything] }));
    const port = await open(server);
    expect((await ask(`http://127.0.0.1:${port}/x`)).body).toBe("the owner's");
    attachment.detach();
    attach(server, { faces: ["/"] }, createTestEntrance({ faces: [everything] }));
    expect((await ask(`http://127.0.0.1:${port}/x`)).body).toBe("ours");
  });

  it("works when the owner's listeners come later, and for requests that ask to continue", async () => {
    const server = createServer();
    attach(server, {}, createTestEntrance());
    const port = await open(server);
    server.on("request", (_, response) => response.end("late"));
    server.on("checkContinue", (_, response) => response.end("asked"));
    const base = `http://127.0.0.1:${port}`;
    expect((await ask(`${base}/x`)).body).toBe("late");
    const headers = { expect: "100-continue" };
    expect((await ask(`${base}/x`, { method: "POST", headers })).body).toBe("asked");
    expect((await ask(`${base}/healthz`, { method: "POST", headers })).status).toBe(405);
  });

  it("leaves upgrades on other paths to their owner, and makes none of what was a request before", async () => {
    const { server, base, url } = await host();
    const headers = { connection: "Upgrade", upgrade: "h2c" };
    expect((await ask(`${base}/x`, { headers })).body).toBe("the owner's /x");
    expect(await statusOfUpgrade(`${url}/chat`)).toBe(200);

    const chat = new WebSocketServer({ noServer: true });
    chat.on("connection", (socket) => socket.on("message", (data) => socket.send(`chat ${data}`)));
    server.on("upgrade", (request, socket, head) => {
      chat.handleUpgrade(request, socket, head, (ws) => chat.emit("connection", ws, request));
    });
    expect(await echo(`${url}/chat`)).toBe("chat x");
    expect(await echo(`${url}/arcp`)).toBe("echo x");
  });

  it("answers others' upgrades where Node does not ask and nobody listens for them", async () => {
    const server = createServer((_, response) => response.end("the owner's"));
    Object.assign(server, { shouldUpgradeCallback: undefined });
    const attachment = attach(server, {}, createTestEntrance());
    expect(server.listenerCount("upgrade")).toBe(1);
    let written = "";
    const socket = new PassThrough();
    socket.on("data", (text) => {
      written += text;
    });
    server.emit("upgrade", { url: "/x" }, socket, Buffer.alloc(0));
    await once(socket, "end");
    expect(written).toMatch(/^HTTP\/1\.1 404 /);
    attachment.detach();
    expect(server.listenerCount("upgrade")).toBe(0);
  });

  it("checks hosts, origins and proxies as a port of its own does", async () => {
    const { base, url } = await host({ trustedProxies: ["127.0.0.1"], allowedHosts: ["jobs.example.com"] });
    const said = { "x-forwarded-for": "203.0.113.9", "x-forwarded-proto": "https" };
    expect(await askSeen(base, said)).toEqual({ address: "203.0.113.9", confidential: true });
    expect((await ask(`${base}/healthz`, { headers: { host: "evil.example" } })).status).toBe(403);
    expect((await ask(`${base}/x`, { headers: { host: "evil.example" } })).body).toBe("the owner's /x");
    expect(await echo(`${url}/arcp`, { headers: { host: "jobs.example.com" } })).toBe("echo x");
  });

  it("works on an HTTPS server", async () => {
    const server = createHttpsServer(FIRST, (_, response) => response.end("the owner's"));
    const entrance = createTestEntrance();
    attach(server, {}, entrance);
    const port = await open(server);
    expect(await echo(`wss://localhost:${port}/arcp`, { ca: FIRST.cert })).toBe("echo x");
    expect(entrance.connections[0]?.peer.confidential).toBe(true);
  });
});

describe("detached", () => {
  it("everything is the owner's again, and connections that are open stay", async () => {
    const { server, base, url, attachment } = await host();
    const socket = new WebSocket(`${url}/arcp`);
    cleanUps.push(() => socket.terminate());
    await once(socket, "open");
    attachment.detach();
    attachment.detach();
    expect((await ask(`${base}/healthz`)).body).toBe("the owner's /healthz");
    expect(await statusOfUpgrade(`${url}/arcp`)).toBe(200);
    expect(server.listenerCount("upgrade")).toBe(0);
    socket.send("still");
    expect(String((await once(socket, "message"))[0])).toBe("echo still");
  });

  it("in another order than attached, too", async () => {
    const server = createServer((_, response) => response.end("the owner's"));
    const first = attach(server, { faces: ["/healthz"] }, createTestEntrance());
    const second = attach(server, { faces: ["/seen"] }, createTestEntrance());
    const base = `http://127.0.0.1:${await open(server)}`;
    first.detach();
    expect((await ask(`${base}/healthz`)).body).toBe("the owner's");
    expect((await ask(`${base}/seen`)).status).toBe(200);
    second.detach();
    expect((await ask(`${base}/seen`)).body).toBe("the owner's");
  });
});
