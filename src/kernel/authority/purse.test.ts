import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { CodedError } from "../../protocol/errors.ts";
import type { BudgetRow } from "../ports.ts";
import { type Amount, formatAmount, parseAmount } from "./decimal.ts";
import { Purse } from "./purse.ts";

const amount = (text: string): Amount => parseAmount(text, "test");
const amounts = (given: Record<string, string>): ReadonlyMap<string, Amount> =>
  new Map(Object.entries(given).map(([currency, text]) => [currency, amount(text)]));

function purse(granted: Record<string, string>, onChanged?: () => void): Purse {
  return new Purse({ job: "root", granted, ...(onChanged && { onChanged }) });
}

function refusal(act: () => void): unknown {
  try {
    act();
    return undefined;
  } catch (error) {
    if (!(error instanceof CodedError)) throw error;
    expect(error).toMatchObject({ code: "BUDGET_EXHAUSTED", retryable: false });
    return error.details;
  }
}

const reading = (of: Purse, currency: string) => {
  const { remaining, available, held } = of.view()[currency] ?? {};
  return { remaining, available, held };
};

describe("counters of one job", () => {
  it("start at what was granted, each on its own [arcp-9.6-independent-counters]", () => {
    const own = purse({ USD: "5.00", credits: "1000" });
    own.charge("USD", amount("1.25"));
    expect(own.view()).toEqual({
      USD: { granted: "5", spent: "1.25", held: "0", remaining: "3.75", available: "3.75" },
      credits: { granted: "1000", spent: "0", held: "0", remaining: "1000", available: "1000" },
    });
    expect(own.find("EUR")).toBeUndefined();
    own.charge("EUR", amount("1000000"));
    expect(own.view()).not.toHaveProperty("EUR");
  });

  it("go below zero, and say so from zero on", () => {
    const own = purse({ USD: "0.3", credits: "1" });
    for (let tenth = 0; tenth < 2; tenth++) own.charge("USD", amount("0.1"));
    expect(own.findExhausted()).toBeUndefined();
    own.charge("USD", amount("0.1"));
    expect(own.findExhausted()).toMatchObject({ currency: "USD", remaining: 0n, job: "root" });
    own.charge("USD", amount("0.7"));
    expect(own.view().USD?.remaining).toBe("-0.7");
  });

  it("that were granted nothing are exhausted from the start", () => {
    expect(purse({ USD: "0" }).findExhausted()).toMatchObject({ currency: "USD" });
  });

  it("tell what moved since they were asked, and nothing twice", () => {
    let moves = 0;
    const own = purse({ USD: "5", credits: "10" }, () => moves++);
    expect(own.takeChanges()).toBeUndefined();
    own.charge("USD", 0n);
    own.charge("EUR", amount("1"));
    expect([moves, own.takeChanges()]).toEqual([0, undefined]);
    own.charge("USD", amount("1"));
    own.charge("USD", amount("0.5"));
    own.reserve(amounts({ credits: "3" }));
    expect(moves).toBe(3);
    const changes = own.takeChanges();
    // What is only held leaves `remaining` as it was.
    expect(changes?.remaining).toEqual([{ currency: "USD", remaining: amount("3.5") }]);
    expect(JSON.parse(changes?.row.counters ?? "")).toEqual({
      USD: { spent: "1.5", held: "0" },
      credits: { spent: "0", held: "3" },
    });
    expect(own.takeChanges()).toBeUndefined();
    const again = new Purse({ job: "root", granted: { USD: "5", credits: "10" }, stored: changes?.row });
    expect(again.view()).toEqual(own.view());
  });
});

