/** Whatever a stranger sends to the port, the runtime goes on serving: an honest client meanwhile misses nothing. */
import { once } from "node:events";
import { connect as connectSocket, type Socket } from "node:net";
import { connect, type Job, type Session, SessionError } from "leasehold/client";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import { createPlace, jsonLines, type Place, type Server, within } from "./test-place.ts";

let place: Place;
let server: Server;
let honest: Session;
/** The last position the honest client was given of a job that talks all the while. */
let lastSeen = 0;
/** Positions that did not follow the one before. */
const misplaced: unknown[] = [];
const MAX_FRAME_BYTES = 1_048_576;

beforeAll(async () => {
  place = await createPlace();
  server = await place.serve("dev");
  honest = await connect(server.url, { token: server.token });
  void listen(await honest.submit("restarting", { marks: place.path("marks") }));
});
afterAll(async () => {
  await honest.close();
  await place[Symbol.asyncDispose]();
});

async function listen(job: Job): Promise<void> {
  try {
    for await (const { jobSeq } of job.events()) {
      // What this session alone is told, such as that it lags, is no entry of the job's log.
      if (jobSeq === undefined) continue;
      if (jobSeq !== lastSeen + 1) misplaced.push([lastSeen, jobSeq]);
      lastSeen = jobSeq;
    }
    misplaced.push("the end, though the job has none");
  } catch (error) {
    if (!(error instanceof SessionError && error.code === "SESSION_CLOSED")) misplaced.push(error);
  }
}

async function expectToServe(): Promise<void> {
  const job = await honest.submit("echo", "still here");
  expect(await job.result()).toBe("still here");
  expect(lastSeen).toBeGreaterThan(0);
  expect(misplaced).toEqual([]);
  expect(jsonLines(server.stderr()).filter(({ level }) => level === "error")).toEqual([]);
  expect(server.child.exitCode).toBeNull();
}

interface Said {
  readonly code: number;
  readonly frames: readonly Record<string, unknown>[];
}

/** Opens a WebSocket, has `misbehave` do its worst, and waits for the runtime to close. */
async function provoke(misbehave: (socket: WebSocket) => void): Promise<Said> {
  const socket = new WebSocket(server.url);
  const frames: Record<string, unknown>[] = [];
  socket.on("message", (data) => frames.push(JSON.parse(String(data))));
  socket.on("error", () => {});
  const closed = once(socket, "close");
  await within(once(socket, "open"), () => "the WebSocket to open");
  misbehave(socket);
  const [code] = await within(closed, () => `the runtime to close; it said ${JSON.stringify(frames)}`);
  return { code, frames };
}

const hello = (token: string): string =>
  JSON.stringify({
    arcp: "1.1",
    id: "msg_1",
    type: "session.hello",
    payload: { auth: { scheme: "bearer", token }, capabilities: { encodings: ["json"], features: [] } },
  });

/** The socket under a WebSocket, to send what no WebSocket would. */
function underneath(socket: WebSocket): Socket {
  return (socket as unknown as { readonly _socket: Socket })._socket;
}

