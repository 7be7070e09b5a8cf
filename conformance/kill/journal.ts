/** What the agents of the kill test write down outside the runtime, and what must be true of it. */
import { readFile } from "node:fs/promises";
import type { Judge } from "../simulation/laws.ts";

/** Names the journal's file to the runtime's process. */
export const JOURNAL_VARIABLE = "LEASEHOLD_KILL_JOURNAL";

export interface JournalEntry {
  readonly did: "ran" | "recorded";
  readonly job: string;
  readonly step: string;
}

/** No step is run after its value was known to be recorded. Returns how many were run. */
export async function checkJournal(file: string, judge: Judge): Promise<number> {
  const recorded = new Set<string>();
  let ran = 0;
  // The last line may have been cut by a kill: whole lines end with a line break.
  for (const line of (await readFile(file, "utf8")).split("\n").slice(0, -1)) {
    const { did, job, step } = JSON.parse(line) as JournalEntry;
    const name = `${job} ${step}`;
    if (did === "recorded") recorded.add(name);
    else {
      ran++;
      if (recorded.has(name)) judge.report("steps-run-once", `${name} ran again, though its value was recorded`);
    }
  }
  return ran;
}
