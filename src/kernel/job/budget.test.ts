/** Budgets as jobs live with them (§9.6): what a cost moves, in which commit, and what a crash leaves of it. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { AgentReturn, JobHost } from "../agents-port.ts";
import type { Amounts } from "../authority/amounts.ts";
import { formatAmount, parseAmount } from "../authority/decimal.ts";
import { anAgent, createTestKernel, echo, type TestKernel } from "../test-kernel.ts";
import { MAX_OPEN_RESERVATIONS, type ReservationHandle } from "./reservations.ts";

/** An agent that does what the test says, and ends when it says so. */
class Puppet {
  host!: JobHost;
  readonly #end = Promise.withResolvers<AgentReturn>();

  readonly agent = anAgent(
    "puppet",
    (host) => {
      this.host = host;
      return this.#end.promise;
    },
    { restart: "always" },
  );

  cost(value: number | string, unit = "USD", name = "cost.inference"): void {
    this.host.report({ name, value, unit });
  }
  return(): void {
    this.#end.resolve({ result: "1" });
  }
}

const BUDGET = { leaseRequest: { "cost.budget": ["USD:5.00", "credits:1000"], "tool.call": ["*"] } };
const TOOL = { namespace: "tool.call", target: "search" };

async function started(leaseRequest: object = BUDGET.leaseRequest) {
  const puppet = new Puppet();
  const test = await createTestKernel({ agents: [puppet.agent] });
  const { job } = await test.submit("puppet", null, { leaseRequest });
  return { ...test, puppet, job };
}

/** What crashed with the job running, and what runs it now. */
async function restarted(test: TestKernel, survives = () => false) {
  const puppet = new Puppet();
  const later = await test.crash({ agents: [puppet.agent], survives });
  return { ...later, puppet };
}

/** The metrics of a job's log, each as its text. */
async function metrics(test: Pick<TestKernel, "store">, job: string): Promise<readonly string[]> {
  const chunks = await test.store.readChunks({ job, after: 0, limit: 1_000 });
  const payloads = chunks.flatMap(({ kinds, payloads: each }) => each.filter((_, index) => kinds[index] === "m"));
  return payloads.map((payload) => payload.slice(payload.indexOf('"body":') + '"body":'.length, -1));
}

const metric = (name: string, value: string, unit = "USD", more = ""): string =>
  `{"name":"${name}","value":${value},"unit":"${unit}"${more}}`;
const remaining = (value: string, unit = "USD"): string => metric("cost.budget.remaining", value, unit);

async function refusalOf(act: () => unknown): Promise<unknown> {
  try {
    await act();
    return undefined;
  } catch (error) {
    return { code: (error as { code?: string }).code, details: (error as { details?: unknown }).details };
  }
}

