import { once } from "node:events";
import { describe, expect, test } from "vitest";
import { type Log, silentLog } from "../platform/log.ts";
import { CLOSE, MAX_FRAME_BYTES } from "../protocol/framing.ts";
import { createFakeWorld } from "../testing/fake-world.ts";
import { OVERLOAD_BYTES } from "./connection.ts";
import { CLOSE_TIMEOUT_MS, MAX_UNSENT_BYTES } from "./limits.ts";
import {
  clientFrame,
  connectClient,
  connectUpgraded,
  OPCODE,
  readToEnd,
  startTestServer,
  watchConnection,
} from "./websocket-test-server.ts";

async function connectPair(options: Parameters<typeof startTestServer>[0] = {}) {
  const server = await startTestServer(options);
  const peer = await connectClient(server.url);
  const { acceptance, socket } = await server.nextUpgrade();
  if (!acceptance.accepted) throw new Error(acceptance.reason);
  return { ...peer, connection: acceptance.connection, socket, [Symbol.asyncDispose]: server[Symbol.asyncDispose] };
}

/** Counts the writes that reach a socket from now on. */
function countWrites(socket: NodeJS.WritableStream): () => number {
  const write = socket.write.bind(socket) as (...args: unknown[]) => boolean;
  let count = 0;
  Object.assign(socket, {
    write(...args: unknown[]) {
      count += 1;
      return write(...args);
    },
  });
  return () => count;
}

describe("sending", () => {
  test("1,000 frames of one turn, some multi-byte, arrive in order and intact, in one write", async () => {
    await using pair = await connectPair();
    const { connection, client, messages, socket } = pair;
    const writes = countWrites(socket);
    const texts = Array.from(
      { length: 1000 },
      (_, index) => `${index} ${["plain", "größer", "日本語", "🜁"][index % 4]}`,
    );
    watchConnection(connection, {
      frame() {
        for (const text of texts.slice(0, 600)) connection.send([text]);
        // Promises settled in this turn belong to it.
        void Promise.resolve()
          .then(() => {})
          .then(() => connection.send(texts.slice(600)));
      },
    });
    client.send("go");
    const received: string[] = [];
    while (received.length < texts.length) received.push(await messages.next());
    expect(received).toEqual(texts);
    expect(writes()).toBe(1);
  });

  test("frames of every header size arrive intact", async () => {
    await using pair = await connectPair();
    const { connection, messages } = pair;
    const texts = [0, 1, 125, 126, 65_535, 65_536, 200_000].map((size) => "x".repeat(size));
    connection.send(texts);
    for (const text of texts) expect(await messages.next()).toBe(text);
  });

  test("pings are answered between frames, whole", async () => {
    await using pair = await connectPair();
    const { connection, client, messages } = pair;
    const calls = watchConnection(connection);
    const pongs: string[] = [];
    client.on("pong", (data) => void pongs.push(String(data)));
    for (let round = 0; round < 20; round++) {
      client.ping(`ping ${round}`);
      client.send(`go ${round}`);
      expect(await calls.next()).toBe(`go ${round}`);
      connection.send([`a ${round}`, `b ${round}`]);
      expect(await messages.next()).toBe(`a ${round}`);
      expect(await messages.next()).toBe(`b ${round}`);
    }
    expect(pongs).toEqual(Array.from({ length: 20 }, (_, round) => `ping ${round}`));
  });

  test("a slow reader overloads the connection; it drains once, when the peer reads", async () => {
    await using pair = await connectPair();
    const { connection, client, messages } = pair;
    const calls = watchConnection(connection);
    client.pause();
    expect(connection.overloaded).toBe(false);
    const page = "y".repeat(OVERLOAD_BYTES / 4);
    let sent = 0;
    // What the kernel takes for a peer that does not read is not ours to know, so: until it takes no more.
    while (!connection.overloaded && sent < 60) {
      connection.send([page]);
      sent += 1;
      await new Promise<void>((resolve) => process.nextTick(resolve));
    }
    expect(connection.overloaded).toBe(true);
    client.resume();
    expect(await calls.next()).toBe("drained");
    expect(connection.overloaded).toBe(false);
    for (let received = 0; received < sent; received++) expect(await messages.next()).toBe(page);
    // Once more, without having been over the mark: nothing to tell.
    connection.send([page]);
    expect(await messages.next()).toBe(page);
    client.send("after");
    expect(await calls.next()).toBe("after");
  });

  test("a turn over the mark drains, too, when the socket takes it at once", async () => {
    await using pair = await connectPair();
    const { connection, client, messages } = pair;
    const calls = watchConnection(connection);
    client.send("ready");
    expect(await calls.next()).toBe("ready");
    const page = "w".repeat(OVERLOAD_BYTES);
    for (let round = 0; round < 3; round++) {
      connection.send([page]);
      expect(connection.overloaded).toBe(true);
      expect(await calls.next()).toBe("drained");
      expect(await messages.next()).toBe(page);
    }
    client.send("after");
    expect(await calls.next()).toBe("after");
  });

  test("a peer that never reads is cut off before it makes us hold more than the limit", async () => {
    await using pair = await connectPair();
    const { connection, client } = pair;
    const calls = watchConnection(connection);
    client.pause();
    const page = "z".repeat(MAX_UNSENT_BYTES / 4);
    for (let sent = 0; sent < 4; sent++) connection.send([page]);
    expect(await calls.next()).toBe("closed 1008");
    connection.send(["ignored"]);
    expect(connection.overloaded).toBe(false);
  });
});