describe("setting money aside", () => {
  it("leaves what remains, and takes from what is available", () => {
    const own = purse({ USD: "1" });
    own.reserve(amounts({ USD: "0.6" }));
    expect(reading(own, "USD")).toEqual({ remaining: "1", available: "0.4", held: "0.6" });
    expect(refusal(() => own.reserve(amounts({ USD: "0.5" })))).toEqual({
      currency: "USD",
      available: "0.4",
      requested: "0.5",
    });
    own.reserve(amounts({ USD: "0.4" }));
    own.unreserve(amounts({ USD: "0.6" }));
    expect(reading(own, "USD")).toEqual({ remaining: "1", available: "0.6", held: "0.4" });
  });

  it("happens in all currencies or in none, and not in what is not budgeted", () => {
    const own = purse({ USD: "1", credits: "5" });
    expect(refusal(() => own.reserve(amounts({ USD: "1", credits: "6" })))).toMatchObject({ currency: "credits" });
    expect(reading(own, "USD")).toMatchObject({ available: "1" });
    own.reserve(amounts({ USD: "1", EUR: "1000" }));
    expect(own.view()).not.toHaveProperty("EUR");
  });

  it("is not possible once a counter above is short of what it has promised", () => {
    const root = purse({ USD: "10" });
    const child = root.open({ job: "child", granted: { USD: "6" } });
    root.charge("USD", amount("8"));
    expect(reading(root, "USD")).toEqual({ remaining: "2", available: "-4", held: "6" });
    expect(refusal(() => child.reserve(amounts({ USD: "3" })))).toMatchObject({ available: "2" });
    child.reserve(amounts({ USD: "2" }));
  });
});

describe("a child's purse", () => {
  it("is held from its parent's, so that siblings are never promised the same money", () => {
    const root = purse({ USD: "10" });
    root.open({ job: "a", granted: { USD: "6" } });
    expect(refusal(() => root.open({ job: "b", granted: { USD: "6" } }))).toMatchObject({ available: "4" });
    root.open({ job: "b", granted: { USD: "4" } });
    expect(reading(root, "USD")).toEqual({ remaining: "10", available: "0", held: "10" });
  });

  it("spends from what is held for it, and gives back the rest", () => {
    const root = purse({ USD: "10" });
    const child = root.open({ job: "child", granted: { USD: "6" } });
    child.charge("USD", amount("2.5"));
    expect(reading(root, "USD")).toEqual({ remaining: "7.5", available: "4", held: "3.5" });
    root.settle(child);
    root.settle(child);
    expect(reading(root, "USD")).toEqual({ remaining: "7.5", available: "7.5", held: "0" });
  });

  it("that was overspent is settled at what it spent", () => {
    const root = purse({ USD: "10" });
    const child = root.open({ job: "child", granted: { USD: "1" } });
    child.charge("USD", amount("4"));
    expect(reading(child, "USD")).toMatchObject({ remaining: "-3" });
    expect(reading(root, "USD")).toEqual({ remaining: "6", available: "6", held: "0" });
    root.settle(child);
    expect(reading(root, "USD")).toEqual({ remaining: "6", available: "6", held: "0" });
  });

  it("inherits the currencies it leaves out, over any number of jobs", () => {
    const root = purse({ USD: "10", credits: "5" });
    const middle = root.open({ job: "middle", granted: null });
    const leaf = middle.open({ job: "leaf", granted: { credits: "2" } });
    leaf.charge("USD", amount("4"));
    leaf.charge("credits", amount("1"));
    expect(reading(root, "USD")).toMatchObject({ remaining: "6" });
    expect(reading(root, "credits")).toEqual({ remaining: "4", available: "3", held: "1" });
    expect(reading(leaf, "USD")).toEqual(reading(root, "USD"));
    expect(middle.takeChanges()).toBeUndefined();
    leaf.reserve(amounts({ USD: "6" }));
    expect(reading(root, "USD")).toMatchObject({ available: "0" });
    leaf.charge("USD", amount("6"));
    expect(leaf.findExhausted()).toMatchObject({ currency: "USD", job: "root" });
  });

  it("may bound what nobody above does", () => {
    const root = purse({ USD: "10" });
    const child = root.open({ job: "child", granted: { EUR: "1000" } });
    child.charge("EUR", amount("1000"));
    expect(child.findExhausted()).toMatchObject({ currency: "EUR", job: "child" });
    expect(root.findExhausted()).toBeUndefined();
  });

  it("tells every counter that moved, on the way up", () => {
    const moved: string[] = [];
    const root = new Purse({ job: "root", granted: { USD: "10" }, onChanged: () => moved.push("root") });
    const child = root.open({ job: "child", granted: { USD: "5" }, onChanged: () => moved.push("child") });
    expect(moved).toEqual(["root"]);
    child.charge("USD", amount("1"));
    expect(new Set(moved)).toEqual(new Set(["root", "child"]));
    expect(root.takeChanges()?.remaining).toEqual([{ currency: "USD", remaining: amount("9") }]);
    expect(child.takeChanges()?.remaining).toEqual([{ currency: "USD", remaining: amount("4") }]);
  });
});

