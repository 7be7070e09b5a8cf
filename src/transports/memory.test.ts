import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { CLOSE, MAX_FRAME_BYTES } from "../protocol/framing.ts";
import { createFakeWorld } from "../testing/fake-world.ts";
import type { Connection } from "./connection.ts";
import { CLOSE_TIMEOUT_MS } from "./limits.ts";
import { createMemoryConnectionPair, type MemoryConnectionOptions } from "./memory.ts";

/** Opens the server side and keeps what it is told, in order. */
function watch(server: Connection): string[] {
  const calls: string[] = [];
  server.open({
    frame: (text) => void calls.push(`frame ${text}`),
    drained: () => void calls.push("drained"),
    closed: (code) => void calls.push(`closed ${code}`),
  });
  return calls;
}

function createPair(options: Partial<MemoryConnectionOptions> = {}) {
  const world = createFakeWorld();
  return { world, ...createMemoryConnectionPair({ timers: world.timers, ...options }) };
}

describe("memory connection", () => {
  test("frames arrive in a later turn, in order, both ways", async () => {
    const { world, server, client } = createPair();
    const calls = watch(server);
    client.send("1");
    client.send("2");
    server.send(["a", "b"]);
    server.send(["ç"]);
    expect(calls).toEqual([]);
    expect(client.received).toEqual([]);
    expect(client.inFlight).toBe(3);
    await world.settle();
    expect(calls).toEqual(["frame 1", "frame 2"]);
    expect(client.take()).toEqual(["a", "b", "ç"]);
    expect(client.received).toEqual([]);
    expect(client.receivedBytes).toBe(4);
    expect(client.sentBytes).toBe(2);
  });

  test("frames that came before open are delivered first, on either side", async () => {
    const { world, server, client } = createPair();
    client.send("early");
    server.send(["early"]);
    await world.settle();
    const calls = watch(server);
    client.send("late");
    const seen: string[] = [];
    client.open({ frame: (text) => void seen.push(text), closed: (code) => void seen.push(`closed ${code}`) });
    server.send(["late"]);
    client.close();
    await world.settle();
    expect(calls).toEqual(["frame early", "frame late", "closed 1000"]);
    expect(seen).toEqual(["early", "late", "closed 1000"]);
  });

  test("a close by the server comes after what it sent; nothing comes after the close", async () => {
    const { world, server, client } = createPair();
    const calls = watch(server);
    await world.settle();
    server.send(["last"]);
    server.close(CLOSE.superseded, "resumed elsewhere");
    server.close(CLOSE.normal, "again");
    server.send(["ignored"]);
    client.send("ignored");
    await world.settle();
    client.send("ignored");
    await world.settle();
    expect(client.received).toEqual(["last"]);
    expect(client.closed).toEqual({ code: CLOSE.superseded, reason: "resumed elsewhere" });
    expect(calls).toEqual([`closed ${CLOSE.superseded}`]);
    expect(world.pendingTimers).toBe(0);
  });

  test("a drop loses what is on the way and tells both sides once", async () => {
    const { world, server, client } = createPair();
    const calls = watch(server);
    server.send(["a"]);
    client.send("1");
    client.drop();
    client.drop();
    server.send(["b"]);
    await world.settle();
    expect(calls).toEqual(["closed 1006"]);
    expect(client.received).toEqual([]);
    expect(client.closed?.code).toBe(1006);
  });

  test("a drop can be placed between any two frames", async () => {
    const { world, server, client } = createPair();
    const calls = watch(server);
    server.send(["a", "b", "c"]);
    client.send("1");
    client.send("2");
    client.drop({ toClient: 2, toServer: 1 });
    await world.settle();
    expect(client.received).toEqual(["a", "b"]);
    expect(calls).toEqual(["frame 1", "closed 1006"]);
  });

  test("a connection that is gone before open says so after open", async () => {
    const { world, server, client } = createPair();
    client.send("1");
    client.drop({ toServer: 1 });
    await world.settle();
    const calls = watch(server);
    await world.settle();
    expect(calls).toEqual(["frame 1", "closed 1006"]);
  });

  test("a handler may drop the connection while frames are being delivered", async () => {
    const { world, server, client } = createPair();
    const calls = watch(server);
    const seen: string[] = [];
    client.open({
      frame(text) {
        seen.push(text);
        client.drop();
      },
      closed: (code) => void seen.push(`closed ${code}`),
    });
    server.send(["a", "b"]);
    await world.settle();
    expect(seen).toEqual(["a", "closed 1006"]);
    expect(calls).toEqual(["closed 1006"]);
  });

  test("a stalled client overloads the server; it drains once the client reads again", async () => {
    const { world, server, client } = createPair({ overloadBytes: 10 });
    const calls = watch(server);
    client.stall();
    server.send(["12345", "67890"]);
    expect(server.overloaded).toBe(false);
    server.send(["x"]);
    await world.settle();
    expect(server.overloaded).toBe(true);
    expect(client.received).toEqual([]);
    client.resume();
    await world.settle();
    expect(server.overloaded).toBe(false);
    expect(client.received).toEqual(["12345", "67890", "x"]);
    expect(calls).toEqual(["drained"]);
  });

  test("drained is not called when nothing was over the mark", async () => {
    const { world, server, client } = createPair({ overloadBytes: 10 });
    const calls = watch(server);
    server.send(["12345"]);
    await world.settle();
    expect(client.received).toEqual(["12345"]);
    expect(calls).toEqual([]);
  });

  test("a client that does not read its close is cut off", async () => {
    const { world, server, client } = createPair();
    const calls = watch(server);
    client.stall();
    server.send(["unread"]);
    server.close(CLOSE.goingAway, "");
    await world.advance(CLOSE_TIMEOUT_MS - 1);
    expect(calls).toEqual([]);
    await world.advance(1);
    expect(calls).toEqual([`closed ${CLOSE.goingAway}`]);
    expect(client.closed?.code).toBe(1006);
    expect(client.received).toEqual([]);
  });

  test("a frame over the limit closes the connection with 1009", async () => {
    const { world, server, client } = createPair();
    const calls = watch(server);
    client.send("x".repeat(MAX_FRAME_BYTES));
    client.send("é".repeat(MAX_FRAME_BYTES / 2 + 1));
    client.send("after");
    await world.settle();
    expect(calls.map((call) => call.slice(0, 11))).toEqual(["frame xxxxx", "closed 1009"]);
    expect(client.closed?.code).toBe(1009);
  });

  test("whatever is done to it: a prefix arrives in order, and each side is told of the end once, last", async () => {
    const step = fc.oneof(
      fc.constant("toClient" as const),
      fc.constant("toServer" as const),
      fc.constant("stall" as const),
      fc.constant("resume" as const),
      fc.constant("settle" as const),
    );
    const ending = fc.record({
      how: fc.constantFrom("drop", "clientClose", "serverClose"),
      keep: fc.nat({ max: 3 }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 30 }), ending, async (steps, { how, keep }) => {
        const { world, server, client } = createPair({ overloadBytes: 4 });
        const calls = watch(server);
        const seen: string[] = [];
        client.open({ frame: (text) => void seen.push(text), closed: () => void seen.push("closed") });
        const sent = { toClient: [] as string[], toServer: [] as string[] };
        for (const [index, name] of steps.entries()) {
          if (name === "toClient") {
            sent.toClient.push(`s${index}`);
            server.send([`s${index}`]);
          } else if (name === "toServer") {
            sent.toServer.push(`frame c${index}`);
            client.send(`c${index}`);
          } else if (name === "settle") await world.settle();
          else client[name]();
        }
        if (how === "drop") client.drop({ toClient: keep, toServer: keep });
        else if (how === "clientClose") client.close();
        else server.close(CLOSE.normal, "");
        client.resume();
        await world.settle();

        expect(seen.pop()).toBe("closed");
        expect(seen).toEqual(sent.toClient.slice(0, seen.length));
        expect(calls.pop()).toMatch(/^closed/);
        const frames = calls.filter((call) => call !== "drained");
        expect(frames).toEqual(sent.toServer.slice(0, frames.length));
        expect(world.pendingTimers).toBe(0);
        if (how !== "drop") expect(seen).toHaveLength(sent.toClient.length);
      }),
    );
  });
});
