/** One connection to one SQLite file: how it is opened, prepared statements with typed rows, transactions, errors. */
import { DatabaseSync, type SQLInputValue } from "node:sqlite";
import { StoreError } from "../../kernel/store-error.ts";

/** SQLite's default, and measured: 8 KiB pages save nothing on 64 jobs, and cost a tenth more on one small commit. */
const PAGE_BYTES = 4096;
/** Pages kept in memory: enough for the right edge of every table and index, which is where commits write. */
const CACHE_KIB = 4_096;

/** A statement prepared once. `Row` is what its columns are named and typed in the SQL beside it. */
interface Statement<Row> {
  get(...parameters: SQLInputValue[]): Row | undefined;
  all(...parameters: SQLInputValue[]): Row[];
  iterate(...parameters: SQLInputValue[]): Iterable<Row>;
  run(...parameters: SQLInputValue[]): { readonly changes: number | bigint };
}

export interface Database {
  prepare<Row = never>(sql: string): Statement<Row>;
  /** Runs statements that take no parameters and return nothing. */
  exec(sql: string): void;
  /**
   * Runs `work` in one transaction: durable when this returns, and without a trace when it throws.
   * @throws StoreError when the database fails; `fatal` when it cannot tell what is on the disk (see `storeError`).
   */
  transact<Result>(work: () => Result): Result;
  /** Idempotent. */
  close(): void;
}

/**
 * @param maxBytes the file grows no further than this, rounded down to whole pages; commits that need more are rejected.
 * @throws StoreError when the file cannot be opened, or is no database.
 */
export function openDatabase(file: string, maxBytes?: number): Database {
  const connection = connect(file, maxBytes);
  const begin = connection.prepare("BEGIN IMMEDIATE");
  const commit = connection.prepare("COMMIT");
  const rollback = connection.prepare("ROLLBACK");

  return {
    // The one place where rows get their type: SQLite cannot know it, and each statement states it beside its SQL.
    prepare: <Row>(sql: string) => connection.prepare(sql) as unknown as Statement<Row>,
    exec: (sql) => connection.exec(sql),
    transact(work) {
      try {
        begin.run();
        const result = work();
        commit.run();
        return result;
      } catch (error) {
        // A failed COMMIT may have rolled back already.
        if (connection.isTransaction) rollback.run();
        throw storeError(error);
      }
    },
    close() {
      if (connection.isOpen) connection.close();
    },
  };
}

function connect(file: string, maxBytes: number | undefined): DatabaseSync {
  let connection: DatabaseSync | undefined;
  try {
    connection = new DatabaseSync(file);
    connection.exec(`PRAGMA page_size = ${PAGE_BYTES}`);
    // The directory lock lets no other process in, so locks taken once are kept: a read costs 1 µs instead of 10.
    connection.exec("PRAGMA locking_mode = EXCLUSIVE");
    connection.exec("PRAGMA journal_mode = WAL");
    connection.exec("PRAGMA synchronous = FULL");
    connection.exec("PRAGMA temp_store = MEMORY");
    connection.exec(`PRAGMA cache_size = -${CACHE_KIB}`);
    if (maxBytes !== undefined) connection.exec(`PRAGMA max_page_count = ${Math.floor(maxBytes / PAGE_BYTES)}`);
    return connection;
  } catch (error) {
    connection?.close();
    throw storeError(error, `cannot open ${file}`);
  }
}

/** `limit` as SQL understands it: there, a negative one means none, and infinity is no integer. */
export function rowLimit(limit: number): number {
  return Math.min(Math.max(0, limit), Number.MAX_SAFE_INTEGER);
}

/** SQLite's primary result codes (`errcode & 0xff`) that this store tells apart. */
const FULL = 13;
/** NOMEM, READONLY, IOERR, CORRUPT, CANTOPEN, NOTADB: after these nobody knows what is on the disk. */
const FATAL = new Set([7, 8, 10, 11, 14, 26]);

/** The store's account of whatever SQLite threw. Other errors come back as they are. */
export function storeError(error: unknown, doing = "the store's database failed"): unknown {
  if (!(error instanceof Error) || !("errcode" in error) || typeof error.errcode !== "number") return error;
  const code = error.errcode & 0xff;
  const reason = code === FULL ? "the disk is full, or the database has reached its size limit" : error.message;
  return new StoreError(`${doing}: ${reason}`, { fatal: FATAL.has(code), cause: error });
}
