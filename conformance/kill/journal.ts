/** What the agents of the kill test write down outside the runtime, and what must be true of it. */
import { readFile } from "node:fs/promises";
import { type Amounts, addTo, readDecimal } from "../simulation/decimals.ts";
import type { Judge } from "../simulation/laws.ts";

/** Names the journal's file to the runtime's process. */
export const JOURNAL_VARIABLE = "LEASEHOLD_KILL_JOURNAL";

export type JournalEntry =
  | { readonly did: "ran" | "recorded"; readonly job: string; readonly step: string }
  /** Costs, once they were durable: currency → decimal. */
  | { readonly did: "paid"; readonly job: string; readonly amounts: Readonly<Record<string, string>> };

async function readJournal(file: string): Promise<readonly JournalEntry[]> {
  // The last line may have been cut by a kill: whole lines end with a line break.
  const lines = (await readFile(file, "utf8")).split("\n").slice(0, -1);
  return lines.map((line) => JSON.parse(line) as JournalEntry);
}

/** What each job was told that it has paid, by currency. */
export async function readPayments(file: string): Promise<ReadonlyMap<string, Amounts>> {
  const payments = new Map<string, Map<string, bigint>>();
  for (const entry of await readJournal(file)) {
    if (entry.did !== "paid") continue;
    const paid = payments.get(entry.job) ?? new Map<string, bigint>();
    payments.set(entry.job, paid);
    for (const [currency, amount] of Object.entries(entry.amounts)) addTo(paid, currency, readDecimal(amount));
  }
  return payments;
}

/** No step is run after its value was known to be recorded. Returns how many were run. */
export async function checkJournal(file: string, judge: Judge): Promise<number> {
  const recorded = new Set<string>();
  let ran = 0;
  for (const entry of await readJournal(file)) {
    if (entry.did === "paid") continue;
    const { did, job, step } = entry;
    const name = `${job} ${step}`;
    if (did === "recorded") recorded.add(name);
    else {
      ran++;
      if (recorded.has(name)) judge.report("steps-run-once", `${name} ran again, though its value was recorded`);
    }
  }
  return ran;
}
