/**
 * The store in one SQLite file, `leasehold.db` in the data directory: WAL and `synchronous=FULL`, so a commit survives
 * power loss. It works in the thread that calls it: a commit blocks it for one fsync, which measures better than handing
 * each batch to another thread.
 */
import { closeSync, fsyncSync, mkdirSync, openSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import type { Store } from "../../kernel/ports.ts";
import { StoreError } from "../../kernel/store-error.ts";
import { createWake } from "../wake.ts";
import { createCommands } from "./commands.ts";
import { commitBatch, type Tables } from "./commit.ts";
import { type Database, openDatabase } from "./database.ts";
import { type DirectoryLock, lockDirectory } from "./directory-lock.ts";
import { createJobs } from "./jobs.ts";
import { createKeys } from "./keys.ts";
import { createLog } from "./log.ts";
import { migrate } from "./migrations.ts";
import { createSessions } from "./sessions.ts";
import { createTrees } from "./trees.ts";

export interface SqliteStoreOptions {
  /** The data directory, on a local disk; made, with mode 700, when it is not there. */
  readonly directory: string;
  /** How large the database file may grow, in bytes. Beyond, commits are rejected as on a full disk. Default: no limit. */
  readonly maxBytes?: number;
}

/**
 * Opens the store and takes the directory for this process until the store is closed.
 * @throws StoreError when another process has the directory (its pid is named, nothing is touched), when the database is
 * from a newer version, or when it cannot be opened.
 */
export async function openSqliteStore({ directory, maxBytes }: SqliteStoreOptions): Promise<Store> {
  const path = resolve(directory);
  makeDirectory(path);
  const lock = lockDirectory(path);
  let database: Database | undefined;
  try {
    const file = join(path, "leasehold.db");
    makePrivate(file);
    database = openDatabase(file, maxBytes);
    migrate(database, file);
    return createStore(prepareTables(database), lock);
  } catch (error) {
    database?.close();
    lock.release();
    throw error;
  }
}

/** Makes the directory last: its entry, and those of the directories made on the way, are on the disk. */
function makeDirectory(path: string): void {
  const first = mkdirSync(path, { recursive: true, mode: 0o700 });
  if (first === undefined) return;
  let made = path;
  do {
    made = dirname(made);
    const descriptor = openSync(made, "r");
    fsyncSync(descriptor);
    closeSync(descriptor);
  } while (made !== dirname(first));
}

/** A new database is its owner's alone, also in a directory others may read. SQLite gives its other files the same mode. */
function makePrivate(file: string): void {
  closeSync(openSync(file, "a", 0o600));
}

function prepareTables(database: Database): Tables {
  const keys = createKeys(database);
  return {
    database,
    keys,
    jobs: createJobs(database, keys),
    log: createLog(database, keys),
    sessions: createSessions(database, keys),
    trees: createTrees(database, keys),
    commands: createCommands(database, keys),
  };
}

function createStore(tables: Tables, lock: DirectoryLock): Store {
  const { database, jobs, log, sessions, trees, commands } = tables;
  const wake = createWake();
  let closed = false;
  let fault: StoreError | undefined;

  function requireOpen(): void {
    if (closed) throw new StoreError("the store is closed");
  }

  /** After a fatal error nobody knows what the disk holds: nothing is written on top of it. */
  function write<Result>(work: () => Result): Result {
    requireOpen();
    if (fault !== undefined) throw fault;
    try {
      return work();
    } catch (error) {
      if (error instanceof StoreError && error.fatal) fault = error;
      throw error;
    }
  }

  return {
    async commit(batch) {
      const outcome = write(() => commitBatch(tables, batch));
      if (outcome.committed) wake.committed(batch);
      return outcome;
    },
    async claimTrees(node) {
      return write(() => trees.claim(node));
    },
    async readJob(id) {
      requireOpen();
      return jobs.read(id);
    },
    async readHeads(ids) {
      requireOpen();
      return new Map(ids.map((id) => [id, log.head(id)]));
    },
    async listJobs(query) {
      requireOpen();
      return jobs.list(query);
    },
    async readChunks(query) {
      requireOpen();
      return log.read(query);
    },
    async readIdempotency(principal, key) {
      requireOpen();
      return jobs.readKey(principal, key);
    },
    async readSteps(job) {
      requireOpen();
      return jobs.readSteps(job);
    },
    async readSession(id) {
      requireOpen();
      return sessions.read(id);
    },
    async readSegments(session, after, limit) {
      requireOpen();
      return sessions.readSegments(session, after, limit);
    },
    async listSessions() {
      requireOpen();
      return sessions.list();
    },
    async readCommands(node) {
      requireOpen();
      return commands.readOpen(node);
    },
    async readCommandOutcome(id) {
      requireOpen();
      return commands.readOutcome(id);
    },
    onWake: (listener) => wake.listen(listener),
    async close() {
      if (closed) return;
      closed = true;
      wake.clear();
      try {
        database.close();
      } finally {
        lock.release();
      }
    },
  };
}