describe("a frame that is not one of ours", () => {
  it.each<[string, number, (socket: WebSocket) => void]>([
    ["binary", 1003, (socket) => socket.send(Buffer.from([0, 1, 2, 255]))],
    ["larger than a frame may be", 1009, (socket) => socket.send("x".repeat(MAX_FRAME_BYTES + 1))],
    ["no UTF-8", 1007, (socket) => socket.send(Buffer.from([0xc3, 0x28]), { binary: false })],
    ["not masked", 1002, (socket) => underneath(socket).write(Buffer.from([0x81, 0x02, 0x7b, 0x7d]))],
    ["of a reserved kind", 1002, (socket) => underneath(socket).write(Buffer.from([0x83, 0x80, 0, 0, 0, 0]))],
  ])("%s, closes its connection with %i [law-frames-never-crash][reading-frames]", async (_what, code, misbehave) => {
    expect(await provoke(misbehave)).toMatchObject({ code });
    await expectToServe();
  });

  it.each([
    ["garbage", "\u0000\ud83d garbage \n{]"],
    ["null", "null"],
    ["an array", "[]"],
    ["a number too large", "1e999"],
    ["nested deeply", "[".repeat(500_000)],
    ["an object nested deeply", `${'{"a":'.repeat(100_000)}1${"}".repeat(100_000)}`],
    ["about the prototype", '{"__proto__":{"type":"session.hello"},"arcp":"1.1","id":"1"}'],
    ["of an unknown type", '{"arcp":"1.1","id":"1","type":"session.nonsense","payload":{}}'],
    ["of wrong fields", '{"arcp":"1.1","id":"1","type":"session.hello","payload":{"auth":7,"capabilities":"all"}}'],
    ["before any hello", '{"arcp":"1.1","id":"1","type":"job.submit","payload":{"agent":"echo","input":1}}'],
  ])("%s, is answered, and the connection closes in the end [law-frames-never-crash]", async (_what, text) => {
    const { frames } = await provoke((socket) => {
      for (let time = 0; time < 50; time++) socket.send(text);
    });
    expect(frames[0]).toMatchObject({ type: "session.error", payload: { code: "INVALID_REQUEST", retryable: false } });
    await expectToServe();
  });

  it("after a proper hello is answered each time, until there are too many [law-frames-never-crash][reading-malformed-answered]", async () => {
    const { frames } = await provoke((socket) => {
      socket.send(hello(server.token));
      for (let time = 0; time < 200; time++)
        socket.send('{"arcp":"1.1","id":"x","type":"job.submit","payload":{"agent":{}}}');
    });
    expect(frames[0]).toMatchObject({ type: "session.welcome" });
    expect(frames[1]).toMatchObject({ type: "session.error", payload: { code: "INVALID_REQUEST" } });
    await expectToServe();
  });
});

describe("a stranger", () => {
  it("with a wrong token is refused and cut off [reading-failed-authentication-closes]", async () => {
    const { frames } = await provoke((socket) => socket.send(hello("lh_wrong")));
    expect(frames).toEqual([expect.objectContaining({ type: "session.error" })]);
    expect(frames[0]).toMatchObject({ payload: { code: "UNAUTHENTICATED" } });
    await expectToServe();
  });

  it.each<[string, number, string, Readonly<Record<string, string>>]>([
    ["at another path", 404, "/elsewhere", {}],
    ["from a page of another origin", 403, "/arcp", { origin: "https://evil.example" }],
    ["from a page without an origin", 403, "/arcp", { origin: "null" }],
    ["by a name that is not ours", 403, "/arcp", { host: "evil.example" }],
  ])("%s is refused with %i [reading-websocket-endpoint]", async (_what, status, path, headers) => {
    const socket = new WebSocket(new URL(path, server.url), { headers });
    socket.on("error", () => {});
    const [, response] = await within(once(socket, "unexpected-response"), () => "an answer");
    response.destroy();
    expect(response.statusCode).toBe(status);
    await expectToServe();
  });

  it.each([
    ["bytes", "\u0000\u0001\u0002\r\n\r\n"],
    ["half a handshake", "GET /arcp HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"],
    ["endless headers", `GET /arcp HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Long: ${"x".repeat(20_000)}\r\n\r\n`],
    [
      "an absurd request line",
      "GET ws://[::1 HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
    ],
  ])("that speaks %s to the port is shown the door", async (_what, text) => {
    const { hostname, port } = new URL(server.url);
    const socket = connectSocket(Number(port), hostname);
    socket.on("error", () => {});
    let answer = "";
    socket.setEncoding("latin1").on("data", (chunk: string) => {
      answer += chunk;
    });
    const closed = once(socket, "close");
    socket.write(text, "latin1");
    await within(closed, () => `the door; so far ${answer}`);
    expect(answer).toMatch(/^HTTP\/1\.1 4\d\d /);
    await expectToServe();
  });

  it("that comes and goes at once, many times, is not missed", async () => {
    const { hostname, port } = new URL(server.url);
    const visits = Array.from({ length: 200 }, async (_, index) => {
      const socket = connectSocket(Number(port), hostname);
      socket.on("error", () => {});
      await once(socket, "connect");
      if (index % 2 === 0) socket.write("GET /arcp HTTP/1.1\r\nUpgr");
      socket.resetAndDestroy();
    });
    await within(Promise.all(visits), () => "all visits");
    await expectToServe();
  });
});