describe("a reported cost", () => {
  it("lowers the counter by its value, in the commit of its event [arcp-9.6-decrement]", async () => {
    const { puppet, job, world, batches, kernel, store } = await started();
    puppet.cost(0.0234);
    await world.settle();
    const batch = batches.find(({ rows }) => rows.budgets !== undefined);
    expect(batch?.rows.budgets).toEqual([
      { job: job.id, counters: '{"USD":{"spent":"0.0234","held":"0"},"credits":{"spent":"0","held":"0"}}' },
    ]);
    expect(batch?.rows.chunks?.map(({ kinds }) => kinds)).toEqual(["mm"]);
    expect(await metrics({ store }, job.id)).toEqual([metric("cost.inference", "0.0234"), remaining("4.9766")]);
    expect(await kernel.readBudget(job)).toEqual({
      USD: { granted: "5", spent: "0.0234", held: "0", remaining: "4.9766", available: "4.9766" },
      credits: { granted: "1000", spent: "0", held: "0", remaining: "1000", available: "1000" },
    });
  });

  it("[reading-budget-remaining] [arcp-9.6-remaining-unasked] is told as remaining once for each commit and currency, after what moved it", async () => {
    const { puppet, job, world, store } = await started();
    puppet.cost("1");
    puppet.cost("3", "credits", "cost.search");
    puppet.cost("0.5");
    await world.settle();
    expect((await metrics({ store }, job.id)).slice(3)).toEqual([remaining("3.5"), remaining("997", "credits")]);
    puppet.cost("0.5");
    puppet.return();
    await world.settle();
    const log = await metrics({ store }, job.id);
    expect(log.slice(5)).toEqual([metric("cost.inference", "0.5"), remaining("3")]);
    expect((await store.readLatest(job.id, "RE"))?.code).toBe("R");
  });

  it("[reading-cost-exact] keeps every digit, on the log and in the counters", async () => {
    const { puppet, job, world, store, kernel } = await started();
    puppet.cost("0.000000000000000000000000000001");
    puppet.cost("0.1000");
    puppet.cost(0.2);
    puppet.cost(1.5e-7);
    await world.settle();
    expect(await metrics({ store }, job.id)).toEqual([
      metric("cost.inference", "0.000000000000000000000000000001"),
      metric("cost.inference", "0.1"),
      metric("cost.inference", "0.2"),
      metric("cost.inference", "1.5e-7"),
      remaining("4.699999849999999999999999999999"),
    ]);
    expect((await kernel.readBudget(job))?.USD?.spent).toBe("0.300000150000000000000000000001");
  });

  it("that is negative, or no amount, is refused and changes nothing [arcp-9.6-negative-rejected]", async () => {
    const { puppet, job, world, batches, kernel } = await started();
    const before = batches.length;
    for (const value of [-0.01, "-1", "1e-31", Number.NaN, Number.POSITIVE_INFINITY, "much"]) {
      expect(await refusalOf(() => puppet.cost(value))).toEqual({
        code: "INVALID_REQUEST",
        details: { field: "metric.value" },
      });
    }
    expect(await refusalOf(() => puppet.cost(1, "USD", "cost.budget.remaining"))).toMatchObject({
      details: { field: "metric.name" },
    });
    await world.settle();
    expect(batches.length).toBe(before);
    expect((await kernel.readBudget(job))?.USD?.spent).toBe("0");
  });

  it("in a currency that is not budgeted is a metric like any other", async () => {
    const { puppet, job, world, store, batches } = await started();
    puppet.cost(1_000_000, "EUR");
    puppet.host.report({ name: "latency", value: -3, unit: "USD" });
    puppet.host.report({ name: "cost.unknown", value: 1 });
    await world.settle();
    expect(await metrics({ store }, job.id)).toHaveLength(3);
    expect(batches.flatMap(({ rows }) => rows.budgets ?? [])).toEqual([]);
  });

  it("costs a job without a budget nothing [arcp-7.1-no-budget-no-enforcement]", async () => {
    const { puppet, job, world, batches, kernel } = await started({ "tool.call": ["*"] });
    puppet.cost(1_000_000);
    expect(puppet.host.guard.check(TOOL)).toBeUndefined();
    expect(puppet.host.budget.view()).toEqual({});
    await world.settle();
    expect(batches.flatMap(({ rows }) => rows.budgets ?? [])).toEqual([]);
    expect(await kernel.readBudget(job)).toBeNull();
  });
});

describe("an exhausted budget", () => {
  it("refuses every operation from zero on, in the turn in which the cost is reported [arcp-9.6-exhausted] [arcp-9.6-checked-first]", async () => {
    const { puppet, job, world, kernel, stored } = await started();
    puppet.cost("4.999999999999999999999999999999");
    expect(puppet.host.guard.check(TOOL)).toBeUndefined();
    puppet.cost("0.000000000000000000000000000001");
    const refused = await refusalOf(() => puppet.host.guard.check(TOOL));
    expect(refused).toMatchObject({ code: "BUDGET_EXHAUSTED", details: { currency: "USD", remaining: "0" } });
    // Before the pattern: what would not be allowed anyhow is refused for the budget.
    expect(await refusalOf(() => puppet.host.guard.check({ namespace: "fs.read", target: "/x" }))).toMatchObject({
      code: "BUDGET_EXHAUSTED",
    });
    puppet.cost("2");
    await world.settle();
    expect((await kernel.readBudget(job))?.USD).toMatchObject({ remaining: "-2", spent: "7" });
    // The agent decides what becomes of the job.
    expect(await stored(job.id)).toMatchObject({ status: "running" });
    puppet.return();
    await world.settle();
    expect(await stored(job.id)).toMatchObject({ status: "success" });
  });

  it("is one after a restart too", async () => {
    const first = await started();
    first.puppet.cost("5");
    await first.world.settle();
    const { puppet } = await restarted(first);
    expect(await refusalOf(() => puppet.host.guard.check(TOOL))).toMatchObject({ code: "BUDGET_EXHAUSTED" });
  });
});

