/** A thousand subscriptions at random moments of floods: each gets its part of the log, without gap or repeat. */
import { expect, it } from "vitest";
import { createMemoryStore } from "../../stores/memory/memory-store.ts";
import { createFakeWorld, type FakeWorld } from "../../testing/fake-world.ts";
import type { TestClient } from "../test-client.ts";
import { TestRuntime } from "../test-runtime.ts";
import { createSlowStore } from "../test-slow-store.ts";

const SEEDS = 25;
const WATCHERS = 40;
const ENTRIES = 150;
/** Turns of the event loop in which subscriptions are sent: about as many as the flood takes. */
const MOMENTS = 600;

interface Reading {
  /** `subscribed_from` of the answer; undefined before it. */
  from: number | undefined;
  readonly eventSeqs: number[];
  readonly jobSeqs: number[];
  terminal: boolean;
}

function watch(client: TestClient): Reading {
  const reading: Reading = { from: undefined, eventSeqs: [], jobSeqs: [], terminal: false };
  client.line.open({
    frame(text) {
      const { type, event_seq, payload } = JSON.parse(text);
      if (type === "job.subscribed") reading.from = payload.subscribed_from;
      if (event_seq === undefined) return;
      // An event ahead of the answer would be at a place of its own.
      expect(reading.from).toBeDefined();
      expect(reading.terminal).toBe(false);
      reading.eventSeqs.push(event_seq);
      reading.jobSeqs.push(payload.job_seq);
      reading.terminal = type !== "job.event";
    },
    closed() {},
  });
  return reading;
}

const count = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, at) => from + at);

/** What `work` comes to, while the world's turns go by. */
async function played<Value>(world: FakeWorld, work: Promise<Value>): Promise<Value> {
  let done = false;
  const noted = work.finally(() => {
    done = true;
  });
  noted.catch(() => {});
  for (let rounds = 0; rounds < 1_000 && !done; rounds++) await world.settle();
  if (!done) throw new Error("the world came to rest with work left");
  return noted;
}

/** One flood, watched from as many moments as there are watchers. */
async function watchFlood(seed: number): Promise<Reading[]> {
  const world = createFakeWorld({ seed });
  const memory = createMemoryStore();
  const turn = (): Promise<void> => new Promise((resolve) => world.timers.soon(resolve));
  const rest = async (): Promise<void> => {
    for (let round = 0; round < 20; round++) await world.settle();
  };
  const runtime = new TestRuntime({ world, store: createSlowStore(memory, world, seed % 4) });
  await played(world, runtime.begin());
  const [source, ...clients] = Array.from({ length: WATCHERS + 1 }, () => runtime.connect());
  for (const client of [source as TestClient, ...clients]) client.hello();
  await rest();
  const watchers = clients.map((client) => ({ client, at: world.drawInt(MOMENTS), reading: watch(client) }));

  const play = async (): Promise<void> => {
    source?.send("job.submit", { agent: "flood", input: { n: ENTRIES, every: 1 + (seed % 5) } });
    let job_id: string | undefined;
    while (job_id === undefined) {
      await turn();
      job_id = (await memory.listJobs({ principals: ["tests/ann"], limit: 1 })).jobs[0]?.id;
    }
    for (let moment = 0; moment < MOMENTS; moment++) {
      for (const { client, at } of watchers) {
        if (at !== moment) continue;
        const from = world.drawInt(4) * 40;
        client.send("job.subscribe", {
          job_id,
          history: world.drawInt(2) === 0,
          ...(from > 0 && { from_job_seq: from }),
        });
      }
      await turn();
    }
  };
  await played(world, play());
  await rest();
  await played(world, runtime.close());
  expect(runtime.errors).toEqual([]);
  return watchers.map(({ reading }) => reading);
}

it("subscribing at a thousand random moments of a flood leaves neither gap nor repeat [reading-subscribe-order] [law-no-gap-or-repeat]", async () => {
  const begun = new Set<number>();
  let amid = 0;
  for (let seed = 1; seed <= SEEDS; seed++) {
    for (const { from = -1, eventSeqs, jobSeqs, terminal } of await watchFlood(seed)) {
      expect(from, `seed ${seed}`).toBeGreaterThanOrEqual(0);
      expect(eventSeqs, `seed ${seed}`).toEqual(count(1, eventSeqs.length));
      expect(jobSeqs, `seed ${seed}`).toEqual(count(from + 1, ENTRIES + 1));
      expect(terminal || from === ENTRIES + 1, `seed ${seed}`).toBe(true);
      begun.add(from);
      if (from > 0 && from <= ENTRIES && from % 40 !== 0) amid++;
    }
  }
  // They came at many moments, and enough of them in the midst of it.
  expect(begun.size).toBeGreaterThan(50);
  expect(amid).toBeGreaterThan((SEEDS * WATCHERS) / 10);
});
