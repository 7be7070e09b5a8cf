/**
 * The money of a run's jobs as it must be, added up from their logs and holds, and held against the counters that the
 * runtime stored with them: after every commit, and after every crash.
 */
import type { Lease } from "../../src/kernel/authority/lease.ts";
import type { JobRecord } from "../../src/kernel/job/job-record.ts";
import { isTerminal } from "../../src/kernel/job/job-state.ts";
import type { BudgetRow, Chunk, HoldRow, Rows, Store } from "../../src/kernel/ports.ts";
import { EVENT_KINDS } from "../../src/protocol/event-kinds.ts";
import { type Amounts, addTo, readDecimal, showDecimal } from "./decimals.ts";
import type { Judge } from "./laws.ts";

interface Account {
  record: JobRecord;
  /** Its budget, as its lease has it. */
  readonly granted: Amounts;
  readonly children: string[];
  /** Costs on its log. */
  reported: Map<string, bigint>;
  /** What the store has for its counters. */
  counters: string | undefined;
  readonly holds: Map<string, HoldRow>;
}

const NOTHING: Amounts = new Map();
/** A cost on the log, and its value as it stands there. */
const COST = /"body":\{"name":"(cost\.[^"]*)","value":(-?[\d.eE+-]+)/;

export class Accounts {
  readonly #judge: Judge;
  readonly #accounts = new Map<string, Account>();

  constructor(judge: Judge) {
    this.#judge = judge;
  }

  reportedBy(job: string): Amounts {
    return this.#accounts.get(job)?.reported ?? NOTHING;
  }

  grantedTo(job: string): Amounts {
    return this.#accounts.get(job)?.granted ?? NOTHING;
  }

  /** The job, its parent, and so on to its root. */
  *wayUp(job: string): Generator<string> {
    for (let at: string | null = job; at !== null; at = this.#accounts.get(at)?.record.parent ?? null) yield at;
  }

  /** The job and everything below it. */
  *subtree(job: string): Generator<string> {
    yield job;
    for (const child of this.#accounts.get(job)?.children ?? []) yield* this.subtree(child);
  }

  /** A job that was accepted, after the one above it. */
  add(record: JobRecord): void {
    this.#open(record);
    this.#link(record);
  }

  #open(record: JobRecord): void {
    const account: Account = {
      record,
      granted: budgetOf(record),
      children: [],
      reported: new Map(),
      counters: undefined,
      holds: new Map(),
    };
    this.#accounts.set(record.id, account);
  }

  #link({ id, parent }: JobRecord): void {
    if (parent !== null) this.#accounts.get(parent)?.children.push(id);
  }

  remove(job: string): void {
    this.#accounts.delete(job);
  }

  /** What one commit says of money, once its jobs were added and changed. */
  enter(rows: Partial<Rows>, recordOf: (job: string) => JobRecord | undefined): void {
    const roots = new Set<string>();
    const promises: HoldRow[] = [];
    const before = new Map<string, Amounts>();
    const touch = (job: string): Account | undefined => {
      const account = this.#accounts.get(job);
      if (account !== undefined) roots.add(account.record.root);
      return account;
    };
    for (const { id } of rows.jobUpdates ?? []) {
      const account = this.#accounts.get(id);
      const record = recordOf(id);
      if (account !== undefined && record !== undefined) account.record = record;
      if (account !== undefined && (account.record.root !== id || account.children.length > 0)) touch(id);
    }
    for (const { job, counters } of rows.budgets ?? []) {
      const account = touch(job);
      if (account !== undefined) account.counters = counters;
    }
    for (const hold of rows.holds ?? []) {
      const account = touch(hold.job);
      if (account?.holds.get(hold.id)?.state !== "open" && hold.state === "open") promises.push(hold);
      account?.holds.set(hold.id, hold);
    }
    for (const chunk of rows.chunks ?? []) {
      if (!chunk.kinds.includes(EVENT_KINDS.metric.code)) continue;
      const account = touch(chunk.job);
      if (account === undefined) continue;
      before.set(chunk.job, new Map(account.reported));
      addCosts(chunk, account.reported);
    }
    for (const root of roots) this.#check(root);
    for (const promise of promises) this.#checkPromise(promise, before);
  }

  /** Takes over what a store that was begun from a crash image has, and checks it. */
  async readFrom(store: Store, records: readonly JobRecord[], logOf: (job: string) => Chunk): Promise<void> {
    this.#accounts.clear();
    for (const record of records) this.#open(record);
    for (const record of records) this.#link(record);
    const budgets = await store.readBudgets(records.map(({ id }) => id));
    for (const { id, root } of records) {
      const account = this.#accounts.get(id);
      if (account === undefined) continue;
      addCosts(logOf(id), account.reported);
      account.counters = budgets.get(id)?.counters;
      for (const hold of await store.readHolds(id)) account.holds.set(hold.id, hold);
      if (root === id) continue;
      if (!this.#accounts.has(root)) this.#judge.report("tree-ends-together", `${id} is without its root ${root}`);
    }
    for (const { id, root } of records) if (root === id) this.#check(root);
  }

  /** Every counter of a tree is what its logs and promises add up to; and the tree is in one piece. */
  #check(root: string): void {
    for (const id of this.subtree(root)) {
      const account = this.#accounts.get(id);
      if (account === undefined) continue;
      this.#checkHolds(account);
      if (account.granted.size === 0) continue;
      const stored = readCounters(account.counters);
      for (const currency of account.granted.keys()) {
        const { spent, held } = stored[currency] ?? { spent: "0", held: "0" };
        const asLogged = this.#spent(id, currency);
        const asPromised = this.#held(id, currency);
        if (readDecimal(spent) !== asLogged || readDecimal(held) !== asPromised) {
          const must = `${showDecimal(asLogged)} spent and ${showDecimal(asPromised)} held`;
          this.#judge.report("money-is-exact", `${id}, ${currency}: ${spent} spent and ${held} held, not ${must}`);
        }
      }
    }
  }

