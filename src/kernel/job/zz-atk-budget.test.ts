/**
 * The books of a whole job tree: jobs that spend, set aside, hand on and end, while commits are held, fail, and the
 * process dies in between. What the store has is held against the sums of all logs and holds.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { AgentReturn, JobHost } from "../agents-port.ts";
import { formatAmount, parseAmount } from "../authority/decimal.ts";
import { leaseOf } from "../authority/lease.ts";
import type { HoldRow } from "../ports.ts";
import { anAgent, createTestKernel, type TestKernel } from "../test-kernel.ts";
import type { JobRecord } from "./job-record.ts";
import { isTerminal } from "./job-state.ts";
import type { ReservationHandle } from "./reservations.ts";

const CURRENCIES = ["USD", "credits"] as const;
const LEASE = { "agent.delegate": ["*"], "cost.budget": ["USD:10", "credits:10"] };

type Step =
  | { readonly type: "cost"; readonly which: number; readonly currency: string; readonly cents: number }
  | { readonly type: "delegate"; readonly which: number; readonly budget: Readonly<Record<string, number>> }
  | { readonly type: "reserve"; readonly which: number; readonly currency: string; readonly cents: number }
  | { readonly type: "commit"; readonly which: number; readonly cents: number }
  | { readonly type: "release" | "return" | "cancel"; readonly which: number }
  | { readonly type: "settle" | "hold" | "fail" }
  | { readonly type: "crash"; readonly survivors: number };

const which = fc.nat(20);
const cents = fc.nat(400);
const currency = fc.constantFrom(...CURRENCIES);
const STEP: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ type: fc.constant("cost"), which, currency, cents }) },
  {
    weight: 5,
    arbitrary: fc.record({
      type: fc.constant("delegate"),
      which,
      budget: fc.dictionary(currency, fc.integer({ min: 1, max: 800 }), { maxKeys: 2 }),
    }),
  },
  { weight: 4, arbitrary: fc.record({ type: fc.constant("reserve"), which, currency, cents }) },
  { weight: 3, arbitrary: fc.record({ type: fc.constant("commit"), which, cents }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant("release"), which }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constantFrom("return", "cancel"), which }) },
  { weight: 7, arbitrary: fc.record({ type: fc.constant("settle") }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constantFrom("hold", "fail") }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant("crash"), survivors: fc.nat(3) }) },
);

interface Puppet {
  readonly host: JobHost;
  readonly end: PromiseWithResolvers<AgentReturn>;
}

class Story {
  test!: TestKernel;
  root!: string;
  puppets: Puppet[] = [];
  handles: ReservationHandle[] = [];

  async run(steps: readonly Step[]): Promise<void> {
    this.test = await createTestKernel({ agents: this.#agents() });
    this.root = (await this.test.submit("again", null, { leaseRequest: LEASE })).job.id;
    for (const step of steps) await this.#take(step);
    this.test.store.release();
    await this.test.world.advance(120_000);
    await this.check();
  }

  /** One kind of agent runs again after a crash; the other does not. */
  #agents() {
    const run = (host: JobHost): Promise<AgentReturn> => {
      const end = Promise.withResolvers<AgentReturn>();
      this.puppets.push({ host, end });
      return end.promise;
    };
    return [anAgent("again", run, { restart: "always" }), anAgent("once", run)];
  }

  async #take(step: Step): Promise<void> {
    const { test } = this;
    const puppet = "which" in step ? this.puppets[step.which % this.puppets.length] : undefined;
    switch (step.type) {
      case "cost":
        trying(() => puppet?.host.report({ name: "cost.test", value: step.cents / 100, unit: step.currency }));
        break;
      case "delegate": {
        const budget = Object.entries(step.budget).map(([name, each]) => `${name}:${each / 100}`);
        const leaseRequest = { "agent.delegate": ["*"], ...(budget.length > 0 && { "cost.budget": budget }) };
        const agent = step.which % 2 === 0 ? "again" : "once";
        trying(() => puppet?.host.delegate({ agent, input: null, leaseRequest }));
        break;
      }
      case "reserve":
        trying(async () => {
          if (puppet === undefined) return;
          this.handles.push(await puppet.host.reserve({ [step.currency]: step.cents / 100 }));
        });
        break;
      case "commit":
        trying(() => this.handles[step.which % this.handles.length]?.commit({ USD: step.cents / 100 }));
        break;
      case "release":
        trying(() => this.handles[step.which % this.handles.length]?.release());
        break;
      case "return":
        puppet?.end.resolve({});
        break;
      case "cancel":
        if (puppet !== undefined) test.kernel.cancel({ job: puppet.host.job.id }, () => {}).catch(() => {});
        break;
      case "hold":
        test.store.hold();
        break;
      case "fail":
        test.store.failNext();
        break;
      case "settle":
        test.store.release();
        await test.world.settle();
        await this.check();
        break;
      case "crash":
        this.puppets = [];
        this.handles = [];
        this.test = await test.crash({ agents: this.#agents(), survives: (nth) => nth < step.survivors });
        await this.test.world.advance(20_000);
        await this.check();
        break;
    }
  }

  /** Every counter is what the logs below it and the holds around it add up to. */
  async check(): Promise<void> {
    const { store, kernel } = this.test;
    const { jobs } = await store.listJobs({ principals: ["t/me"], root: this.root, limit: 100 });
    const books = new Map<string, Book>();
    for (const job of jobs) books.set(job.id, await readBook(this.test, job));
    const isWithin = (book: Book | undefined, tree: string): boolean =>
      book !== undefined &&
      (book.job.id === tree || (book.job.parent !== null && isWithin(books.get(book.job.parent), tree)));
    const owner = (id: string | null, name: string): Book | undefined => {
      const book = id === null ? undefined : books.get(id);
      return book === undefined || book.granted.has(name) ? book : owner(book.job.parent, name);
    };
    const spentBelow = (id: string, name: string): bigint =>
      sum([...books.values()].filter((book) => isWithin(book, id)).map((book) => book.reported.get(name) ?? 0n));

    const views = await kernel.readBudgets(jobs);
    for (const { job, granted } of books.values()) {
      for (const [name, amount] of granted) {
        const spent = spentBelow(job.id, name);
        let held = 0n;
        for (const other of books.values()) {
          if (owner(other.job.id, name) === books.get(job.id)) {
            held += sum(other.holds.filter(isOpenReservation).map(({ amounts }) => amountOf(amounts, name)));
          }
          const isChild = other.granted.has(name) && owner(other.job.parent, name) === books.get(job.id);
          if (!isChild || isTerminal(other.job.status)) continue;
          const left = (other.granted.get(name) ?? 0n) - spentBelow(other.job.id, name);
          if (left > 0n) held += left;
        }
        // What an ended job's counters held is nobody's any more.
        const view = views.get(job.id)?.[name];
        expect([job.id, name, view?.spent]).toEqual([job.id, name, formatAmount(spent)]);
        expect([job.id, name, view?.held]).toEqual([job.id, name, formatAmount(held)]);
        expect(view?.available).toBe(formatAmount(amount - spent - held));
      }
      const { holds } = books.get(job.id) as Book;
      if (isTerminal(job.status)) expect(holds.filter(({ state }) => state === "open")).toEqual([]);
    }
    for (const { holds } of books.values()) {
      for (const { child, state } of holds) {
        if (child === null) continue;
        const status = books.get(child)?.job.status;
        expect([child, state]).toEqual([child, status !== undefined && isTerminal(status) ? "settled" : "open"]);
      }
    }
  }
}