/** The same story told by lists and sums: every report and every promise there ever was, and who is still there. */
class Model {
  readonly jobs: ModelJob[] = [];
  readonly reports: { readonly job: ModelJob; readonly currency: string; readonly amount: Amount }[] = [];
  readonly reservations: { readonly job: ModelJob; readonly amounts: ReadonlyMap<string, Amount>; open: boolean }[] =
    [];

  counter(job: ModelJob | undefined, currency: string): ModelJob | undefined {
    for (let each = job; each !== undefined; each = each.parent) if (each.granted.has(currency)) return each;
    return undefined;
  }
  spent(job: ModelJob, currency: string): Amount {
    const below = this.reports.filter((report) => report.currency === currency && isWithin(report.job, job));
    return below.reduce((sum, report) => sum + report.amount, 0n);
  }
  held(job: ModelJob, currency: string): Amount {
    let held = 0n;
    for (const { job: by, amounts: promised, open } of this.reservations) {
      if (open && this.counter(by, currency) === job) held += promised.get(currency) ?? 0n;
    }
    for (const child of this.jobs) {
      if (!child.live || child === job || !child.granted.has(currency)) continue;
      if (this.counter(child.parent, currency) !== job) continue;
      const left = (child.granted.get(currency) ?? 0n) - this.spent(child, currency);
      if (left > 0n) held += left;
    }
    return held;
  }
  available(job: ModelJob, currency: string): Amount {
    return (job.granted.get(currency) ?? 0n) - this.spent(job, currency) - this.held(job, currency);
  }
  /** What may be promised: as available, less the worst that a counter above lacks. */
  promisable(job: ModelJob, currency: string): Amount | undefined {
    const own = this.counter(job, currency);
    if (own === undefined) return undefined;
    let lack = 0n;
    for (let above = this.counter(own.parent, currency); above; above = this.counter(above.parent, currency)) {
      const left = this.available(above, currency);
      if (left < lack) lack = left;
    }
    return this.available(own, currency) + lack;
  }
}

interface ModelJob {
  readonly id: string;
  readonly parent: ModelJob | undefined;
  readonly granted: ReadonlyMap<string, Amount>;
  live: boolean;
  purse: Purse;
}

function isWithin(job: ModelJob, tree: ModelJob): boolean {
  for (let each: ModelJob | undefined = job; each !== undefined; each = each.parent) if (each === tree) return true;
  return false;
}

const CURRENCIES = ["USD", "EUR", "credits"];
const text = fc.oneof(
  fc.integer({ min: 0, max: 3_000 }).map((thousandths) => formatAmount(BigInt(thousandths) * 10n ** 27n)),
  fc.constantFrom("0.000000000000000000000000000001", "0.999999999999999999999999999999", "0.1", "0.2"),
);
const budget = fc.dictionary(fc.constantFrom(...CURRENCIES), text, { maxKeys: 3 });
const which = fc.nat(50);
const STEP = fc.oneof(
  { weight: 3, arbitrary: fc.record({ type: fc.constant("open" as const), which, granted: budget }) },
  {
    weight: 5,
    arbitrary: fc.record({
      type: fc.constant("charge" as const),
      which,
      currency: fc.constantFrom(...CURRENCIES),
      spent: text,
    }),
  },
  { weight: 4, arbitrary: fc.record({ type: fc.constant("reserve" as const), which, asked: budget }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant("unreserve" as const), which }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("settle" as const), which }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("reload" as const) }) },
);
type Step = typeof STEP extends fc.Arbitrary<infer Value> ? Value : never;

/** Runs one story on purses and model, and holds them against each other after each step. */
class Story {
  readonly model = new Model();
  readonly rows = new Map<string, BudgetRow>();

  constructor(granted: Record<string, string>) {
    const own = new Purse({ job: "j0", granted });
    this.model.jobs.push({ id: "j0", parent: undefined, granted: amounts(granted), live: true, purse: own });
  }

