/**
 * The budget counters of one job (§9.6), and how they hang together in a job tree. Pure and synchronous: it is the
 * caller's to make rows and events of what moved.
 *
 * Per currency of the job's own budget there is a counter. `spent` is everything reported in this job and in every job
 * below it; `held` is what is promised and not yet spent: open reservations, and of each live child's budget the part it
 * has left. A charge moves the nearest counter and every one above it. As far as a child spends within its budget, what
 * its parent holds for it goes down as the parent's `spent` goes up: nothing is counted, or promised, twice.
 */
import { CodedError } from "../../protocol/errors.ts";
import type { JobId } from "../ids.ts";
import type { BudgetRow } from "../ports.ts";
import { type BudgetView, type CounterView, parseCounters, viewCounter } from "./budget-view.ts";
import { type Amount, formatAmount, parseAmount } from "./decimal.ts";

/** One currency of one job's own budget. Moved by purses only. */
export class Counter {
  readonly job: JobId;
  readonly currency: string;
  readonly granted: Amount;
  /** The counter that this one's budget was held from. */
  readonly above: Counter | undefined;
  #spent: Amount;
  #held: Amount;
  #isSettled = false;
  #remainingMoved = false;
  readonly #onMoved: () => void;

  constructor(options: {
    job: JobId;
    currency: string;
    granted: Amount;
    above: Counter | undefined;
    spent: Amount;
    held: Amount;
    onMoved: () => void;
  }) {
    this.job = options.job;
    this.currency = options.currency;
    this.granted = options.granted;
    this.above = options.above;
    this.#spent = options.spent;
    this.#held = options.held;
    this.#onMoved = options.onMoved;
  }

  get spent(): Amount {
    return this.#spent;
  }
  get held(): Amount {
    return this.#held;
  }
  get remaining(): Amount {
    return this.granted - this.#spent;
  }
  /** What can still be promised, as far as this counter tells. */
  get available(): Amount {
    return this.granted - this.#spent - this.#held;
  }

  /** What can be promised of it: less than `available` where a counter above is short of what it has promised. */
  get promisable(): Amount {
    let shortfall = 0n;
    for (let counter = this.above; counter !== undefined; counter = counter.above) {
      if (counter.available < shortfall) shortfall = counter.available;
    }
    return this.available + shortfall;
  }