interface Book {
  readonly job: JobRecord;
  readonly granted: ReadonlyMap<string, bigint>;
  readonly reported: ReadonlyMap<string, bigint>;
  readonly holds: readonly HoldRow[];
}

async function readBook({ store, log }: TestKernel, job: JobRecord): Promise<Book> {
  // Also checks that nothing is on the log after its terminal.
  await log(job.id);
  const reported = new Map<string, bigint>();
  const granted = Object.entries(leaseOf(job)?.budget ?? {}).map(
    ([name, text]) => [name, parseAmount(text, name)] as const,
  );
  for (const { payloads } of await store.readChunks({ job: job.id, after: 0, limit: 10_000 })) {
    for (const payload of payloads) {
      const [, name, value = "", unit = ""] =
        /"name":"(cost\.[^"]*)","value":([^,]*),"unit":"([^"]*)"/.exec(payload) ?? [];
      if (name === undefined || name.startsWith("cost.budget.")) continue;
      reported.set(unit, (reported.get(unit) ?? 0n) + parseAmount(value, unit));
    }
  }
  return { job, granted: new Map(granted), reported, holds: await store.readHolds(job.id) };
}

const isOpenReservation = ({ kind, state }: HoldRow): boolean => kind === "reservation" && state === "open";
const amountOf = (amounts: string, name: string): bigint => parseAmount(JSON.parse(amounts)[name] ?? "0", name);
const sum = (amounts: readonly bigint[]): bigint => amounts.reduce((total, each) => total + each, 0n);

/** What is refused here is refused by right: jobs end, money runs out. */
function trying(act: () => unknown): void {
  void (async () => act())().catch(() => {});
}

describe("the books of a job tree", () => {
  it("are balanced at every commit, whatever fails and whenever the process dies", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(STEP, { minLength: 10, maxLength: 60 }), (steps) => new Story().run(steps)),
      { numRuns: Number(process.env.RUNS ?? 150), seed: Number(process.env.SEED ?? 1) },
    );
  });
});
