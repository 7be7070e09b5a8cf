/**
 * One process for a data directory. The lock is SQLite's own on an empty database beside the data, held by an open
 * exclusive transaction: the operating system drops it when the process dies, however it dies, so there is no stale lock
 * to tell from a live one. The pid beside it only names the holder in the message.
 */
import { readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { StoreError } from "../../kernel/store-error.ts";
import { storeError } from "./database.ts";

const BUSY = 5;

export interface DirectoryLock {
  /** Idempotent. */
  release(): void;
}

/** @throws StoreError when another process, or this one, holds the lock; its pid is named as far as it is known. */
export function lockDirectory(directory: string): DirectoryLock {
  const pidFile = join(directory, "leasehold.pid");
  // Nothing else may open this file: a POSIX lock falls when its process closes any descriptor of the file.
  const lock = new DatabaseSync(join(directory, "leasehold.lock"), { open: false });
  try {
    lock.open();
    lock.exec("BEGIN EXCLUSIVE");
  } catch (error) {
    if (lock.isOpen) lock.close();
    if (error instanceof Error && "errcode" in error && error.errcode === BUSY) {
      throw new StoreError(
        `the data directory ${directory} is in use by ${holder(pidFile)}: stop it first, or use another directory`,
        { cause: error },
      );
    }
    throw storeError(error, `cannot lock the data directory ${directory}`);
  }

  // Renamed into place: whoever is refused meanwhile reads a whole pid or the one before.
  writeFileSync(`${pidFile}.new`, `${process.pid}\n`);
  renameSync(`${pidFile}.new`, pidFile);

  return {
    release() {
      if (!lock.isOpen) return;
      rmSync(pidFile, { force: true });
      lock.close();
    },
  };
}

/** The pid may be that of a holder before, in the moment between taking the lock and writing it: name only live ones. */
function holder(pidFile: string): string {
  let pid: number;
  try {
    pid = Number(readFileSync(pidFile, "utf8"));
  } catch {
    return "another process";
  }
  return isAlive(pid) ? `process ${pid}` : "another process";
}

function isAlive(pid: number): boolean {
  if (!Number.isSafeInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // Somebody else's process refuses the signal, and lives.
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}