  /** What the counter above holds for this one. */
  get #left(): Amount {
    return this.#isSettled || this.remaining < 0n ? 0n : this.remaining;
  }

  spend(amount: Amount): void {
    const left = this.#left;
    this.#spent += amount;
    this.#remainingMoved = true;
    this.#onMoved();
    this.above?.spend(amount);
    this.above?.hold(this.#left - left);
  }

  /** @param amount negative to let go. */
  hold(amount: Amount): void {
    if (amount === 0n) return;
    this.#held += amount;
    this.#onMoved();
  }

  /** Gives back what is left; from then on nothing is held for it. */
  settle(): void {
    this.above?.hold(-this.#left);
    this.#isSettled = true;
  }

  /** Whether `remaining` moved since it was last asked. */
  takeMoved(): boolean {
    const moved = this.#remainingMoved;
    this.#remainingMoved = false;
    return moved;
  }
}

/** What moved in a job's own counters. */
export interface BudgetChanges {
  readonly row: BudgetRow;
  /** Of the counters whose remaining money moved; what is only held tells nobody anything. */
  readonly remaining: readonly { readonly currency: string; readonly remaining: Amount }[];
}

export interface PurseOptions {
  readonly job: JobId;
  /** The lease's budget: currency → decimal; null for a job that has none of its own. */
  readonly granted: Readonly<Record<string, string>> | null;
  /** The parent's purse. What is granted is held there already: `open` is what holds it. */
  readonly above?: Purse | undefined;
  /** Absent for a job whose counters never moved. */
  readonly stored?: BudgetRow | undefined;
  /** Called whenever a counter of this purse moves; must not throw. */
  readonly onChanged?: () => void;
}

export class Purse {
  readonly above: Purse | undefined;
  readonly #job: JobId;
  readonly #counters = new Map<string, Counter>();
  #moved = false;

  constructor({ job, granted, above, stored, onChanged }: PurseOptions) {
    this.#job = job;
    this.above = above;
    const states = parseCounters(stored);
    for (const [currency, amount] of Object.entries(granted ?? {})) {
      const counter = new Counter({
        job,
        currency,
        granted: parseAmount(amount, currency),
        above: above?.find(currency),
        spent: states.get(currency)?.spent ?? 0n,
        held: states.get(currency)?.held ?? 0n,
        onMoved: () => {
          this.#moved = true;
          onChanged?.();
        },
      });
      this.#counters.set(currency, counter);
    }
  }

  /**
   * The counter that a charge in this currency moves first: this job's own, else the nearest above, since a currency that
   * a child's lease leaves out is inherited. Undefined: not budgeted, and unlimited.
   */
  find(currency: string): Counter | undefined {
    return this.#counters.get(currency) ?? this.above?.find(currency);
  }

  /** Counts a reported cost, on the nearest counter and on every one above it, below zero too. */
  charge(currency: string, amount: Amount): void {
    if (amount !== 0n) this.find(currency)?.spend(amount);
  }

  /** A counter on the way from here to the root that has nothing left: the guard refuses every operation then. */
  findExhausted(): Counter | undefined {
    for (const counter of this.#counters.values()) if (counter.remaining <= 0n) return counter;
    return this.above?.findExhausted();
  }

  /**
   * Sets money aside, in all of these currencies or in none. Those that are not budgeted are not held.
   * @throws CodedError BUDGET_EXHAUSTED with details `{ currency, available, requested }`, decimals as text.
   */
  reserve(amounts: ReadonlyMap<string, Amount>): void {
    for (const [currency, requested] of amounts) {
      const promisable = this.find(currency)?.promisable;
      if (promisable === undefined || requested <= promisable || requested === 0n) continue;
      const available = formatAmount(promisable);
      throw new CodedError(
        "BUDGET_EXHAUSTED",
        `${formatAmount(requested)} ${currency} cannot be set aside: ${available} are available`,
        { details: { currency, available, requested: formatAmount(requested) } },
      );
    }
    for (const [currency, amount] of amounts) this.find(currency)?.hold(amount);
  }

  /** Gives back what `reserve` set aside. */
  unreserve(amounts: ReadonlyMap<string, Amount>): void {
    for (const [currency, amount] of amounts) this.find(currency)?.hold(-amount);
  }

  /**
   * The purse of a new child, whose budget is set aside here until it is settled.
   * @throws CodedError BUDGET_EXHAUSTED, as `reserve`.
   */
  open(child: Pick<PurseOptions, "job" | "granted" | "onChanged">): Purse {
    const granted = Object.entries(child.granted ?? {});
    this.reserve(new Map(granted.map(([currency, amount]) => [currency, parseAmount(amount, currency)])));
    return new Purse({ ...child, above: this });
  }

  /** Ends a child's purse: what it did not spend is given back, and what it overspent stays spent. Idempotent. */
  settle(child: Purse): void {
    for (const counter of child.#counters.values()) counter.settle();
  }

  /** What moved since it was last asked; undefined when nothing did. */
  takeChanges(): BudgetChanges | undefined {
    if (!this.#moved) return undefined;
    this.#moved = false;
    const states: Record<string, { spent: string; held: string }> = {};
    const remaining: { currency: string; remaining: Amount }[] = [];
    for (const counter of this.#counters.values()) {
      const { currency, spent, held } = counter;
      states[currency] = { spent: formatAmount(spent), held: formatAmount(held) };
      if (counter.takeMoved()) remaining.push({ currency, remaining: counter.remaining });
    }
    return { row: { job: this.#job, counters: JSON.stringify(states) }, remaining };
  }

  /** The counters that this job's charges move first, its own and inherited ones, by currency. */
  view(): BudgetView {
    const counters = new Map<string, CounterView>();
    for (let purse: Purse | undefined = this; purse !== undefined; purse = purse.above) {
      for (const counter of purse.#counters.values()) {
        if (!counters.has(counter.currency)) {
          counters.set(counter.currency, viewCounter(counter.granted, counter));
        }
      }
    }
    return Object.fromEntries(counters);
  }
}
