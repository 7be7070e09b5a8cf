import fc from "fast-check";
import { expect, it } from "vitest";
import { EventQueue } from "./event-queue.ts";

const same = (value: number): number => value;

function createQueue(limit = 1_000_000): EventQueue<number, number> {
  return new EventQueue(limit, same);
}

async function readAll(reader: AsyncIterable<number>): Promise<number[]> {
  const values: number[] = [];
  for await (const value of reader) values.push(value);
  return values;
}

it("gives every reader everything from the first event, whenever it begins", async () => {
  const queue = createQueue();
  const early = readAll(queue.open());
  queue.push(1, 10);
  queue.push(2, 10);
  const late = readAll(queue.open());
  queue.push(3, 10);
  queue.end();
  const after = readAll(queue.open());
  expect(await Promise.all([early, late, after])).toEqual([
    [1, 2, 3],
    [1, 2, 3],
    [1, 2, 3],
  ]);
});

it("answers calls to next in their order, also when several wait", async () => {
  const queue = createQueue();
  const reader = queue.open();
  const calls = [reader.next(), reader.next(), reader.next()];
  queue.push(1, 10);
  queue.push(2, 10);
  queue.end();
  expect(await Promise.all(calls)).toEqual([
    { done: false, value: 1 },
    { done: false, value: 2 },
    { done: true, value: undefined },
  ]);
});

it("ends a reader that is returned, and leaves the others", async () => {
  const queue = createQueue();
  const left = queue.open();
  const waiting = left.next();
  const other = readAll(queue.open());
  await left.return?.();
  queue.push(1, 10);
  queue.end();
  expect(await waiting).toEqual({ done: true, value: undefined });
  expect(await left.next()).toEqual({ done: true, value: undefined });
  expect(await other).toEqual([1]);
});

it("tells a reader what failed once it has read what came before", async () => {
  const queue = createQueue();
  const waiting = readAll(queue.open());
  queue.push(1, 10);
  const failure = new Error("gone");
  queue.fail(failure);
  await expect(waiting).rejects.toBe(failure);
  const late = queue.open();
  expect(await late.next()).toEqual({ done: false, value: 1 });
  await expect(late.next()).rejects.toBe(failure);
  expect(await late.next()).toEqual({ done: true, value: undefined });
});

it("rejects a reader with its signal's reason, waiting or not", async () => {
  const queue = createQueue();
  const controller = new AbortController();
  const reader = queue.open(controller.signal);
  const waiting = reader.next();
  const reason = new Error("enough");
  controller.abort(reason);
  await expect(waiting).rejects.toBe(reason);
  await expect(reader.next()).rejects.toBe(reason);
});

it("never skips an event: a reader that lags behind what is kept fails, with how many it lost", async () => {
  const queue = createQueue(2_000);
  const slow = queue.open();
  expect((await Promise.all([slow.next(), queue.push(0, 144)]))[0]).toEqual({ done: false, value: 0 });
  // Each takes 400 with its overhead, so that five fit.
  for (let value = 1; value < 20; value++) queue.push(value, 144);
  await expect(slow.next()).rejects.toMatchObject({ code: "EVENTS_LOST", details: { lost: 14 } });
  await expect(queue.open().next()).rejects.toMatchObject({ code: "EVENTS_LOST", details: { lost: 15 } });
});

it("keeps the newest event even when it alone is over the limit", async () => {
  const queue = createQueue(100);
  const reader = queue.open();
  const call = reader.next();
  queue.push(1, 10_000);
  expect(await call).toEqual({ done: false, value: 1 });
});

it("gives each reader a run without gaps, however pushes and reads are mixed", async () => {
  const steps = fc.array(fc.oneof(fc.constant("push" as const), fc.nat({ max: 2 })), { maxLength: 4_000 });
  await fc.assert(
    fc.asyncProperty(steps, fc.integer({ min: 1_000, max: 1_000_000 }), async (mix, limit) => {
      const queue = createQueue(limit);
      const readers = [queue.open(), queue.open(), queue.open()];
      const read: number[][] = [[], [], []];
      let pushed = 0;
      for (const step of mix) {
        if (step === "push") {
          queue.push(pushed++, 10);
        } else {
          readers[step]?.next().then(
            ({ done, value }) => done || read[step]?.push(value),
            () => undefined,
          );
        }
      }
      queue.end();
      await new Promise<void>((resolve) => queueMicrotask(resolve));
      for (const values of read) expect(values).toEqual(values.map((_, index) => index));
    }),
  );
});
