/** The money of a killed runtime's jobs: whatever was under way, its counters are what its logs and holds add up to. */
import { DEFAULT_TENANT } from "../../src/identity/token-record.ts";
import type { JobRecord } from "../../src/kernel/job/job-record.ts";
import type { Chunk, JobPlace, Store } from "../../src/kernel/ports.ts";
import { everyoneOf } from "../../src/kernel/principal.ts";
import { openSqliteStore } from "../../src/stores/sqlite/sqlite-store.ts";
import { Accounts } from "../simulation/accounts.ts";
import { showDecimal } from "../simulation/decimals.ts";
import type { Judge } from "../simulation/laws.ts";
import { readPayments } from "./journal.ts";

const EVERYONE = [everyoneOf(DEFAULT_TENANT)];
const PAGE = 10_000;

/**
 * Reads the data of a runtime that is not running. Also: whatever an agent was told to be paid is on its job's log.
 * @returns how many jobs of trees with a lease there are.
 */
export async function checkCounters(options: { data: string; journal: string; judge: Judge }): Promise<number> {
  const store = await openSqliteStore({ directory: options.data });
  try {
    const jobs = await readTrees(store);
    const logs = new Map<string, Chunk>();
    for (const { id } of jobs) logs.set(id, await readLog(store, id));
    const accounts = new Accounts(options.judge);
    await accounts.readFrom(store, jobs, (job) => logs.get(job) ?? { job, firstSeq: 1, kinds: "", payloads: [] });
    for (const [job, paid] of await readPayments(options.journal)) {
      for (const [currency, amount] of paid) {
        const logged = accounts.reportedBy(job).get(currency) ?? 0n;
        if (logged >= amount) continue;
        const lost = showDecimal(amount - logged);
        options.judge.report("no-event-lost", `${job}: ${lost} ${currency} that were paid are not on its log`);
      }
    }
    return jobs.length;
  } finally {
    await store.close();
  }
}

/** Every job of a tree with a lease; the others have nothing to be counted. */
async function readTrees(store: Store): Promise<readonly JobRecord[]> {
  const jobs: JobRecord[] = [];
  let from: JobPlace | undefined;
  do {
    const page = await store.listJobs({
      principals: EVERYONE,
      limit: PAGE,
      ...(from === undefined ? {} : { from }),
    });
    jobs.push(...page.jobs);
    from = page.next;
  } while (from !== undefined);
  const budgeted = new Set(jobs.filter(({ lease }) => lease !== null).map(({ root }) => root));
  return jobs.filter(({ root }) => budgeted.has(root));
}

async function readLog(store: Store, job: string): Promise<Chunk> {
  let kinds = "";
  const payloads: string[] = [];
  for (;;) {
    const page = await store.readChunks({ job, after: payloads.length, limit: PAGE });
    if (page.length === 0) return { job, firstSeq: 1, kinds, payloads };
    for (const chunk of page) {
      kinds += chunk.kinds;
      payloads.push(...chunk.payloads);
    }
  }
}