describe("counters and the disk", () => {
  it("are shown as they were committed, never ahead", async () => {
    const { puppet, job, world, kernel, store } = await started();
    puppet.cost("1");
    await world.settle();
    store.hold();
    puppet.cost("2");
    await world.settle();
    expect(store.held).toBe(1);
    expect((await kernel.readBudget(job))?.USD?.spent).toBe("1");
    expect(puppet.host.budget.view().USD?.spent).toBe("3");
    store.release();
    await world.settle();
    expect((await kernel.readBudget(job))?.USD?.spent).toBe("3");
  });

  it("are read for many jobs at once, under way or ended, and left out without a budget", async () => {
    const puppet = new Puppet();
    const { kernel, world, submit } = await createTestKernel({ agents: [puppet.agent, echo] });
    const { job: running } = await submit("puppet", null, BUDGET);
    puppet.cost("1");
    await world.settle();
    const { job: ended } = await submit("echo", null, { leaseRequest: { "cost.budget": ["USD:2"] } });
    const { job: none } = await submit("echo");
    const budgets = await kernel.readBudgets([running, ended, none]);
    expect([...budgets].map(([id, { USD }]) => [id, USD?.remaining])).toEqual([
      [running.id, "4"],
      [ended.id, "2"],
    ]);
  });

  it("go back to what is stored when a commit fails", async () => {
    const { puppet, job, world, kernel, store } = await started();
    puppet.cost("1");
    await world.settle();
    const before = puppet.host;
    store.failNext();
    puppet.cost("2");
    await world.settle();
    await world.advance(5_000);
    expect(puppet.host).not.toBe(before);
    expect(puppet.host.budget.view().USD?.spent).toBe("1");
    puppet.cost("0.5");
    await world.settle();
    expect((await kernel.readBudget(job))?.USD?.spent).toBe("1.5");
  });
});