describe("receiving", () => {
  test("fragmented text, cut anywhere, with a ping in between, is one frame", async () => {
    await using server = await startTestServer();
    const socket = await connectUpgraded(server.port);
    const calls = watchConnection(await server.nextConnection());
    const first = clientFrame(OPCODE.text, Buffer.from("grö").subarray(0, 3));
    first[0] = OPCODE.text;
    const last = clientFrame(0, Buffer.concat([Buffer.from("grö").subarray(3), Buffer.from("ßer")]));
    for (const byte of Buffer.concat([first, clientFrame(OPCODE.ping, ""), last])) socket.write(Buffer.from([byte]));
    expect(await calls.next()).toBe("größer");
    socket.destroy();
  });

  test("a frame of exactly the limit passes; a longer one closes with 1009", async () => {
    await using pair = await connectPair();
    const { connection, client, closed } = pair;
    const calls = watchConnection(connection);
    client.send("x".repeat(MAX_FRAME_BYTES));
    expect((await calls.next()).length).toBe(MAX_FRAME_BYTES);
    client.send("x".repeat(MAX_FRAME_BYTES + 1));
    expect(await calls.next()).toBe("closed 1009");
    expect((await closed).code).toBe(1009);
  });

  test("a binary frame closes with 1003, and what follows it is not delivered", async () => {
    await using pair = await connectPair();
    const { connection, client, closed } = pair;
    const calls = watchConnection(connection);
    client.send(Buffer.from("{}"));
    client.send("after");
    expect(await calls.next()).toBe("closed 1003");
    expect(await closed).toMatchObject({ code: 1003, reason: expect.stringContaining("text") });
  });

  test.each([
    ["invalid UTF-8", clientFrame(OPCODE.text, Buffer.from([0xc3, 0x28])), 1007],
    ["an unmasked frame", Buffer.from([0x81, 1, 0x61]), 1002],
    ["a reserved opcode", clientFrame(5, "x"), 1002],
    ["garbage", Buffer.from("GET / HTTP/1.1\r\nHost: again\r\n\r\n"), 1002],
  ])("%s closes with its code", async (_, bytes, code) => {
    await using server = await startTestServer();
    const socket = await connectUpgraded(server.port);
    const calls = watchConnection(await server.nextConnection());
    const answer = once(socket, "data");
    socket.write(bytes);
    const [frame] = await answer;
    expect((frame as Buffer).readUInt16BE(2)).toBe(code);
    socket.end();
    expect(await calls.next()).toBe(`closed ${code}`);
  });

  test("a handler that throws ends its connection only", async () => {
    const logged: string[] = [];
    const log: Log = { ...silentLog, error: (_, message) => void logged.push(message) };
    await using pair = await connectPair({ log });
    const { connection, client, closed } = pair;
    watchConnection(connection, {
      frame() {
        throw new Error("a bug");
      },
    });
    client.send("anything");
    expect((await closed).code).toBe(CLOSE.internalError);
    expect(logged).toHaveLength(1);
  });
});