  /** A child's budget is held as long as it lives; nothing is held for or by what has ended. */
  #checkHolds({ record, holds }: Account): void {
    for (const { id, kind, child, state, amounts } of holds.values()) {
      const owner = child === null ? undefined : this.#accounts.get(child);
      const mayBeOpen = kind === "child" ? owner !== undefined && !isTerminal(owner.record.status) : true;
      const isOpen = state === "open";
      if (isOpen && (!mayBeOpen || isTerminal(record.status)))
        this.#judge.report("money-is-exact", `${record.id}: ${id} (${kind}) is held, and nobody is there to spend it`);
      if (kind === "child" && mayBeOpen && !isOpen)
        this.#judge.report("money-is-exact", `${record.id}: the budget of ${child}, which lives, is not held`);
      if (owner !== undefined && !isSame(readAmounts(amounts), owner.granted))
        this.#judge.report(
          "money-is-exact",
          `${record.id}: ${amounts} is held for ${child}, which was granted more or less`,
        );
    }
  }

  /**
   * Nothing was promised beyond what was available: charges of the same commit alone may have brought it below zero since.
   * @param before what each job that reports costs in this commit had reported before.
   */
  #checkPromise({ job, amounts }: HoldRow, before: ReadonlyMap<string, Amounts>): void {
    for (const [currency, amount] of readAmounts(amounts)) {
      const counter = this.#counterFor(job, currency);
      if (counter === undefined || amount === 0n) continue;
      let charged = 0n;
      for (const [below, earlier] of before)
        charged += (this.reportedBy(below).get(currency) ?? 0n) - (earlier.get(currency) ?? 0n);
      const granted = this.grantedTo(counter).get(currency) ?? 0n;
      const missing = this.#spent(counter, currency) + this.#held(counter, currency) - granted - charged;
      if (missing > 0n)
        this.#judge.report(
          "nothing-promised-twice",
          `${counter}: ${showDecimal(missing)} ${currency} too much is held`,
        );
    }
  }

  #spent(job: string, currency: string): bigint {
    let spent = 0n;
    for (const below of this.subtree(job)) spent += this.reportedBy(below).get(currency) ?? 0n;
    return spent;
  }

  #held(job: string, currency: string): bigint {
    let held = 0n;
    for (const below of this.subtree(job)) {
      if (this.#counterFor(below, currency) !== job) continue;
      for (const { state, amounts, child } of this.#accounts.get(below)?.holds.values() ?? []) {
        if (state !== "open") continue;
        const promised = readAmounts(amounts).get(currency) ?? 0n;
        const left = child === null ? promised : promised - this.#spent(child, currency);
        if (left > 0n) held += left;
      }
    }
    return held;
  }

  /** Whose counter a charge of `job` moves first. */
  #counterFor(job: string, currency: string): string | undefined {
    for (const above of this.wayUp(job)) if (this.grantedTo(above).has(currency)) return above;
    return undefined;
  }
}

function budgetOf({ lease }: JobRecord): Amounts {
  const { budget = null } = lease === null ? {} : (JSON.parse(lease) as Partial<Lease>);
  return new Map(Object.entries(budget ?? {}).map(([currency, amount]) => [currency, readDecimal(amount)]));
}

function addCosts({ kinds, payloads }: Pick<Chunk, "kinds" | "payloads">, reported: Map<string, bigint>): void {
  for (const [index, payload] of payloads.entries()) {
    if (kinds.charAt(index) !== EVENT_KINDS.metric.code) continue;
    const [, name = "", value = "0"] = COST.exec(payload) ?? [];
    if (name === "" || name.startsWith("cost.budget.")) continue;
    const { unit } = (JSON.parse(payload) as { body: { unit?: string } }).body;
    if (unit !== undefined) addTo(reported, unit, readDecimal(value));
  }
}

function readCounters(
  row: BudgetRow["counters"] | undefined,
): Readonly<Record<string, { spent: string; held: string }>> {
  return row === undefined ? {} : JSON.parse(row);
}

function readAmounts(text: string): Amounts {
  return new Map(
    Object.entries(JSON.parse(text) as Record<string, string>).map(([name, sum]) => [name, readDecimal(sum)]),
  );
}

function isSame(left: Amounts, right: Amounts): boolean {
  return left.size === right.size && [...left].every(([currency, amount]) => right.get(currency) === amount);
}
