import { once } from "node:events";
import { createServer, get, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { createSystemWorld } from "../platform/system-world.ts";
import { createFakeWorld } from "../testing/fake-world.ts";
import { STALLED_READER_MS } from "./long-answers.ts";
import { sendLines } from "./ndjson.ts";

/** What sockets do takes as long as it takes. */
const until = <Result>(check: () => Result | Promise<Result>) => vi.waitFor(check, { timeout: 30_000 });

/** An answer over a real socket, whose reader reads only when the test does. */
async function anAnswer() {
  const server = createServer((request, response) => server.emit("asked", request, response));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const asked = once(server, "asked");
  const request = get({ port: (server.address() as AddressInfo).port });
  const [, response] = (await asked) as [unknown, ServerResponse];
  response.writeHead(200);
  response.flushHeaders();
  const [incoming] = (await once(request, "response")) as [IncomingMessage];
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  const fake = createFakeWorld();
  const timers = { ...fake.timers, soon: createSystemWorld().timers.soon };
  return { response, incoming: incoming.setEncoding("utf8"), timers, world: fake };
}

describe("lines to a reader", () => {
  it("leave in one write when they come in one turn", async () => {
    const { response, incoming, timers } = await anAnswer();
    const write = vi.spyOn(response, "write");
    const source = async function* () {
      for (let index = 0; index < 10; index++) yield `${index}\n`;
    };
    await sendLines(response, source(), timers, new AbortController().signal);
    expect(write.mock.calls.map(([text]) => text)).toEqual(["0\n1\n2\n3\n4\n5\n6\n7\n8\n9\n"]);
    expect((await incoming.toArray()).join("")).toBe("0\n1\n2\n3\n4\n5\n6\n7\n8\n9\n");
  });

  it("are all sent before the answer ends because its source failed", async () => {
    const { response, incoming, timers, world } = await anAnswer();
    const source = async function* () {
      yield "one\n";
      throw new Error("broken");
    };
    await expect(sendLines(response, source(), timers, new AbortController().signal)).rejects.toThrow("broken");
    expect((await incoming.toArray()).join("")).toBe("one\n");
    expect(world.pendingTimers).toBe(0);
  });

  it("wait for no reader that is behind once they have to end, and the reader is given up later", async () => {
    const { response, incoming, timers, world } = await anAnswer();
    const ending = new AbortController();
    let pieces = 0;
    const source = async function* () {
      while (!ending.signal.aborted) {
        pieces++;
        yield `${"x".repeat(1_000_000)}\n`;
      }
      yield "the end\n";
    };
    const sent = sendLines(response, source(), timers, ending.signal);
    let before = -1;
    await until(() => {
      const still = pieces === before;
      before = pieces;
      expect(still).toBe(true);
    });
    ending.abort();
    await sent;
    expect(response.writableFinished).toBe(false);
    const gone = once(incoming, "error");
    await world.advance(STALLED_READER_MS);
    incoming.resume();
    await gone;
    expect(response.destroyed).toBe(true);
  });

  it("stop when the reader leaves", async () => {
    const { response, incoming, timers, world } = await anAnswer();
    let ended = false;
    const source = async function* () {
      try {
        for (;;) yield `${"x".repeat(100_000)}\n`;
      } finally {
        ended = true;
      }
    };
    const sent = sendLines(response, source(), timers, new AbortController().signal);
    incoming.on("error", () => {});
    incoming.destroy();
    await sent;
    expect([ended, world.pendingTimers]).toEqual([true, 0]);
  });
});
