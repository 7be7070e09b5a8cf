/**
 * The kernel's laws under whatever comes: jobs that emit, end, are stopped or run out of time, while commits are held,
 * fail, and the process dies in between. fast-check prints the seed and the shortest story that breaks one.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { CodedError } from "../protocol/errors.ts";
import type { AgentReturn, JobHost, RunnableAgent } from "./agents-port.ts";
import { isTerminal } from "./job/job-state.ts";
import { anAgent, createTestKernel, ME, say, type TestKernel } from "./test-kernel.ts";

type Step =
  | {
      readonly type: "submit";
      readonly agent: "once" | "again";
      readonly key: string | undefined;
      readonly limit: boolean;
    }
  | { readonly type: "emit"; readonly which: number; readonly count: number }
  | { readonly type: "flush" | "step" | "return" | "throw" | "cancel"; readonly which: number }
  | { readonly type: "advance"; readonly ms: number }
  | { readonly type: "hold" | "release" | "fail" | "settle" }
  | { readonly type: "crash"; readonly downMs: number; readonly survivors: number };

const which = fc.nat(20);
const STEP: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      type: fc.constant("submit"),
      agent: fc.constantFrom("once", "again"),
      key: fc.option(fc.constantFrom("k1", "k2"), { nil: undefined }),
      limit: fc.boolean(),
    }),
  },
  { weight: 6, arbitrary: fc.record({ type: fc.constant("emit"), which, count: fc.constantFrom(1, 3, 300, 700) }) },
  { weight: 5, arbitrary: fc.record({ type: fc.constantFrom("flush", "step", "return", "throw", "cancel"), which }) },
  { weight: 5, arbitrary: fc.record({ type: fc.constant("settle") }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant("advance"), ms: fc.constantFrom(1, 1_000, 5_000) }) },
  { weight: 3, arbitrary: fc.record({ type: fc.constantFrom("hold", "release", "fail") }) },
  {
    weight: 1,
    arbitrary: fc.record({ type: fc.constant("crash"), downMs: fc.constantFrom(0, 20_000), survivors: fc.nat(2) }),
  },
);

/** One attempt that was started, and how the test ends it. */
interface Puppet {
  readonly host: JobHost;
  readonly end: PromiseWithResolvers<AgentReturn>;
}

class Story {
  test!: TestKernel;
  puppets: Puppet[] = [];
  /** What was said to be so outside. */
  readonly accepted = new Set<string>();
  readonly cancelled = new Set<string>();
  /** Messages whose flush was answered, by job. */
  readonly flushed = new Map<string, string[]>();
  readonly keys = new Map<string, string>();
  /** What followers were shown, by job and position. */
  readonly seen = new Map<string, Map<number, string>>();
  /** Promises of the process that lives now, and how many of them are open. */
  open = 0;
  #life = 0;
  #flushes = 0;