describe("closing", () => {
  test("what is queued leaves before the close; our code and reason reach the peer", async () => {
    await using pair = await connectPair();
    const { connection, client, messages, closed } = pair;
    const calls = watchConnection(connection);
    connection.send(["last words"]);
    connection.close(CLOSE.superseded, "resumed elsewhere");
    connection.close(CLOSE.normal, "again");
    connection.send(["ignored"]);
    client.send("ignored");
    expect(await messages.next()).toBe("last words");
    expect(await closed).toEqual({ code: CLOSE.superseded, reason: "resumed elsewhere" });
    expect(await calls.next()).toBe(`closed ${CLOSE.superseded}`);
    connection.close(CLOSE.normal, "gone already");
  });

  test("a long reason is cut between characters to fit", async () => {
    await using pair = await connectPair();
    const { connection, closed } = pair;
    watchConnection(connection);
    connection.close(CLOSE.invalidMessage, "é".repeat(200));
    expect(await closed).toEqual({ code: CLOSE.invalidMessage, reason: "é".repeat(61) });
  });

  test("the peer's code and reason reach us and are echoed; no data frame follows the echo", async () => {
    await using server = await startTestServer();
    const socket = await connectUpgraded(server.port);
    const connection = await server.nextConnection();
    const ended = Promise.withResolvers<[number, string]>();
    watchConnection(connection, {
      frame: () => connection.send(["an answer that is too late"]),
      closed: (code, reason) => ended.resolve([code, reason]),
    });
    const close = Buffer.concat([Buffer.from([4000 >>> 8, 4000 & 255]), Buffer.from("done")]);
    socket.write(Buffer.concat([clientFrame(OPCODE.text, "question"), clientFrame(OPCODE.close, close)]));
    const answer = await readToEnd(socket);
    socket.end();
    expect(Buffer.from(answer, "latin1")).toEqual(Buffer.concat([Buffer.from([0x88, close.length]), close]));
    expect(await ended.promise).toEqual([4000, "done"]);
  });

  test("a reset is reported once, as 1006, and frees the connection", async () => {
    await using server = await startTestServer();
    const socket = await connectUpgraded(server.port);
    const connection = await server.nextConnection();
    const calls = watchConnection(connection);
    connection.send(["x".repeat(100_000)]);
    socket.resetAndDestroy();
    expect(await calls.next()).toBe("closed 1006");
    connection.send(["ignored"]);
    connection.close(CLOSE.normal, "ignored");
    expect(connection.overloaded).toBe(false);
  });

  test("a connection that is gone before open delivers its frames and its end after open", async () => {
    await using server = await startTestServer();
    const socket = await connectUpgraded(server.port);
    const { acceptance, socket: ours } = await server.nextUpgrade();
    if (!acceptance.accepted) throw new Error(acceptance.reason);
    socket.write(clientFrame(OPCODE.text, "early"));
    await once(ours, "readable");
    const gone = once(ours, "close");
    ours.destroy();
    await gone;
    const calls = watchConnection(acceptance.connection);
    expect(await calls.next()).toBe("early");
    expect(await calls.next()).toBe("closed 1006");
  });

  test("a peer that does not answer a close is cut off after the timeout, which is then no longer pending", async () => {
    const world = createFakeWorld();
    await using server = await startTestServer({ timers: world.timers });
    const socket = await connectUpgraded(server.port);
    const { acceptance, socket: ours } = await server.nextUpgrade();
    if (!acceptance.accepted) throw new Error(acceptance.reason);
    const calls = watchConnection(acceptance.connection);
    await world.settle();
    acceptance.connection.close(CLOSE.goingAway, "");
    acceptance.connection.close(CLOSE.goingAway, "");
    expect(world.pendingTimers).toBe(1);
    await world.advance(CLOSE_TIMEOUT_MS - 1);
    expect(ours.destroyed).toBe(false);
    await world.advance(1);
    expect(ours.destroyed).toBe(true);
    expect(await calls.next()).toBe(`closed ${CLOSE.goingAway}`);
    expect(world.pendingTimers).toBe(0);
    socket.destroy();
  });

  test("an idle connection holds no timer, and a close that is answered leaves none", async () => {
    const world = createFakeWorld();
    await using pair = await connectPair({ timers: world.timers });
    const { connection } = pair;
    const calls = watchConnection(connection);
    await world.settle();
    expect(world.pendingTimers).toBe(0);
    connection.close(CLOSE.normal, "");
    expect(await calls.next()).toBe(`closed ${CLOSE.normal}`);
    expect(world.pendingTimers).toBe(0);
  });
});
