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
import { createArtifacts } from "./artifacts.ts";
import { createAudit } from "./audit.ts";
import { createBudgets } from "./budgets.ts";
import { createCommands } from "./commands.ts";
import { commitBatch, type Tables } from "./commit.ts";
import { explainFault, watchFile } from "./damage.ts";
import { type Database, openDatabase } from "./database.ts";
import { type DirectoryLock, lockDirectory } from "./directory-lock.ts";
import { createJobListing } from "./job-listing.ts";
import { createJobs } from "./jobs.ts";
import { createKeys } from "./keys.ts";
import { createLog } from "./log.ts";
import { migrate } from "./migrations.ts";
import { createPermissions } from "./permissions.ts";
import { createRetention } from "./retention.ts";
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
  const file = join(path, "leasehold.db");
  let database: Database | undefined;
  try {
    makePrivate(file);
    database = openDatabase(file, maxBytes);
    migrate(database, file);
    return createStore(prepareTables(database), lock, file);
  } catch (error) {
    database?.close();
    lock.release();
    throw explainFault(error, file);
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
    retention: createRetention(database, keys),
    sessions: createSessions(database, keys),
    trees: createTrees(database, keys),
    commands: createCommands(database, keys),
    artifacts: createArtifacts(database),
    budgets: createBudgets(database, keys),
    permissions: createPermissions(database, keys),
    audit: createAudit(database),
    jobListing: createJobListing(database),
  };
}

/** A look at the file costs little beside a commit, and nothing beside so many. */
const COMMITS_PER_LOOK = 64;

function createStore(tables: Tables, lock: DirectoryLock, file: string): Store {
  const { database, retention, jobs, log, sessions, trees, commands, artifacts, budgets, permissions } = tables;
  const { audit, jobListing } = tables;
  const wake = createWake();
  const assertInPlace = watchFile(file);
  let commits = 0;
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
      throw failed(error);
    }
  }

  function read<Result>(work: () => Result): Result {
    requireOpen();
    try {
      return work();
    } catch (error) {
      throw failed(error);
    }
  }

  function failed(error: unknown): unknown {
    const explained = explainFault(error, file);
    if (explained instanceof StoreError && explained.fatal) fault ??= explained;
    return explained;
  }

  return {
    async commit(batch) {
      const outcome = write(() => {
        if (++commits % COMMITS_PER_LOOK === 0) assertInPlace();
        return commitBatch(tables, batch);
      });
      if (outcome.committed) wake.committed(batch);
      return outcome;
    },
    async claimTrees(node) {
      return write(() => trees.claim(node));
    },
    async readJob(id) {
      return read(() => jobs.read(id));
    },
    async readTree(root) {
      return read(() => trees.read(root));
    },
    async readInput(job) {
      return read(() => jobs.readInput(job));
    },
    async readHeads(ids) {
      return read(() => new Map(ids.map((id) => [id, log.head(id)])));
    },
    async listJobs(query) {
      return read(() => jobListing(query));
    },
    async listAudit(query) {
      return read(() => audit.list(query));
    },
    async readChunks(query) {
      return read(() => log.read(query));
    },
    async readLatest(job, codes) {
      return read(() => log.readLatest(job, codes));
    },
    async readIdempotency(principal, key) {
      return read(() => jobs.readKey(principal, key));
    },
    async readSteps(job) {
      return read(() => jobs.readSteps(job));
    },
    async readBudgets(ids) {
      return read(() => budgets.read(ids));
    },
    async readHolds(job, after = "") {
      return read(() => budgets.readHolds(job, after));
    },
    async readPermission(id) {
      return read(() => permissions.read(id));
    },
    async readPermissionsOf(job) {
      return read(() => permissions.readOf(job));
    },
    async listPermissions(query) {
      return read(() => permissions.list(query));
    },
    async readArtifact(id) {
      return read(() => artifacts.read(id));
    },
    async sumArtifacts(job) {
      return read(() => artifacts.sum(job));
    },
    async findNamedContents(digests) {
      return read(() => artifacts.findNamed(digests));
    },
    async readLogBytes(job) {
      return read(() => log.bytes(job));
    },
    async readSize() {
      return read(() => {
        assertInPlace();
        return retention.size();
      });
    },
    async findRemovable(query) {
      return read(() => retention.find(query));
    },
    async removeTrees(roots) {
      return write(() => retention.remove(roots));
    },
    async removeCommands(createdBefore, limit) {
      return write(() => commands.remove(createdBefore, limit));
    },
    async readSession(id) {
      return read(() => sessions.read(id));
    },
    async readSegments(session, after, limit) {
      return read(() => sessions.readSegments(session, after, limit));
    },
    async listSessions() {
      return read(() => sessions.list());
    },
    async measureSession(id) {
      return read(() => sessions.measure(id));
    },
    async readCommands(node) {
      return read(() => commands.readOpen(node));
    },
    async readCommandOutcome(id) {
      return read(() => commands.readOutcome(id));
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
