/** What every transport's `Connection` must do, as tests: see `connection.test.ts`. */
import { describe, expect, test } from "vitest";
import { createSystemWorld } from "../platform/system-world.ts";
import { CLOSE, MAX_FRAME_BYTES } from "../protocol/framing.ts";
import { type Connection, OVERLOAD_BYTES } from "./connection.ts";
import { MAX_UNSENT_BYTES } from "./limits.ts";
import { createQueue, watchConnection } from "./websocket-test-server.ts";

const { soon } = createSystemWorld().timers;

/** The other end of a connection. */
export interface TestPeer {
  send(text: string): void;
  /** The next frame that arrived. */
  next(): Promise<string>;
  /** Stops reading. */
  stall(): void;
  resume(): void;
  /** Goes away without a word. */
  leave(): void;
  /** Resolves once the peer knows that the connection is gone. */
  readonly gone: Promise<unknown>;
}

export interface OpenedConnection extends AsyncDisposable {
  readonly connection: Connection;
  readonly peer: TestPeer;
}

export function describeConnection(name: string, connect: () => Promise<OpenedConnection>): void {
  describe(`${name} keeps the connection contract`, () => {
    test("frames arrive whole and in order, both ways, whatever is in them", async () => {
      await using opened = await connect();
      const { connection, peer } = opened;
      const calls = watchConnection(connection);
      const texts = ["{}", "größer 日本語 🜁", "x".repeat(70_000), '"\\u2028"', "last"];
      for (const text of texts) peer.send(text);
      connection.send(texts.slice(0, 2));
      for (const text of texts.slice(2)) connection.send([text]);
      for (const text of texts) expect(await calls.next()).toBe(text);
      for (const text of texts) expect(await peer.next()).toBe(text);
    });

    test("frames that came before open are delivered first, and nothing before a later turn", async () => {
      await using opened = await connect();
      opened.peer.send("early");
      opened.connection.send(["greeting"]);
      expect(await opened.peer.next()).toBe("greeting");
      let isLater = false;
      const seen = createQueue<[string, boolean]>();
      watchConnection(opened.connection, { frame: (text) => seen.put([text, isLater]) });
      isLater = true;
      opened.peer.send("late");
      expect(await seen.next()).toEqual(["early", true]);
      expect(await seen.next()).toEqual(["late", true]);
    });

    test("a close leaves after what was queued, is told once, and ends both directions", async () => {
      await using opened = await connect();
      const { connection, peer } = opened;
      const calls = watchConnection(connection);
      connection.send(["last words"]);
      connection.close(CLOSE.superseded, "resumed elsewhere");
      connection.close(CLOSE.normal, "again");
      connection.send(["ignored"]);
      peer.send("ignored");
      expect(await peer.next()).toBe("last words");
      await peer.gone;
      expect(await calls.next()).toBe(`closed ${CLOSE.superseded}`);
      connection.send(["ignored"]);
      connection.close(CLOSE.normal, "gone already");
    });

    test("a peer that leaves is told of once, and then nothing more is", async () => {
      await using opened = await connect();
      const { connection, peer } = opened;
      const calls = watchConnection(connection);
      peer.send("before");
      expect(await calls.next()).toBe("before");
      peer.leave();
      expect(await calls.next()).toMatch(/^closed 10\d\d$/);
      connection.send(["ignored"]);
      connection.close(CLOSE.normal, "ignored");
    });

    test("a slow reader overloads the connection, and it drains once when the peer reads", async () => {
      await using opened = await connect();
      const { connection, peer } = opened;
      const calls = watchConnection(connection);
      peer.stall();
      expect(connection.overloaded).toBe(false);
      const page = "y".repeat(OVERLOAD_BYTES / 4);
      let sent = 0;
      // What lies between takes some, too, before it takes no more.
      while (!connection.overloaded && sent < 60) {
        connection.send([page]);
        sent += 1;
        await new Promise<void>((resolve) => soon(resolve));
      }
      expect(connection.overloaded).toBe(true);
      peer.resume();
      expect(await calls.next()).toBe("drained");
      expect(connection.overloaded).toBe(false);
      for (let received = 0; received < sent; received++) expect(await peer.next()).toBe(page);
      peer.send("after");
      expect(await calls.next()).toBe("after");
    });

    test("a frame of exactly the limit passes; a longer one closes with 1009, and what follows is not delivered", async () => {
      await using opened = await connect();
      const { connection, peer } = opened;
      const calls = watchConnection(connection);
      peer.send("é".repeat(MAX_FRAME_BYTES / 2));
      expect((await calls.next()).length).toBe(MAX_FRAME_BYTES / 2);
      peer.send(`${"é".repeat(MAX_FRAME_BYTES / 2)}x`);
      peer.send("after");
      expect(await calls.next()).toBe("closed 1009");
      await peer.gone;
    });
  });
}

/** For transports with a socket or pipe in between, whose buffers are the operating system's. */
export function describeBoundedConnection(name: string, connect: () => Promise<OpenedConnection>): void {
  test(`${name}: a peer that never reads is cut off before it makes us hold more than the limit`, async () => {
    await using opened = await connect();
    const { connection, peer } = opened;
    const calls = watchConnection(connection);
    peer.stall();
    const page = "z".repeat(MAX_UNSENT_BYTES / 4);
    for (let sent = 0; sent < 5; sent++) connection.send([page]);
    expect(await calls.next()).toBe("closed 1008");
    connection.send(["ignored"]);
    expect(connection.overloaded).toBe(false);
  });
}
