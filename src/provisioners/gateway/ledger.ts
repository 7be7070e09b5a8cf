/**
 * What is kept of the gateway's keys, in `gateway.db` of its data directory: their bounds, the hash of each, what each has
 * spent, and what is set aside for calls under way. All changes of one turn are one commit. A call that was under way when
 * the process ended, however it ended, counts as if it had cost all that was set aside for it.
 */
import { closeSync, mkdirSync, openSync } from "node:fs";
import { join } from "node:path";
import { type Amount, formatAmount, parseSum } from "../../kernel/authority/decimal.ts";
import { StoreError } from "../../kernel/store-error.ts";
import type { Timers } from "../../platform/world.ts";
import { explainFault, watchFile } from "../../stores/sqlite/damage.ts";
import { type Database, openDatabase } from "../../stores/sqlite/database.ts";
import { lockDirectory } from "../../stores/sqlite/directory-lock.ts";

export interface KeyRow {
  readonly id: string;
  readonly alias: string;
  /** SHA-256 of the key, in hex. Null for an alias that was revoked before a key was made for it. */
  readonly hash: string | null;
  readonly models: readonly string[];
  readonly cap: Amount;
  /** Milliseconds since the epoch; null for never. */
  readonly expiresAt: number | null;
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly createdAt: number;
  readonly revokedAt: number | null;
  /** What was asked for when it was made, as text to compare with. */
  readonly request: string;
}

export interface Ledger {
  /** All keys as they were when the ledger was opened, with what they had spent. */
  readonly opened: readonly { readonly row: KeyRow; readonly spent: Amount }[];
  /** Makes a key, or changes its bounds. What it has spent stays. */
  writeKey(row: KeyRow): Promise<void>;
  removeKey(id: string): Promise<void>;
  /** Resolves once `amount` is on the disk as set aside. @param nth names the reservation, from 1 on, each once. */
  reserve(nth: number, key: string, amount: Amount): Promise<void>;
  /**
   * Resolves once the reservation is gone and the key's `spent` is on the disk. If it rejects, it is tried again with the
   * next commit.
   */
  settle(nth: number, key: string, spent: Amount): Promise<void>;
  /** Commits what is left. Idempotent. */
  close(): void;
}

const SCHEMA_VERSION = 1;
const SCHEMA = `
CREATE TABLE keys (
  id TEXT PRIMARY KEY,
  alias TEXT NOT NULL UNIQUE,
  hash TEXT UNIQUE,
  models TEXT NOT NULL,
  cap TEXT NOT NULL,
  spent TEXT NOT NULL DEFAULT '0',
  expires_at INTEGER,
  metadata TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  revoked_at INTEGER,
  request TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE reservations (
  nth INTEGER PRIMARY KEY,
  key TEXT NOT NULL,
  amount TEXT NOT NULL
) STRICT;
`;

/** So often it is looked whether the file is still the one of its name. */
const COMMITS_PER_LOOK = 64;

interface StoredKey {
  readonly id: string;
  readonly alias: string;
  readonly hash: string | null;
  readonly models: string;
  readonly cap: string;
  readonly spent: string;
  readonly expires_at: number | null;
  readonly metadata: string;
  readonly created_at: number;
  readonly revoked_at: number | null;
  readonly request: string;
}

interface Change {
  readonly write: () => void;
  readonly done: PromiseWithResolvers<void>;
  /** Stays true, whatever became of the commit. */
  readonly keep: boolean;
}

/**
 * Opens the ledger, and takes the directory for this process until it is closed.
 * @param directory made, with mode 700, when it is not there.
 * @param onBroken called when nobody knows any more what is on the disk; nothing is written from then on.
 * @throws StoreError when another process has the directory, or the file cannot be used.
 */
export function openLedger(directory: string, timers: Timers, onBroken: (error: unknown) => void): Ledger {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const lock = lockDirectory(directory);
  const file = join(directory, "gateway.db");
  let database: Database | undefined;
  try {
    closeSync(openSync(file, "a", 0o600));
    database = openDatabase(file);
    prepare(database, file);
    return createLedger(database, file, timers, onBroken, () => lock.release());
  } catch (error) {
    database?.close();
    lock.release();
    throw explainFault(error, file);
  }
}

/** @throws StoreError when the file is from a newer version; it is left as it was. */
function prepare(database: Database, file: string): void {
  const version = database.prepare<{ user_version: number }>("PRAGMA user_version").get()?.user_version ?? 0;
  if (version > SCHEMA_VERSION) {
    throw new StoreError(`${file} is from a newer version of leasehold: use that one, or another data directory`);
  }
  database.transact(() => {
    if (version < SCHEMA_VERSION) database.exec(`${SCHEMA} PRAGMA user_version = ${SCHEMA_VERSION};`);
    countOpenReservations(database);
  });
}

