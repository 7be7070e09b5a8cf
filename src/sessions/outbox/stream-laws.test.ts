/** Random interleavings of jobs, sessions, drops, stalls, crashes and a slow store: what holds of every stream. */
import * as fc from "fast-check";
import { expect, it } from "vitest";
import { defineAgent } from "../../agents/define-agent.ts";
import type { JsonObject } from "../../protocol/fields.ts";
import { createMemoryStore, type MemoryStore } from "../../stores/memory/memory-store.ts";
import { createFakeWorld, type FakeWorld } from "../../testing/fake-world.ts";
import { isOnLog, type Sequenced } from "../test-client.ts";
import { TestRuntime } from "../test-runtime.ts";
import { TestSession } from "../test-session.ts";
import { createSlowStore } from "../test-slow-store.ts";
import { streamProblems } from "../test-stream-laws.ts";

/** One session with everything, and two from which kinds of events are hidden. */
const FEATURES: readonly (readonly string[] | undefined)[] = [
  undefined,
  ["subscribe", "ack"],
  ["subscribe", "progress"],
];
const OVERLOAD_BYTES = 4_000;

/** Delegates to others of its kind, and to `flood`, and leaves some of them running when it returns. */
const family = defineAgent({
  name: "family",
  version: "1.0.0",
  run: async (ctx, input) => {
    const { n, every } = input as { n: number; every: number };
    for (let child = 0; child < n % 4; child++) {
      const agent = child % 2 === 0 ? "flood" : "family";
      const below = await ctx.delegate(agent, { n: n >> 1, every }, { lease: { "agent.delegate": ["*"] } });
      if (every % 2 === 0) await below.result();
      await ctx.log(`child ${child}`);
    }
    return n;
  },
});

const on = fc.nat({ max: FEATURES.length - 1 });
const size = fc.oneof({ weight: 6, arbitrary: fc.nat({ max: 40 }) }, { weight: 1, arbitrary: fc.constant(1_200) });
const steps = fc.array(
  fc.oneof(
    { weight: 5, arbitrary: fc.record({ type: fc.constant("submit" as const), on, n: size, repeats: fc.boolean() }) },
    { weight: 3, arbitrary: fc.record({ type: fc.constant("drop" as const), on, arriving: fc.nat({ max: 30 }) }) },
    { weight: 4, arbitrary: fc.record({ type: fc.constant("connect" as const), on }) },
    { weight: 2, arbitrary: fc.record({ type: fc.constant("subscribe" as const), on, nth: fc.nat() }) },
    { weight: 1, arbitrary: fc.record({ type: fc.constant("acknowledge" as const), on }) },
    { weight: 1, arbitrary: fc.record({ type: fc.constant("stall" as const), on }) },
    { weight: 2, arbitrary: fc.record({ type: fc.constant("read" as const), on }) },
    { weight: 1, arbitrary: fc.record({ type: fc.constant("crash" as const) }) },
    { weight: 8, arbitrary: fc.record({ type: fc.constant("wait" as const), turns: fc.integer({ min: 1, max: 12 }) }) },
  ),
  { minLength: 5, maxLength: 60 },
);
type Step = typeof steps extends fc.Arbitrary<(infer Value)[]> ? Value : never;

interface Submission {
  readonly on: number;
  readonly payload: {
    readonly agent: string;
    readonly input: unknown;
    readonly lease_request: JsonObject;
    readonly idempotency_key: string;
  };
}

class Scene {
  readonly world: FakeWorld;
  readonly sessions: TestSession[] = [];
  readonly #turns: number;
  readonly #submissions: Submission[] = [];
  readonly #runtimes: TestRuntime[] = [];
  readonly #subscribed = new Set<string>();
  #store: MemoryStore = createMemoryStore();

  constructor(seed: number, turns: number) {
    this.world = createFakeWorld({ seed });
    this.#turns = turns;
  }

  get store(): MemoryStore {
    return this.#store;
  }

  /** It has a job by a subscription: what that delegates does not come along. */
  wasSubscribed(on: number, job: string): boolean {
    return this.#subscribed.has(`${on} ${job}`);
  }

  get errors(): readonly string[] {
    return this.#runtimes.flatMap(({ errors }) => errors);
  }

