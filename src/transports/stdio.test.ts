import { once } from "node:events";
import { PassThrough, Writable } from "node:stream";
import { describe, expect, test } from "vitest";
import { type Log, silentLog } from "../platform/log.ts";
import { CLOSE } from "../protocol/framing.ts";
import { createFakeWorld } from "../testing/fake-world.ts";
import { CLOSE_TIMEOUT_MS } from "./limits.ts";
import { createStdioConnection, type StdioOptions } from "./stdio.ts";
import { watchConnection } from "./websocket-test-server.ts";

function connect(options: Partial<StdioOptions> = {}) {
  const world = createFakeWorld();
  const input = new PassThrough();
  const output = new PassThrough();
  const connection = createStdioConnection({ timers: world.timers, log: silentLog, input, output, ...options });
  return { world, input, output, connection };
}

describe("a connection over stdio", () => {
  test("writes the frames of one turn in one piece, a line each", async () => {
    const { world, output, connection } = connect();
    watchConnection(connection);
    await world.settle();
    connection.send(["a", "ö"]);
    void Promise.resolve().then(() => connection.send(["c"]));
    const [piece] = await once(output, "data");
    expect(String(piece)).toBe("a\nö\nc\n");
  });

  test("is local and confidential, unless its maker knows better", () => {
    expect(connect().connection.peer).toEqual({ address: "stdio", confidential: true });
    const peer = { address: "far", confidential: false };
    expect(connect({ peer }).connection.peer).toBe(peer);
  });

  test("takes characters cut in two and lines that end as on Windows", async () => {
    const { world, input, connection } = connect();
    const calls = watchConnection(connection);
    await world.settle();
    const bytes = Buffer.from('{"a":"日本"}\r\n');
    for (const byte of bytes) input.write(Buffer.from([byte]));
    expect(await calls.next()).toBe('{"a":"日本"}');
  });

  test("ends when its input ends, after the frames in it; a last line without its end is none", async () => {
    const { world, input, output, connection } = connect();
    const calls = watchConnection(connection);
    await world.settle();
    input.end("one\ntwo\nhal");
    expect(await calls.next()).toBe("one");
    expect(await calls.next()).toBe("two");
    output.resume();
    expect(await calls.next()).toBe(`closed ${CLOSE.goingAway}`);
    expect(await connection.ended).toMatchObject({ code: CLOSE.goingAway });
    expect(world.pendingTimers).toBe(0);
  });

  test("that ended before it was opened says so, and delivers nothing that was cut off", async () => {
    const { world, input, output, connection } = connect();
    input.end();
    input.resume();
    await once(input, "end");
    const calls = watchConnection(connection);
    output.resume();
    await world.settle();
    expect(await calls.next()).toBe(`closed ${CLOSE.goingAway}`);
  });

  test("ends with a peer that no longer reads (EPIPE)", async () => {
    const broken = new Writable({ write: (_chunk, _encoding, done) => done(new Error("write EPIPE")) });
    const { world, input, connection } = connect({ output: broken });
    const calls = watchConnection(connection);
    await world.settle();
    connection.send(["unheard"]);
    expect(await calls.next()).toBe(`closed ${CLOSE.abnormal}`);
    expect(await connection.ended).toEqual({ code: CLOSE.abnormal, reason: "write EPIPE" });
    input.write("unheard, too\n");
    connection.close(CLOSE.normal, "");
    expect(world.pendingTimers).toBe(0);
  });

  test("closes with 1007 on a line that is no UTF-8", async () => {
    const { world, input, output, connection } = connect();
    const calls = watchConnection(connection);
    await world.settle();
    output.resume();
    input.write(Buffer.from([0xc3, 0x28, 0x0a]));
    input.write("after\n");
    expect(await calls.next()).toBe("closed 1007");
  });

  test("is cut off when what is queued is not taken in time", async () => {
    const stuck = new Writable({ write() {} });
    const { world, connection } = connect({ output: stuck });
    const calls = watchConnection(connection);
    await world.settle();
    connection.send(["unread"]);
    connection.close(CLOSE.goingAway, "");
    expect(world.pendingTimers).toBe(1);
    await world.advance(CLOSE_TIMEOUT_MS - 1);
    expect(stuck.destroyed).toBe(false);
    await world.advance(1);
    expect(stuck.destroyed).toBe(true);
    expect(await calls.next()).toBe(`closed ${CLOSE.goingAway}`);
    expect(world.pendingTimers).toBe(0);
  });

  test("survives a receiver that throws", async () => {
    const logged: string[] = [];
    const log: Log = { ...silentLog, error: (_, message) => void logged.push(message) };
    const { world, input, output, connection } = connect({ log });
    output.resume();
    watchConnection(connection, {
      frame() {
        throw new Error("a bug");
      },
    });
    await world.settle();
    input.write("anything\nmore\n");
    expect(await connection.ended).toMatchObject({ code: CLOSE.internalError });
    expect(logged).toHaveLength(1);
  });
});
