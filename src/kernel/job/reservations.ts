/**
 * Money an agent sets aside before it spends it (§9.6). A reservation is held from what the budget has available, and
 * ends by being committed, which charges what was spent, or released. It is a row beside the counters it moved: a crash
 * loses neither without the other.
 *
 * When the job ends, its last attempt's open reservations are given back: the agent is shut out, and what it spent it has
 * reported. Those that an earlier attempt left and nobody took up again count as spent, since nobody knows: their
 * attempt was cut off, perhaps in the middle of what it had reserved for.
 */
import { CodedError } from "../../protocol/errors.ts";
import { type Amounts, amountsText, parseAmounts, readAmounts } from "../authority/amounts.ts";
import { type Amount, formatAmount } from "../authority/decimal.ts";
import type { Purse } from "../authority/purse.ts";
import type { HoldRow } from "../ports.ts";
import { digestOf } from "./digest.ts";
import type { JobRecord } from "./job-record.ts";
import { assertCostName, type Metric } from "./metric.ts";
import { assertKey } from "./submission-checks.ts";

/** Reservations a job may have open at a time, over all its attempts. Further ones are refused. */
export const MAX_OPEN_RESERVATIONS = 256;
/** Reservations of one job in all, each of which leaves a row until the job's history goes. Further ones are refused. */
const MAX_RESERVATIONS = 100_000;
const DEFAULT_COST_NAME = "cost.reservation";

/** An open reservation, as its holder has it. */
export interface ReservationHandle {
  /** Unique within the job. */
  readonly id: string;
  /** True where an earlier attempt committed it: what it was for is done, and paid. */
  readonly committed: boolean;
  /**
   * Charges what was spent, as one `cost.*` metric a currency, and gives the hold back, in one turn and one commit. Does
   * nothing where an earlier attempt has done it.
   * @param actual default: all of what was reserved. It may be less, or more.
   * @param name of the metrics. Default: `cost.reservation`.
   * @returns a promise of room, as of any emission.
   * @throws CodedError INVALID_REQUEST for wrong amounts, or when it was committed or released before.
   */
  commit(actual?: Amounts, name?: string): Promise<void>;
  /** Gives all of it back. Does nothing once it is committed or released, or the attempt is shut out. */
  release(): Promise<void>;
}

/** What reservations need of their job. */
export interface ReservingJob {
  readonly record: JobRecord;
  readonly purse: Purse | undefined;
  addHold(row: HoldRow): void;
  /** Puts the metric on the log and moves the counters, whoever is shut out. */
  charge(metric: Metric): void;
}

/** What settles reservations: the attempt that made them, or took them up. */
export interface Cashier {
  /** See `JobHost.report`. */
  report(metric: Metric): Promise<void> | undefined;
  /** @throws the stop reason once the attempt is shut out. */
  assertRunning(): void;
  isStopped(): boolean;
}

interface Reservation {
  readonly row: HoldRow;
  readonly amounts: ReadonlyMap<string, Amount>;
  /** False while it is an earlier attempt's. */
  isTaken: boolean;
}

export class Reservations {
  readonly #job: ReservingJob;
  /** By key: what earlier attempts left, and what was released under a key of its own; whoever asks for one takes it out. */
  readonly #earlier = new Map<string, HoldRow>();
  readonly #open = new Map<string, Reservation>();
  /** Keys of their own that this attempt has asked for. */
  readonly #taken = new Set<string>();
  /** How many there were without a key of their own, by digest. */
  readonly #ordinals = new Map<string, number>();
  #count = 0;

  /** @param rows the job's holds as they are stored; those of children are none of this one's business. */
  constructor(job: ReservingJob, rows: readonly HoldRow[]) {
    this.#job = job;
    for (const row of rows) {
      if (row.kind !== "reservation") continue;
      this.#earlier.set(row.key, row);
      if (row.state === "open") this.#open.set(row.id, { row, amounts: readAmounts(row.amounts), isTaken: false });
      this.#count++;
    }
  }