describe("a reservation", () => {
  const reserve = (host: JobHost, amounts: Amounts, key?: string): Promise<ReservationHandle> =>
    host.reserve(amounts, key);

  it("[reading-reservations] holds what is available, durably when it resolves, and fails at once without", async () => {
    const { puppet, job, world, kernel, batches, store } = await started();
    const made = reserve(puppet.host, { USD: "3" });
    expect(puppet.host.budget.view().USD).toMatchObject({ remaining: "5", available: "2", held: "3" });
    expect(await refusalOf(() => reserve(puppet.host, { credits: 1, USD: "2.01" }))).toEqual({
      code: "BUDGET_EXHAUSTED",
      details: { currency: "USD", available: "2", requested: "2.01" },
    });
    await world.settle();
    const { id } = await made;
    const batch = batches.find(({ rows }) => rows.holds !== undefined);
    expect(batch?.rows.holds).toMatchObject([{ job: job.id, id, kind: "reservation", state: "open", attempt: 1 }]);
    expect(batch?.rows.budgets).toHaveLength(1);
    expect(await kernel.readBudget(job)).toMatchObject({ USD: { remaining: "5", available: "2" } });
    // Money that is promised is not money spent.
    expect(await metrics({ store }, job.id)).toEqual([]);
    expect(puppet.host.guard.check(TOOL)).toBeUndefined();
  });

  it("is committed for what was spent, less or more, in one commit with its metric", async () => {
    const { puppet, job, world, kernel, batches, store } = await started();
    const [less, more, whole] = await Promise.all([
      reserve(puppet.host, { USD: "1" }),
      reserve(puppet.host, { USD: "1", credits: 5 }),
      reserve(puppet.host, { USD: "1" }),
      world.settle(),
    ]);
    const before = batches.length;
    await Promise.all([less.commit({ USD: "0.25" }, "cost.inference"), more.commit({ USD: "1.5" }), whole.commit()]);
    await world.settle();
    expect(batches.length).toBe(before + 1);
    expect(batches.at(-1)?.rows.holds?.map(({ id, state }) => [id, state])).toEqual([
      [less.id, "settled"],
      [more.id, "settled"],
      [whole.id, "settled"],
    ]);
    const by = ({ id }: ReservationHandle) => `,"dimensions":{"reservation":"${id}"}`;
    expect(await metrics({ store }, job.id)).toEqual([
      metric("cost.inference", "0.25", "USD", by(less)),
      metric("cost.reservation", "1.5", "USD", by(more)),
      metric("cost.reservation", "1", "USD", by(whole)),
      remaining("2.25"),
    ]);
    expect(await kernel.readBudget(job)).toMatchObject({
      USD: { spent: "2.75", held: "0" },
      credits: { spent: "0", held: "0" },
    });
  });

  it("is given back when it is released, and only once", async () => {
    const { puppet, world } = await started();
    const made = reserve(puppet.host, { USD: "5" });
    await world.settle();
    const reservation = await made;
    await reservation.release();
    await reservation.release();
    expect(puppet.host.budget.view().USD).toMatchObject({ available: "5", held: "0" });
    expect(await refusalOf(() => reservation.commit())).toMatchObject({ code: "INVALID_REQUEST" });
    const again = reserve(puppet.host, { USD: "5" });
    await world.settle();
    await (await again).commit();
    expect(await refusalOf(async () => (await again).commit())).toMatchObject({ code: "INVALID_REQUEST" });
    expect(puppet.host.budget.view().USD).toMatchObject({ available: "0", spent: "5" });
  });

  it("changes nothing when it is committed wrongly", async () => {
    const { puppet, world } = await started();
    const made = reserve(puppet.host, { USD: "1" });
    await world.settle();
    const reservation = await made;
    expect(await refusalOf(() => reservation.commit({ USD: "-1" }))).toMatchObject({ code: "INVALID_REQUEST" });
    expect(await refusalOf(() => reservation.commit({ USD: 1 }, "price"))).toMatchObject({ code: "INVALID_REQUEST" });
    expect(await refusalOf(() => reservation.commit({ USD: 1, EUR: "x" }))).toMatchObject({ code: "INVALID_REQUEST" });
    expect(puppet.host.budget.view().USD).toMatchObject({ spent: "0", held: "1" });
  });

  it("takes arguments that make sense, and one key once", async () => {
    const { puppet, world } = await started();
    for (const amounts of [{}, { USD: -1 }, { USD: "x" }, null as unknown as Amounts]) {
      expect(await refusalOf(() => reserve(puppet.host, amounts))).toMatchObject({ code: "INVALID_REQUEST" });
    }
    for (const key of ["", "x".repeat(257), "\ud800", 7 as never]) {
      expect(await refusalOf(() => reserve(puppet.host, { USD: 1 }, key))).toMatchObject({
        details: { field: "reserve.key" },
      });
    }
    const made = reserve(puppet.host, { USD: "1" }, "search");
    await world.settle();
    expect(await refusalOf(() => reserve(puppet.host, { USD: "1" }, "search"))).toMatchObject({
      code: "INVALID_REQUEST",
      details: { field: "reserve.key" },
    });
    // What was released, or refused, may be tried again.
    await (await made).release();
    expect(await refusalOf(() => reserve(puppet.host, { USD: "9" }, "dear"))).toMatchObject({
      code: "BUDGET_EXHAUSTED",
    });
    const again = Promise.all([
      reserve(puppet.host, { USD: "1" }, "search"),
      reserve(puppet.host, { USD: "2" }, "dear"),
    ]);
    await world.settle();
    expect((await again).map(({ id }) => id)).toEqual(["hold_1", "hold_2"]);
  });

  it("is refused beyond so many open ones", async () => {
    const { puppet, world } = await started();
    const open = Array.from({ length: MAX_OPEN_RESERVATIONS }, () => reserve(puppet.host, { USD: "0.001" }));
    expect(await refusalOf(() => reserve(puppet.host, { USD: "0.001" }))).toMatchObject({ code: "INVALID_REQUEST" });
    await world.settle();
    await (await Promise.all(open))[7]?.release();
    const further = reserve(puppet.host, { USD: "0.001" });
    await world.settle();
    await expect(further).resolves.toMatchObject({ committed: false });
  });

  it("works without a budget: nothing is held, and a commit is a metric", async () => {
    const { puppet, job, world, store } = await started({});
    const made = reserve(puppet.host, { USD: "1000000" });
    await world.settle();
    await (await made).commit({ USD: 3 });
    await world.settle();
    expect(await metrics({ store }, job.id)).toHaveLength(1);
  });

  it.each<[string, (test: Awaited<ReturnType<typeof started>>) => unknown]>([
    ["returns", ({ puppet }) => puppet.return()],
    ["is cancelled", ({ kernel, job }) => kernel.cancel({ job: job.id }, () => {})],
  ])("that is open when its job %s is given back", async (_, end) => {
    const test = await started();
    const { puppet, job, world, kernel, store } = test;
    const made = reserve(puppet.host, { USD: "2" });
    await world.settle();
    end(test);
    await world.settle();
    expect((await kernel.readBudget(job))?.USD).toMatchObject({ spent: "0", held: "0" });
    expect(await store.readHolds(job.id)).toMatchObject([{ state: "released" }]);
    expect(await metrics({ store }, job.id)).toEqual([]);
    await (await made).release();
    expect(await refusalOf(async () => (await made).commit())).not.toMatchObject({ code: "INVALID_REQUEST" });
  });

  it("is found again by a later attempt, under its key or its place", async () => {
    const first = await started();
    const { host } = first.puppet;
    const open = [reserve(host, { USD: "1" }), reserve(host, { USD: "1" }), reserve(host, { USD: "0.5" }, "search")];
    await first.world.settle();
    const ids = (await Promise.all(open)).map(({ id }) => id);
    const later = await restarted(first);
    const again = [
      reserve(later.puppet.host, { USD: "0.5" }, "search"),
      reserve(later.puppet.host, { USD: "1" }),
      reserve(later.puppet.host, { USD: "1" }),
    ];
    await later.world.settle();
    const handles = await Promise.all(again);
    expect(handles.map(({ id }) => id)).toEqual([ids[2], ids[0], ids[1]]);
    expect(later.puppet.host.budget.view().USD).toMatchObject({ spent: "0", held: "2.5" });
    await handles[0]?.commit();
    later.puppet.return();
    await later.world.settle();
    const job = await later.stored(first.job.id);
    expect((await later.kernel.readBudget(job))?.USD).toMatchObject({ spent: "0.5", held: "0" });
  });

  it("that an earlier attempt committed is done, and one it released is made anew", async () => {
    const first = await started();
    const made = [reserve(first.puppet.host, { USD: "1" }, "done"), reserve(first.puppet.host, { USD: "2" }, "undone")];
    await first.world.settle();
    const [done, undone] = await Promise.all(made);
    await done?.commit({ USD: "0.75" });
    await undone?.release();
    await first.world.settle();
    const later = await restarted(first);
    const again = [
      reserve(later.puppet.host, { USD: "1" }, "done"),
      reserve(later.puppet.host, { USD: "2" }, "undone"),
    ];
    await later.world.settle();
    const [isDone, anew] = await Promise.all(again);
    expect([isDone?.committed, anew?.committed]).toEqual([true, false]);
    expect(later.puppet.host.budget.view().USD).toMatchObject({ spent: "0.75", held: "2" });
    await isDone?.commit({ USD: "0.75" });
    await isDone?.release();
    expect(later.puppet.host.budget.view().USD).toMatchObject({ spent: "0.75", held: "2" });
    await anew?.commit();
    expect(later.puppet.host.budget.view().USD).toMatchObject({ spent: "2.75", held: "0" });
  });

  it("has the place of one that was refused before it, where a later attempt looks for it", async () => {
    const first = await started();
    const { host } = first.puppet;
    const all = reserve(host, { USD: "5" });
    await first.world.settle();
    expect(await refusalOf(() => reserve(host, { USD: "1" }))).toMatchObject({ code: "BUDGET_EXHAUSTED" });
    await (await all).release();
    const made = reserve(host, { USD: "1" });
    await first.world.settle();
    const later = await restarted(first);
    const again = reserve(later.puppet.host, { USD: "1" });
    await later.world.settle();
    expect((await again).id).toBe((await made).id);
    expect(later.puppet.host.budget.view().USD).toMatchObject({ spent: "0", held: "1" });
  });

  it("is not given back by an agent that is shut out: nobody knows what it has spent", async () => {
    const test = await started();
    const made = reserve(test.puppet.host, { USD: "1" });
    await test.world.settle();
    const reservation = await made;
    test.puppet.host.signal.addEventListener("abort", () => void reservation.release());
    const closed = test.kernel.close();
    await test.world.settle();
    await closed;
    expect(await test.store.readHolds(test.job.id)).toMatchObject([{ state: "open" }]);
  });

  it("under a key of other amounts is refused", async () => {
    const first = await started();
    void reserve(first.puppet.host, { USD: "1" }, "search");
    await first.world.settle();
    const later = await restarted(first);
    expect(await refusalOf(() => reserve(later.puppet.host, { USD: "2" }, "search"))).toMatchObject({
      code: "DUPLICATE_KEY",
    });
    const same = reserve(later.puppet.host, { USD: "1.00" }, "search");
    await later.world.settle();
    await expect(same).resolves.toMatchObject({ committed: false });
  });

  const unknown = (id: string, value: string): string =>
    metric("cost.reservation", value, "USD", `,"dimensions":{"reservation":"${id}","outcome":"unknown"}`);

  it("[reading-reservations] of an earlier attempt that nobody asks for counts as spent when the job ends", async () => {
    const first = await started();
    const made = Promise.all([reserve(first.puppet.host, { USD: "1" }), reserve(first.puppet.host, { USD: "2" })]);
    await first.world.settle();
    const [one, two] = await made;
    const later = await restarted(first);
    void reserve(later.puppet.host, { USD: "2" });
    later.puppet.return();
    await later.world.settle();
    expect(await metrics(later, first.job.id)).toEqual([unknown(one.id, "1"), remaining("4")]);
    expect((await later.store.readHolds(first.job.id)).map(({ id, state }) => [id, state])).toEqual([
      [one.id, "settled"],
      [two.id, "released"],
    ]);
    const job = await later.stored(first.job.id);
    expect((await later.kernel.readBudget(job))?.USD).toMatchObject({ spent: "1", held: "0" });
  });

  it("counts as spent when the runtime dies and its agent does not run again", async () => {
    const puppet = new Puppet();
    const once = { ...puppet.agent, restart: "never" as const };
    const first = await createTestKernel({ agents: [once] });
    const { job } = await first.submit("puppet", null, BUDGET);
    const made = reserve(puppet.host, { USD: "1.5" });
    await first.world.settle();
    const { id } = await made;
    const later = await first.crash();
    expect(await metrics(later, job.id)).toEqual([unknown(id, "1.5"), remaining("3.5")]);
    expect((await later.log(job.id)).map(({ code }) => code).join("")).toBe("mmE");
    expect((await later.kernel.readBudget(job))?.USD).toMatchObject({ spent: "1.5", held: "0" });
    expect(await later.store.readHolds(job.id)).toMatchObject([{ state: "settled" }]);
  });
});

