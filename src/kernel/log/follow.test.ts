import { describe, expect, it, vi } from "vitest";
import type { JobHost } from "../agents-port.ts";
import type { Chunk } from "../ports.ts";
import { anAgent, createTestKernel, endless, say } from "../test-kernel.ts";
import { chunkAfter, endsLog } from "./follow.ts";

/** A kernel with one job whose log the test writes. */
async function setUp() {
  let host: JobHost | undefined;
  let finish = (): void => {};
  const scripted = anAgent("scripted", (given) => {
    host = given;
    return new Promise((resolve) => {
      finish = () => resolve({});
    });
  });
  const test = await createTestKernel({ agents: [scripted, endless] });
  const { job } = await test.submit("scripted");
  return {
    ...test,
    id: job.id,
    async say(count: number) {
      for (let entry = 0; entry < count; entry++) say(host as JobHost, String(entry));
      await test.world.settle();
    },
    async finish() {
      finish();
      await test.world.settle();
    },
    /** Reads in the background; `seqs` grows as entries come. */
    read(after: number, signal?: AbortSignal) {
      const seqs: number[] = [];
      const reader = { seqs, ended: false, failure: undefined as unknown };
      const chunks = test.kernel.follow(job.id, after, signal);
      void (async () => {
        for await (const chunk of chunks) seqs.push(...chunk.payloads.map((_, index) => chunk.firstSeq + index));
        reader.ended = true;
      })().catch((error: unknown) => {
        reader.failure = error;
      });
      return reader;
    },
  };
}

const upTo = (last: number, from = 1) => Array.from({ length: last - from + 1 }, (_, index) => from + index);

describe("following a job's log", () => {
  it("[law-no-gap-or-repeat] gives the history, then what comes, and ends with the terminal", async () => {
    const { read, say, finish, world } = await setUp();
    await say(3);
    const reader = read(0);
    await world.settle();
    expect(reader.seqs).toEqual(upTo(3));
    await say(2);
    expect(reader.seqs).toEqual(upTo(5));
    expect(reader.ended).toBe(false);
    await finish();
    expect([reader.seqs, reader.ended]).toEqual([upTo(6), true]);
  });

  it("begins after the position it is given, also within a chunk", async () => {
    const { read, say, finish } = await setUp();
    await say(10);
    const reader = read(7);
    await finish();
    expect(reader.seqs).toEqual([8, 9, 10, 11]);
  });

  it("reads a history of many pages", async () => {
    const { read, say, finish } = await setUp();
    for (let batch = 0; batch < 12; batch++) await say(300);
    await finish();
    const reader = read(0);
    await vi.waitFor(() => expect(reader.ended).toBe(true));
    expect(reader.seqs).toEqual(upTo(3_601));
  });

  it("ends at once for a reader that has the terminal already", async () => {
    const { read, say, finish, world } = await setUp();
    await say(2);
    await finish();
    const reader = read(3);
    await world.settle();
    expect([reader.seqs, reader.ended]).toEqual([[], true]);
  });

  it("waits at the head of an unfinished job", async () => {
    const { read, say, world } = await setUp();
    await say(2);
    const reader = read(2);
    await world.settle();
    expect(reader.ended).toBe(false);
    await say(1);
    expect(reader.seqs).toEqual([3]);
  });

  it("loses no entry that is committed while it reads", async () => {
    const { kernel, store, id, say, world } = await setUp();
    const read = store.readChunks.bind(store);
    let interrupt = true;
    vi.spyOn(store, "readChunks").mockImplementation(async (query) => {
      const page = await read(query);
      if (interrupt) {
        interrupt = false;
        await say(1);
      }
      return page;
    });
    const chunks = kernel.follow(id, 0);
    const first = chunks.next();
    await world.settle();
    expect((await first).value?.firstSeq).toBe(1);
    void chunks.return();
  });

  it("ends when its signal aborts, before or while it waits", async () => {
    const { read, say, world } = await setUp();
    await say(1);
    const controller = new AbortController();
    const reader = read(0, controller.signal);
    await world.settle();
    controller.abort();
    await world.settle();
    expect([reader.seqs, reader.ended]).toEqual([[1], true]);
    const late = read(0, controller.signal);
    await world.settle();
    expect([late.seqs, late.ended]).toEqual([[], true]);
  });

  it("leaves no listener on its signal and no watcher on the job", async () => {
    const { kernel, id, store, say, finish, world } = await setUp();
    const controller = new AbortController();
    const removed = vi.spyOn(controller.signal, "removeEventListener");
    const reads = vi.spyOn(store, "readChunks");
    for (let round = 0; round < 3; round++) {
      const chunks = kernel.follow(id, 0, controller.signal);
      const next = chunks.next();
      await say(1);
      await next;
      await chunks.return();
    }
    expect(removed).toHaveBeenCalledTimes(3);
    reads.mockClear();
    await say(1);
    await finish();
    await world.settle();
    expect(reads).not.toHaveBeenCalled();
  });

  it("gives many followers the same, and a slow one costs the job and the others nothing", async () => {
    const { kernel, id, read, say, finish, world, stored } = await setUp();
    const slow = kernel.follow(id, 0);
    await say(1);
    await slow.next();
    const readers = Array.from({ length: 50 }, () => read(0));
    for (let batch = 0; batch < 5; batch++) await say(400);
    await finish();
    expect((await stored(id)).status).toBe("success");
    for (const reader of readers) {
      await vi.waitFor(() => expect(reader.ended).toBe(true));
      expect(reader.seqs).toEqual(upTo(2_002));
    }
    const seen = [1];
    for await (const chunk of slow) seen.push(...chunk.payloads.map((_, index) => chunk.firstSeq + index));
    await world.settle();
    expect(seen).toEqual(upTo(2_002));
  });

  it("fails when the store cannot be read, and leaves no watcher", async () => {
    const { store, read, say, world } = await setUp();
    await say(1);
    const reads = vi.spyOn(store, "readChunks").mockRejectedValue(new Error("unreadable"));
    const reader = read(0);
    await world.settle();
    expect(reader.failure).toMatchObject({ message: "unreadable" });
    reads.mockClear();
    await say(1);
    expect(reads).not.toHaveBeenCalled();
  });
});

describe("a chunk", () => {
  const chunk: Chunk = { job: "job_1", firstSeq: 5, kinds: "lsR", payloads: ["a", "b", "c"] };

  it("can be cut after a position", () => {
    expect(chunkAfter(chunk, 3)).toBe(chunk);
    expect(chunkAfter(chunk, 4)).toBe(chunk);
    expect(chunkAfter(chunk, 5)).toEqual({ job: "job_1", firstSeq: 6, kinds: "sR", payloads: ["b", "c"] });
    expect(chunkAfter(chunk, 6)).toEqual({ job: "job_1", firstSeq: 7, kinds: "R", payloads: ["c"] });
    expect(chunkAfter(chunk, 7)).toBeUndefined();
  });

  it("ends its log when its last entry is a terminal", () => {
    expect([endsLog(chunk), endsLog({ ...chunk, kinds: "lsE" }), endsLog({ ...chunk, kinds: "lsr" })]).toEqual([
      true,
      true,
      false,
    ]);
  });
});