  async start(): Promise<void> {
    const store = createSlowStore(this.#store, this.world, this.#turns);
    this.#runtimes.push(await new TestRuntime({ world: this.world, store, agents: [family] }).begin());
    if (this.sessions.length > 0) return;
    for (const features of FEATURES) {
      const options = { overloadBytes: OVERLOAD_BYTES, ...(features === undefined ? {} : { features }) };
      this.sessions.push(new TestSession(() => this.#runtimes.at(-1) as TestRuntime, options));
    }
  }

  /** Does everything in its turn, in the middle of whatever is under way. */
  async play(all: readonly Step[]): Promise<void> {
    for (const step of all) {
      if (step.type === "wait") await this.#wait(step.turns);
      else if (step.type === "crash") await this.#crash();
      else this.#do(step, this.#session(step.on));
    }
  }

  #do(step: Exclude<Step, { type: "wait" | "crash" }>, session: TestSession): void {
    const { client } = session;
    switch (step.type) {
      case "submit":
        return this.#submit(step.on, step.n, step.repeats);
      case "drop":
        return client.line.drop({ toClient: step.arriving });
      case "connect":
        return this.#connect(session);
      case "subscribe":
        return this.#subscribe(step.on, step.nth);
      case "acknowledge":
        return void client.send("session.ack", { last_processed_seq: session.point?.last_event_seq ?? 0 });
      case "stall":
        return client.line.stall();
      case "read":
        return client.line.resume();
    }
  }

  /** Every session connected and reading, and every submission made that was lost on its way. */
  async finish(): Promise<void> {
    for (const session of this.sessions) {
      session.client.line.resume();
      session.client.line.drop();
    }
    await this.world.settle();
    for (const session of this.sessions) session.connect();
    await this.world.settle();
    for (const { on, payload } of this.#submissions) this.#session(on).client.send("job.submit", payload);
    // A result that is put together waits through more promises than one settling does.
    for (let rounds = 0; rounds < 5; rounds++) await this.world.settle();
  }

  async close(): Promise<void> {
    for (const runtime of this.#runtimes) await runtime.close();
  }

  #session(index: number): TestSession {
    return this.sessions[index] as TestSession;
  }

  #connect(session: TestSession): void {
    if (session.client.line.closed === undefined && this.world.drawInt(4) > 0) return;
    session.client.line.resume();
    session.connect();
  }

  #submit(on: number, n: number, repeats: boolean): void {
    const before = repeats ? this.#submissions[this.world.drawInt(this.#submissions.length + 1)] : undefined;
    const payload = before?.payload ?? {
      // Its result comes in chunks, or, where a session sees none, has to be put together.
      agent: n % 5 === 0 ? "streamer" : n % 5 === 1 ? "family" : "flood",
      input: { n, every: 1 + this.world.drawInt(9) },
      lease_request: { "agent.delegate": ["*"] },
      idempotency_key: `key-${this.#submissions.length}`,
    };
    this.#submissions.push({ on, payload });
    this.#session(on).client.send("job.submit", payload);
  }

  /** To a job this session has no other claim to: what it asks for again, it would get again. */
  #subscribe(on: number, nth: number): void {
    const foreign = jobsIn(this.sessions.flatMap(({ events }) => events)).filter(
      (job) => !this.#subscribed.has(`${on} ${job}`) && this.#session(on).eventsOf(job).length === 0,
    );
    const job = foreign[nth % foreign.length];
    if (job === undefined || this.#submissions.some((submission) => submission.on === on)) return;
    this.#subscribed.add(`${on} ${job}`);
    this.#session(on).client.send("job.subscribe", { job_id: job, history: true });
  }

  async #wait(turns: number): Promise<void> {
    for (let left = turns; left > 0; left--) {
      await new Promise<void>((resolve) => this.world.timers.soon(resolve));
    }
  }

  /** Another process on what is durable now. The old one goes on, as a ghost without clients, on a store of its own. */
  async #crash(): Promise<void> {
    for (const { client } of this.sessions) {
      client.line.resume();
      client.line.drop();
    }
    this.#store = createMemoryStore(this.#store.snapshot());
    await this.#wait(2);
    await this.start();
  }
}

/** What `work` comes to, while the world's turns go by. */
async function settled(world: FakeWorld, work: Promise<void>): Promise<void> {
  let done = false;
  const noted = work.finally(() => {
    done = true;
  });
  noted.catch(() => {});
  for (let rounds = 0; rounds < 1_000 && !done; rounds++) await world.settle();
  if (!done) throw new Error("the world came to rest with work left");
  await noted;
}

async function entriesOf(store: MemoryStore, job: string): Promise<number> {
  return (await store.readHeads([job])).get(job) ?? 0;
}

function jobsIn(events: readonly Sequenced[]): string[] {
  return [...new Set(events.map(({ job_id }) => job_id))];
}

it("every stream is whole, whatever happens when [law-no-gap-or-repeat] [law-no-event-lost] [law-one-terminal] [arcp-8.3-monotonic-gap-free]", async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer(), fc.nat({ max: 4 }), steps, async (seed, turns, all) => {
      const scene = new Scene(seed, turns);
      await settled(scene.world, scene.start());
      await settled(scene.world, scene.play(all));
      await scene.finish();

      expect(scene.errors).toEqual([]);
      for (const [index, session] of scene.sessions.entries()) {
        const { events } = session;
        for (const { payload } of events) {
          if ("result_size" in payload && index > 0) expect(payload.result).toBe("one two three");
          else if ("result_size" in payload) expect(payload.result_id).toMatch(/^res_/);
        }
        const { placed } = session;
        expect(streamProblems(placed, { hides: index > 0 })).toEqual([]);
        const children = placed.flatMap(({ type, job_id }) => (type === "job.accepted" ? [job_id] : []));
        expect(new Set(children).size).toBe(children.length);
        const toldOf = placed.flatMap((frame, at) => {
          if (frame.type !== "job.event" || frame.payload.kind !== "delegate") return [];
          if (index > 0 || scene.wasSubscribed(index, frame.job_id)) return [];
          const { child_job_id: child } = frame.payload.body;
          expect(placed[at + 1]).toMatchObject({ type: "job.accepted", job_id: child });
          return [String(child)];
        });
        expect(children).toEqual(toldOf);
        const accepted = session.replies.flatMap(({ type, job_id }) => (type === "job.accepted" ? [job_id] : []));
        const ended = events.flatMap(({ type, job_id }) => (type === "job.event" ? [] : [job_id]));
        for (const job of [...accepted, ...children]) expect(ended).toContain(job);
        for (const job of jobsIn(events)) {
          const last = session.eventsOf(job).findLast(isOnLog);
          expect(last?.payload.job_seq).toBe(await entriesOf(scene.store, job));
        }
      }
      await scene.close();
    }),
    { numRuns: 100 },
  );
});
