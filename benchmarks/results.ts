/** What a measurement yields: rows of figures, one figure per round, beside the bare server's and the reach. */
import { median } from "./statistics.ts";

export type Unit = "/s" | "ns" | "ms" | "KB" | "MB";

/** What the project set out to reach. */
export interface Reach {
  readonly direction: "at least" | "at most";
  readonly limit: number;
}

export interface Row {
  readonly what: string;
  readonly unit: Unit;
  /** Leasehold's figure in each round. */
  readonly leasehold: readonly number[];
  /** The bare `ws` server's figure in each round, where there is a counterpart. */
  readonly bare?: readonly number[];
  readonly reach?: Reach;
}

export interface Findings {
  readonly rows: readonly Row[];
  /** Sentences that help to read the rows, such as a limit of the load client itself. */
  readonly notes?: readonly string[];
}

/** A row with its rounds summed up. */
export interface Verdict {
  readonly what: string;
  readonly unit: Unit;
  readonly leasehold: number;
  readonly bare: number | null;
  /** Leasehold's figure divided by the bare server's; null where that says nothing. */
  readonly ratio: number | null;
  readonly reach: Reach | null;
  /** How much of the reach is there: 1 and above means met. Null without a reach. */
  readonly attained: number | null;
}

/** The medians of a row, and how they compare. */
export function judge(row: Row): Verdict {
  const leasehold = median(row.leasehold);
  const bare = row.bare === undefined ? null : median(row.bare);
  return {
    what: row.what,
    unit: row.unit,
    leasehold,
    bare,
    ratio: bare === null || bare <= 0 ? null : leasehold / bare,
    reach: row.reach ?? null,
    attained: row.reach === undefined ? null : attained(row.reach, leasehold),
  };
}

function attained(reach: Reach, value: number): number {
  if (reach.direction === "at least") return value / reach.limit;
  // Growth of memory may come out at zero or below, which is as good as it gets.
  return value <= 0 ? Number.POSITIVE_INFINITY : reach.limit / value;
}

export function atLeast(limit: number): Reach {
  return { direction: "at least", limit };
}

export function atMost(limit: number): Reach {
  return { direction: "at most", limit };
}
