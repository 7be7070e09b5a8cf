import { expect, it } from "vitest";
import { aChunk, aJob } from "../../stores/contract/rows.ts";
import { createMemoryStore } from "../../stores/memory/memory-store.ts";
import { createFakeWorld } from "../../testing/fake-world.ts";
import { readLog } from "./read-log.ts";

/** A log of so many entries, 256 to a chunk, of which the last one's kind is `t`. */
async function aLog(entries: number) {
  const store = createMemoryStore();
  const chunks = Array.from({ length: entries / 256 }, (_, index) => aChunk("a", index * 256 + 1, 256));
  const last = chunks.at(-1);
  if (last !== undefined) chunks[chunks.length - 1] = { ...last, kinds: `${last.kinds.slice(0, -1)}t` };
  await store.commit({ claims: [], rows: { jobs: [aJob("a")], chunks } });
  return store;
}

it("looks through a long log for what is rare in it a stretch at a time, and lets others have turns", async () => {
  const world = createFakeWorld();
  const entries = 65_536;
  const store = await aLog(entries);
  const asked: number[] = [];
  const reader: Pick<typeof store, "readChunks"> = {
    readChunks(query) {
      asked.push((query.upTo ?? Infinity) - query.after);
      return store.readChunks(query);
    },
  };
  let found: number[] | undefined;
  const reading = (async () => {
    const firstSeqs: number[] = [];
    const range = { job: "a", after: 0, upTo: entries, holding: "tT" };
    for await (const { firstSeq } of readLog(reader, world.timers, range)) firstSeqs.push(firstSeq);
    found = firstSeqs;
  })();
  for (let tick = 0; tick < 100; tick++) await Promise.resolve();
  expect(found).toBeUndefined();
  await world.settle();
  await reading;
  expect(found).toEqual([entries - 255]);
  expect(Math.max(...asked)).toBeLessThanOrEqual(16_384);
});