  /**
   * Sets money aside, or finds what an earlier attempt set aside under the same key.
   * @returns whether it is new: then it is durable only with the next commit.
   * @throws CodedError BUDGET_EXHAUSTED when not all of it is available; DUPLICATE_KEY for a key used with other amounts;
   * INVALID_REQUEST for wrong arguments, a key used before in this attempt, or beyond a limit.
   */
  reserve(
    asked: Amounts,
    key: string | undefined,
    cashier: Cashier,
  ): { readonly handle: ReservationHandle; readonly isNew: boolean } {
    const amounts = parseAmounts(asked, "reserve.amounts");
    const digest = digestOf([...amounts].map(([currency, amount]) => [currency, formatAmount(amount)]).sort());
    const name = key === undefined ? this.#nextKey(digest) : `=${assertKey(key, "reserve.key")}`;
    if (this.#taken.has(name)) {
      throw new CodedError(
        "INVALID_REQUEST",
        `the key ${JSON.stringify(key)} was used before in this attempt: every reservation of a job needs one of its own`,
        { details: { field: "reserve.key" } },
      );
    }
    const earlier = this.#earlier.get(name);
    if (earlier !== undefined && earlier.digest !== digest) {
      throw new CodedError(
        "DUPLICATE_KEY",
        `the key ${JSON.stringify(key)} stands for a reservation of other amounts by an earlier attempt`,
        { details: { field: "reserve.key", amounts: JSON.parse(earlier.amounts) } },
      );
    }
    if (key !== undefined) this.#taken.add(name);
    try {
      // One that was given back is a new one under the same id.
      const isNew = earlier === undefined || earlier.state === "released";
      const row = isNew ? this.#add(name, digest, amounts, earlier?.id) : earlier;
      const reservation = this.#open.get(row.id) ?? { row, amounts, isTaken: true };
      reservation.isTaken = true;
      this.#earlier.delete(name);
      return { handle: this.#handle(reservation, cashier), isNew };
    } catch (error) {
      // What was refused was never made: its key, or its place, is the next one's, where a later attempt looks for it.
      this.#taken.delete(name);
      if (key === undefined) this.#giveBack(digest);
      throw error;
    }
  }

  /** The job's outcome is fixed: gives back what this attempt has open, and counts as spent what nobody knows of. */
  conclude(): void {
    for (const reservation of this.#open.values()) {
      const { row, amounts, isTaken } = reservation;
      if (!isTaken) {
        for (const [currency, amount] of amounts) {
          const dimensions = { reservation: row.id, outcome: "unknown" };
          this.#job.charge({ name: DEFAULT_COST_NAME, value: formatAmount(amount), unit: currency, dimensions });
        }
      }
      this.#close(reservation, isTaken ? "released" : "settled");
    }
  }

  #add(key: string, digest: string, amounts: ReadonlyMap<string, Amount>, id: string | undefined): HoldRow {
    if (this.#open.size >= MAX_OPEN_RESERVATIONS) {
      throw beyond(`a job may have ${MAX_OPEN_RESERVATIONS} reservations open at a time: commit or release some`);
    }
    if (id === undefined && this.#count >= MAX_RESERVATIONS) {
      throw beyond(`a job may make ${MAX_RESERVATIONS} reservations in all: reserve for more at a time`);
    }
    this.#job.purse?.reserve(amounts);
    const { record } = this.#job;
    const row: HoldRow = {
      job: record.id,
      id: id ?? `hold_${++this.#count}`,
      kind: "reservation",
      key,
      digest,
      amounts: amountsText(amounts),
      child: null,
      state: "open",
      attempt: record.attempt,
    };
    this.#open.set(row.id, { row, amounts, isTaken: true });
    this.#job.addHold(row);
    return row;
  }

  #handle(reservation: Reservation, cashier: Cashier): ReservationHandle {
    const { row, amounts } = reservation;
    const committed = row.state === "settled";
    return {
      id: row.id,
      committed,
      commit: async (actual, name = DEFAULT_COST_NAME) => {
        cashier.assertRunning();
        if (committed) return;
        assertCostName(name, "commit.name");
        const spent = actual === undefined ? amounts : parseAmounts(actual, "commit.actual");
        if (this.#open.get(row.id) !== reservation) {
          throw new CodedError("INVALID_REQUEST", `reservation ${row.id} is committed or released already`);
        }
        let room: Promise<void> | undefined;
        for (const [currency, amount] of spent) {
          const dimensions = { reservation: row.id };
          room = cashier.report({ name, value: formatAmount(amount), unit: currency, dimensions });
        }
        this.#close(reservation, "settled");
        await room;
      },
      release: async () => {
        if (cashier.isStopped() || this.#open.get(row.id) !== reservation) return;
        this.#close(reservation, "released");
        if (!this.#taken.delete(row.key)) return;
        this.#earlier.set(row.key, { ...row, state: "released" });
      },
    };
  }

  #close({ row, amounts }: Reservation, state: HoldRow["state"]): void {
    this.#open.delete(row.id);
    this.#job.purse?.unreserve(amounts);
    this.#job.addHold({ ...row, state });
  }

  /** Which one it is among those of the same amounts. */
  #nextKey(digest: string): string {
    const ordinal = this.#ordinals.get(digest) ?? 0;
    this.#ordinals.set(digest, ordinal + 1);
    return `${ordinal}/${digest}`;
  }

  #giveBack(digest: string): void {
    const last = (this.#ordinals.get(digest) ?? 0) - 1;
    if (last > 0) this.#ordinals.set(digest, last);
    else this.#ordinals.delete(digest);
  }
}

function beyond(what: string): CodedError {
  return new CodedError("INVALID_REQUEST", what, { details: { field: "reserve" } });
}
