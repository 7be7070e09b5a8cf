/** Integer keys of jobs and sessions, and the epochs of trees: from memory where they were used lately. */
import type { JobId, SessionId } from "../../kernel/ids.ts";
import { StoreError } from "../../kernel/store-error.ts";
import type { Database } from "./database.ts";
import { HotKeys } from "./hot-keys.ts";

/** At most twice this many jobs, and as many sessions, are remembered: some 3 MB. Beyond, a key costs an index lookup. */
const HOT_GENERATION = 8192;

interface JobKey {
  readonly key: number;
  /** The tree's epoch; null when the job is not a root. */
  readonly epoch: number | null;
}

/**
 * True to the database as long as `forget` is called whenever a transaction failed or changed epochs: what a transaction
 * adds is remembered before it is committed.
 */
export interface Keys {
  findJob(id: JobId): JobKey | undefined;
  /** @throws StoreError when there is no such job. */
  jobKey(id: JobId): number;
  /** @throws StoreError when there is no such job, or it is not the root of its tree. */
  rootKey(id: JobId): number;
  /** The key for a job about to be inserted. */
  addJob(id: JobId, isRoot: boolean): number;
  findSession(id: SessionId): number | undefined;
  /** @throws StoreError when there is no such session. */
  sessionKey(id: SessionId): number;
  addSession(id: SessionId): number;
  dropSession(id: SessionId): void;
  /** Forgets a job that is removed in this transaction. */
  dropJob(id: JobId): void;
  forget(): void;
}

export const FIRST_EPOCH = 1;

export function createKeys(database: Database): Keys {
  const selectJob = database.prepare<JobKey>("SELECT key, epoch FROM jobs WHERE id = ?");
  const selectSession = database.prepare<{ key: number }>("SELECT key FROM sessions WHERE id = ?");
  const lastOf = (table: "jobs" | "sessions") =>
    database.prepare<{ last: number }>(`SELECT coalesce(max(key), 0) AS last FROM ${table}`).get()?.last ?? 0;

  const jobs = new HotKeys<JobKey>(HOT_GENERATION);
  const sessions = new HotKeys<number>(HOT_GENERATION);
  // A key is never given twice: what is left of a removed job must not become another's.
  const lastRemoved =
    database.prepare<{ last: number | null }>("SELECT max(job) AS last FROM removals").get()?.last ?? 0;
  let lastJob = Math.max(lastOf("jobs"), lastRemoved);
  let lastSession = lastOf("sessions");

  function findJob(id: JobId): JobKey | undefined {
    const hot = jobs.get(id);
    if (hot !== undefined) return hot;
    const found = selectJob.get(id);
    if (found !== undefined) jobs.set(id, found);
    return found;
  }

  function findSession(id: SessionId): number | undefined {
    const hot = sessions.get(id);
    if (hot !== undefined) return hot;
    const found = selectSession.get(id)?.key;
    if (found !== undefined) sessions.set(id, found);
    return found;
  }

  return {
    findJob,
    jobKey(id) {
      const found = findJob(id);
      if (found === undefined) throw new StoreError(`there is no job ${id}`);
      return found.key;
    },
    rootKey(id) {
      const found = findJob(id);
      if (found === undefined || found.epoch === null) throw new StoreError(`there is no job tree ${id}`);
      return found.key;
    },
    addJob(id, isRoot) {
      lastJob += 1;
      jobs.set(id, { key: lastJob, epoch: isRoot ? FIRST_EPOCH : null });
      return lastJob;
    },
    findSession,
    sessionKey(id) {
      const key = findSession(id);
      if (key === undefined) throw new StoreError(`there is no session ${id}`);
      return key;
    },
    addSession(id) {
      lastSession += 1;
      sessions.set(id, lastSession);
      return lastSession;
    },
    dropSession: (id) => sessions.delete(id),
    dropJob: (id) => jobs.delete(id),
    forget() {
      jobs.clear();
      sessions.clear();
    },
  };
}