/** Nobody knows what became of them: each is spent, as a whole. */
function countOpenReservations(database: Database): void {
  const spentOf = database.prepare<{ spent: string }>("SELECT spent FROM keys WHERE id = ?");
  const write = database.prepare("UPDATE keys SET spent = ? WHERE id = ?");
  const open = database.prepare<{ key: string; amount: string }>("SELECT key, amount FROM reservations").all();
  for (const { key, amount } of open) {
    const spent = parseSum(spentOf.get(key)?.spent ?? "0") + parseSum(amount);
    write.run(formatAmount(spent), key);
  }
  database.exec("DELETE FROM reservations");
}

function createLedger(
  database: Database,
  file: string,
  timers: Timers,
  onBroken: (error: unknown) => void,
  release: () => void,
): Ledger {
  const upsert = database.prepare(
    `INSERT INTO keys (id, alias, hash, models, cap, expires_at, metadata, created_at, revoked_at, request)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT (id) DO UPDATE SET hash = excluded.hash, models = excluded.models, cap = excluded.cap,
       expires_at = excluded.expires_at, metadata = excluded.metadata, revoked_at = excluded.revoked_at`,
  );
  const remove = database.prepare("DELETE FROM keys WHERE id = ?");
  const insertReservation = database.prepare("INSERT INTO reservations (nth, key, amount) VALUES (?, ?, ?)");
  const removeReservation = database.prepare("DELETE FROM reservations WHERE nth = ?");
  const writeSpent = database.prepare("UPDATE keys SET spent = ? WHERE id = ?");

  const assertInPlace = watchFile(file);
  let commits = 0;
  let queue: Change[] = [];
  let fault: unknown;
  let closed = false;

  function commit(): void {
    if (queue.length === 0 || closed) return;
    const changes = queue;
    queue = [];
    try {
      if (fault !== undefined) throw fault;
      if (++commits % COMMITS_PER_LOOK === 0) assertInPlace();
      database.transact(() => {
        for (const { write } of changes) write();
      });
      for (const { done } of changes) done.resolve();
    } catch (error) {
      failed(changes, explainFault(error, file));
    }
  }

  function failed(changes: readonly Change[], error: unknown): void {
    queue.push(...changes.filter(({ keep }) => keep).map(({ write }) => ({ write, done: unheard(), keep: true })));
    for (const { done } of changes) done.reject(error);
    if (fault === undefined && error instanceof StoreError && error.fatal) {
      fault = error;
      onBroken(error);
    }
  }

  function enqueue(write: () => void, keep = false): Promise<void> {
    if (closed) return Promise.reject(new StoreError("the gateway's ledger is closed"));
    const done = Promise.withResolvers<void>();
    // Changes that are kept from a failed commit go with this one.
    queue.push({ write, done, keep });
    if (!scheduled) {
      scheduled = true;
      timers.soon(() => {
        scheduled = false;
        commit();
      });
    }
    return done.promise;
  }
  let scheduled = false;

  return {
    opened: database.prepare<StoredKey>("SELECT * FROM keys").all().map(readKey),
    writeKey: (row) =>
      enqueue(() => {
        upsert.run(
          row.id,
          row.alias,
          row.hash,
          JSON.stringify(row.models),
          formatAmount(row.cap),
          row.expiresAt,
          JSON.stringify(row.metadata),
          row.createdAt,
          row.revokedAt,
          row.request,
        );
      }),
    removeKey: (id) => enqueue(() => void remove.run(id)),
    reserve: (nth, key, amount) => enqueue(() => void insertReservation.run(nth, key, formatAmount(amount))),
    settle: (nth, key, spent) =>
      enqueue(() => {
        removeReservation.run(nth);
        writeSpent.run(formatAmount(spent), key);
      }, true),
    close() {
      if (closed) return;
      commit();
      closed = true;
      for (const { done } of queue) done.reject(new StoreError("the gateway's ledger is closed"));
      try {
        database.close();
      } finally {
        release();
      }
    },
  };
}

/** For a change that nobody waits for any more. */
function unheard(): PromiseWithResolvers<void> {
  const done = Promise.withResolvers<void>();
  done.promise.catch(() => {});
  return done;
}

function readKey(stored: StoredKey): Ledger["opened"][number] {
  return {
    row: {
      id: stored.id,
      alias: stored.alias,
      hash: stored.hash,
      models: JSON.parse(stored.models),
      cap: parseSum(stored.cap),
      expiresAt: stored.expires_at,
      metadata: JSON.parse(stored.metadata),
      createdAt: stored.created_at,
      revokedAt: stored.revoked_at,
      request: stored.request,
    },
    spent: parseSum(stored.spent),
  };
}