  async run(steps: readonly Step[]): Promise<void> {
    this.test = await createTestKernel({ agents: this.#agents() });
    for (const step of steps) await this.#take(step);
    await this.#conclude();
  }

  async #take(step: Step): Promise<void> {
    const { test } = this;
    const lives = this.#thisLife();
    const puppet = "which" in step ? this.puppets[step.which % Math.max(this.puppets.length, 1)] : undefined;
    switch (step.type) {
      case "submit":
        this.#track(
          test.kernel.submit(
            {
              principal: ME,
              session: null,
              agent: step.agent,
              input: null,
              ...(step.key === undefined ? {} : { idempotencyKey: `${step.key} of ${step.agent}` }),
              ...(step.limit && step.key === undefined ? { maxRuntimeSec: 10 } : {}),
            },
            ({ job, repeated }) => {
              if (!lives()) return;
              const slot = step.key === undefined ? job.id : `${step.key} of ${step.agent}`;
              const before = this.keys.get(slot);
              expect(before ?? job.id).toBe(job.id);
              if (before !== undefined) expect(repeated).toBe(true);
              this.keys.set(slot, job.id);
              this.accepted.add(job.id);
              if (!repeated) this.#follow(job.id);
            },
          ),
        );
        break;
      case "emit":
        if (puppet === undefined) break;
        for (let entry = 0; entry < step.count; entry++) {
          const room = refusable(() => say(puppet.host, "x"));
          if (room !== undefined) this.#track(room);
        }
        break;
      case "flush":
      case "step": {
        if (puppet === undefined) break;
        const { host } = puppet;
        const message = `flush ${this.#flushes++}`;
        refusable(() => say(host, message));
        const durable = refusable(() => (step.type === "flush" ? host.flush() : host.recordStep("s", "1")));
        if (durable === undefined) break;
        this.#track(
          durable.then(() => {
            if (!lives()) return;
            this.flushed.set(host.job.id, [...(this.flushed.get(host.job.id) ?? []), message]);
          }),
        );
        break;
      }
      case "return":
        puppet?.end.resolve({ result: "1" });
        break;
      case "throw":
        puppet?.end.reject(new Error("thrown by the test"));
        break;
      case "cancel": {
        const job = puppet?.host.job.id;
        if (job === undefined) break;
        this.#track(
          test.kernel.cancel({ job }, ({ status }) => {
            expect(isTerminal(status)).toBe(true);
            if (lives() && status === "cancelled") this.cancelled.add(job);
          }),
        );
        break;
      }
      case "settle":
        await test.world.settle();
        break;
      case "advance":
        await test.world.advance(step.ms);
        break;
      case "hold":
        test.store.hold();
        break;
      case "release":
        test.store.release();
        break;
      case "fail":
        test.store.failNext();
        break;
      case "crash":
        await this.#crash(step.downMs, step.survivors);
        break;
    }
  }

  async #crash(downMs: number, survivors: number): Promise<void> {
    this.#life++;
    this.open = 0;
    this.puppets = [];
    this.test = await this.test.crash({ downMs, agents: this.#agents(), survives: (nth) => nth < survivors });
    for (const job of this.accepted) this.#follow(job);
  }

  #agents(): readonly RunnableAgent[] {
    const lives = this.#thisLife();
    return (["once", "again"] as const).map((name) => {
      const run = (host: JobHost): Promise<AgentReturn> => {
        const end = Promise.withResolvers<AgentReturn>();
        if (lives()) this.puppets.push({ host, end });
        return end.promise;
      };
      return anAgent(name, run, { restart: name === "once" ? "never" : "always" });
    });
  }

  /** Ends everything, and holds the laws against what is left. */
  async #conclude(): Promise<void> {
    const { test } = this;
    test.store.release();
    for (let round = 0; round < 40 && (test.kernel.unfinished > 0 || test.world.pendingTimers > 0); round++) {
      for (const { host } of this.puppets) this.#track(test.kernel.cancel({ job: host.job.id }, () => {}));
      await test.world.advance(60_000);
    }
    await test.world.settle();
    expect([test.kernel.unfinished, test.world.pendingTimers, this.open]).toEqual([0, 0, 0]);

    for (const job of this.accepted) {
      // `log` itself checks for gaps, repeats and second terminals.
      const log = await test.log(job);
      const record = await test.stored(job);
      expect(isTerminal(record.status)).toBe(true);
      expect(log.at(-1)?.payload.final_status).toBe(record.status);
      if (this.cancelled.has(job)) expect(record.status).toBe("cancelled");
      const messages = log.map(({ payload }) => (payload.body as { message?: string } | undefined)?.message);
      expect(messages).toEqual(expect.arrayContaining(this.flushed.get(job) ?? []));
      for (const [seq, text] of this.seen.get(job) ?? []) expect(JSON.stringify(log[seq - 1]?.payload)).toBe(text);
    }
    expect(await this.#unaccepted()).toEqual([]);
  }

  /** Jobs that were stored and neither accepted nor lost with the process that stored them. */
  async #unaccepted(): Promise<readonly string[]> {
    if (this.#life > 0) return [];
    const jobs = await this.test.kernel.listJobs({ principals: ["t/me"], limit: 1_000 });
    return jobs.map(({ id }) => id).filter((id) => !this.accepted.has(id));
  }

  #follow(job: string): void {
    const { test } = this;
    const lives = this.#thisLife();
    const seen = this.seen.get(job) ?? new Map<number, string>();
    this.seen.set(job, seen);
    this.#track(
      (async () => {
        let last = 0;
        for await (const { firstSeq, payloads } of test.kernel.follow(job, 0)) {
          if (!lives()) return;
          expect(firstSeq).toBe(last + 1);
          for (const text of payloads) {
            last++;
            // Seen before a crash, it is the same after.
            expect(seen.get(last) ?? text).toBe(text);
            seen.set(last, text);
          }
        }
      })(),
    );
  }

  /** Whether the process that lives now still does: what a dead one goes on to say, nobody hears. */
  #thisLife(): () => boolean {
    const life = this.#life;
    return () => life === this.#life;
  }

  /** Counts a promise until it settles; what it rejects with must be an error of the table. */
  #track(promise: Promise<unknown>): void {
    const lives = this.#thisLife();
    this.open++;
    const settled = (): void => {
      if (lives()) this.open--;
    };
    promise.then(settled, (error: unknown) => {
      if (!(error instanceof CodedError)) this.failure ??= error;
      settled();
    });
  }

  /** The first thing that failed in the background. */
  failure: unknown;
}

/** What an agent tries; undefined when it is refused, as it has to be once its job was stopped. */
function refusable<Result>(attempt: () => Result): Result | undefined {
  try {
    return attempt();
  } catch (error) {
    if (error instanceof CodedError) return undefined;
    throw error;
  }
}

describe("the kernel's laws", () => {
  it("[law-no-event-lost] [law-no-gap-or-repeat] [law-one-terminal] hold whatever comes, in whatever order", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(STEP, { maxLength: 80, size: "max" }), async (steps) => {
        const story = new Story();
        await story.run(steps);
        if (story.failure !== undefined) throw story.failure;
      }),
      { numRuns: 150 },
    );
  });
});