type Step =
  | { readonly type: "cost"; readonly cents: number }
  | { readonly type: "reserve"; readonly cents: number; readonly key: string | undefined }
  | { readonly type: "commit"; readonly which: number; readonly cents: number | undefined }
  | { readonly type: "release"; readonly which: number }
  | { readonly type: "settle" | "hold" | "fail" | "return" | "cancel" }
  | { readonly type: "crash"; readonly survivors: number };

const cents = fc.nat(200);
const which = fc.nat(20);
const STEP: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ type: fc.constant("cost"), cents }) },
  {
    weight: 5,
    arbitrary: fc.record({
      type: fc.constant("reserve"),
      cents,
      key: fc.option(fc.constantFrom("a", "b"), { nil: undefined }),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ type: fc.constant("commit"), which, cents: fc.option(cents, { nil: undefined }) }),
  },
  { weight: 2, arbitrary: fc.record({ type: fc.constant("release"), which }) },
  { weight: 5, arbitrary: fc.record({ type: fc.constant("settle") }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constantFrom("hold", "fail") }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constantFrom("return", "cancel") }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant("crash"), survivors: fc.nat(3) }) },
);

/** What the log says was spent, against the counters; what rows say is held, against the counters. */
async function checkBooks(test: TestKernel, id: string): Promise<void> {
  const job = await test.stored(id);
  const counter = (await test.kernel.readBudget(job))?.USD;
  const rows = await test.store.readHolds(id);
  let spent = 0n;
  for (const text of await metrics(test, id)) {
    const { name } = JSON.parse(text);
    const value = /"value":(-?[\d.e-]+)/.exec(text)?.[1] ?? "";
    if (name === "cost.budget.remaining") {
      expect(value).toBe(formatAmount(parseAmount("5", "granted") - spent));
    } else spent += parseAmount(value, "spent");
  }
  expect(counter?.spent).toBe(formatAmount(spent));
  const open = rows.filter(({ state }) => state === "open");
  const held = open.reduce((sum, { amounts }) => sum + parseAmount(JSON.parse(amounts).USD, "held"), 0n);
  expect(counter?.held).toBe(formatAmount(held));
  if (job.endedAt !== null) expect(open).toEqual([]);
}

