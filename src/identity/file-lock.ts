/**
 * One writer at a time, over all processes of this machine. The lock is an exclusive transaction on an empty SQLite
 * file: the operating system releases it when its holder dies, so no lock is ever stale, and none has to be broken by
 * guessing whether its holder lives (which a process id from another container could not tell). Only SQLite may open
 * the file: POSIX drops a process's locks on a file when the process closes any other descriptor of it.
 */
import type { DatabaseSync } from "node:sqlite";
import type { World } from "../platform/world.ts";

/** How long to wait for another holder, in milliseconds. A holder is done within one fsync. */
export const LOCK_WAIT_MS = 5_000;
const RETRY_MS = 20;
/** `errcode` of a lock held elsewhere. */
const SQLITE_BUSY = 5;

function isBusy(error: unknown): boolean {
  return error instanceof Error && "errcode" in error && error.errcode === SQLITE_BUSY;
}

/** An open transaction that holds the lock, or undefined when another holds it. */
async function tryLock(path: string): Promise<DatabaseSync | undefined> {
  // Loaded where it is used: an isolated agent imports this package in a process that has no SQLite.
  const sqlite = await import("node:sqlite");
  const database = new sqlite.DatabaseSync(path, { timeout: 0 });
  try {
    database.exec("BEGIN EXCLUSIVE");
    return database;
  } catch (error) {
    database.close();
    if (isBusy(error)) return undefined;
    throw error;
  }
}

/**
 * Runs `work` while holding the lock kept in the file at `path`, which is created when missing and stays.
 * @throws whatever `busy()` returns, when another holds the lock for `LOCK_WAIT_MS`.
 */
export async function withFileLock<Result>(
  path: string,
  world: Pick<World, "clock" | "timers">,
  busy: () => Error,
  work: () => Promise<Result>,
): Promise<Result> {
  const giveUpAt = world.clock.now() + LOCK_WAIT_MS;
  let lock = await tryLock(path);
  while (lock === undefined) {
    if (world.clock.now() >= giveUpAt) throw busy();
    await new Promise<void>((resolve) => world.timers.after(RETRY_MS, resolve));
    lock = await tryLock(path);
  }
  try {
    return await work();
  } finally {
    lock.close();
  }
}