  take(step: Step): void {
    const { model } = this;
    const live = model.jobs.filter((job) => job.live);
    const job = live["which" in step ? step.which % live.length : 0] as ModelJob;
    switch (step.type) {
      case "open": {
        const granted = amounts(step.granted);
        const id = `j${model.jobs.length}`;
        const fits = this.#fits(job, granted);
        let child: Purse | undefined;
        const refused = refusal(() => {
          child = job.purse.open({ job: id, granted: step.granted });
        });
        expect(refused === undefined).toBe(fits);
        if (child !== undefined) model.jobs.push({ id, parent: job, granted, live: true, purse: child });
        break;
      }
      case "charge":
        job.purse.charge(step.currency, amount(step.spent));
        model.reports.push({ job, currency: step.currency, amount: amount(step.spent) });
        break;
      case "reserve": {
        const asked = amounts(step.asked);
        const fits = this.#fits(job, asked);
        expect(refusal(() => job.purse.reserve(asked)) === undefined).toBe(fits);
        if (fits) model.reservations.push({ job, amounts: asked, open: true });
        break;
      }
      case "unreserve": {
        const open = model.reservations.filter((reservation) => reservation.open);
        const reservation = open[step.which % Math.max(open.length, 1)];
        if (reservation === undefined) break;
        reservation.job.purse.unreserve(reservation.amounts);
        reservation.open = false;
        break;
      }
      case "settle":
        if (job.parent !== undefined) this.#end(job);
        break;
      case "reload":
        this.#reload();
        break;
    }
    this.#check();
  }

  #fits(job: ModelJob, asked: ReadonlyMap<string, Amount>): boolean {
    return [...asked].every(([currency, each]) => {
      const promisable = this.model.promisable(job, currency);
      return promisable === undefined || each === 0n || each <= promisable;
    });
  }

  /** A job ends after those below it, and gives back what it has reserved first. */
  #end(job: ModelJob): void {
    for (const child of this.model.jobs) if (child.live && child.parent === job) this.#end(child);
    for (const reservation of this.model.reservations) {
      if (!reservation.open || reservation.job !== job) continue;
      job.purse.unreserve(reservation.amounts);
      reservation.open = false;
    }
    job.parent?.purse.settle(job.purse);
    job.live = false;
  }

  /** As after a crash: what moved was written down, and live purses are made from it again. */
  #reload(): void {
    this.#write();
    for (const job of this.model.jobs) {
      if (!job.live) continue;
      const granted = Object.fromEntries([...job.granted].map(([currency, each]) => [currency, formatAmount(each)]));
      job.purse = new Purse({ job: job.id, granted, above: job.parent?.purse, stored: this.rows.get(job.id) });
    }
  }

  #write(): void {
    for (const { purse: own } of this.model.jobs) {
      const changes = own.takeChanges();
      if (changes !== undefined) this.rows.set(changes.row.job, changes.row);
    }
  }

  #check(): void {
    const { model } = this;
    for (const job of model.jobs) {
      if (!job.live) continue;
      let exhausted = false;
      for (let each: ModelJob | undefined = job; each !== undefined; each = each.parent) {
        for (const [currency, granted] of each.granted) exhausted ||= granted <= model.spent(each, currency);
      }
      expect(job.purse.findExhausted() !== undefined).toBe(exhausted);
      for (const currency of CURRENCIES) {
        const owner = model.counter(job, currency);
        const counter = job.purse.find(currency);
        expect(counter?.job).toBe(owner?.id);
        if (owner === undefined || counter === undefined) continue;
        expect(counter.spent).toBe(model.spent(owner, currency));
        expect(counter.held).toBe(model.held(owner, currency));
        expect(counter.available).toBe(model.available(owner, currency));
      }
    }
    // What the root holds and has spent is what was reported and promised, wherever in the tree, unless it was overspent.
    const [root] = model.jobs;
    if (root === undefined) return;
    for (const [currency, granted] of root.granted) {
      const counter = root.purse.find(currency);
      expect(granted).toBe((counter?.spent ?? 0n) + (counter?.held ?? 0n) + (counter?.available ?? 0n));
    }
  }
}

describe("the purses of a tree", () => {
  it("are what the list of all reports and promises adds up to, to the last digit", () => {
    fc.assert(
      fc.property(budget, fc.array(STEP, { maxLength: 40 }), (granted, steps) => {
        const story = new Story(granted);
        for (const step of steps) story.take(step);
      }),
      { numRuns: 300 },
    );
  });
});