describe("the books of a job", () => {
  it("are balanced at every commit, whatever fails and whenever the process dies", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(STEP, { maxLength: 30 }), async (steps) => {
        let puppet = new Puppet();
        let test = await createTestKernel({ agents: [puppet.agent] });
        const { job } = await test.submit("puppet", null, BUDGET);
        let handles: ReservationHandle[] = [];
        const trying = (act: () => unknown): void => {
          void refusalOf(act);
        };
        for (const step of steps) {
          const host = puppet.host;
          switch (step.type) {
            case "cost":
              trying(() => puppet.cost(step.cents / 100));
              break;
            case "reserve":
              trying(async () => handles.push(await host.reserve({ USD: step.cents / 100 }, step.key)));
              break;
            case "commit":
              trying(() =>
                handles[step.which % handles.length]?.commit(
                  step.cents === undefined ? undefined : { USD: step.cents / 100 },
                ),
              );
              break;
            case "release":
              trying(() => handles[step.which % handles.length]?.release());
              break;
            case "hold":
              test.store.hold();
              break;
            case "fail":
              test.store.failNext();
              break;
            case "return":
              puppet.return();
              break;
            case "cancel":
              test.kernel.cancel({ job: job.id }, () => {}).catch(() => {});
              break;
            case "settle":
              test.store.release();
              await test.world.settle();
              await checkBooks(test, job.id);
              break;
            case "crash": {
              puppet = new Puppet();
              handles = [];
              test = await test.crash({ agents: [puppet.agent], survives: (nth) => nth < step.survivors });
              await test.world.advance(20_000);
              await checkBooks(test, job.id);
              break;
            }
          }
        }
        test.store.release();
        await test.world.advance(60_000);
        await checkBooks(test, job.id);
      }),
      { numRuns: 100 },
    );
  });
});
