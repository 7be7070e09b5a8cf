/**
 * Looks at a data directory from outside: who has it, and whether its database is whole. Changes nothing that is kept. While
 * it looks, the directory is locked, and a runtime that starts in that moment is refused.
 */
import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { StoreError } from "../../kernel/store-error.ts";
import { lockDirectory } from "./directory-lock.ts";
import { SCHEMA_VERSION } from "./migrations.ts";

export type StoreFindings =
  /** Some process has the directory; `message` names it as far as it is known. */
  | { readonly state: "held"; readonly message: string }
  | { readonly state: "absent" }
  | {
      readonly state: "free";
      /** Of the database and what is not in it yet (WAL). */
      readonly bytes: number;
      /** False where it was too large to be read through. */
      readonly checked: boolean;
      /** What `quick_check` says is wrong; none when it is whole. */
      readonly problems: readonly string[];
      readonly schema: { readonly found: number; readonly known: number };
    };

/** A database of this size is read through in some seconds; larger ones are left alone. */
const MAX_CHECKED_BYTES = 2_147_483_648;
const MAX_PROBLEMS = 5;

/** @throws StoreError when the directory cannot be locked; Error when the database cannot be opened. */
export function inspectStore(directory: string, maxCheckedBytes: number = MAX_CHECKED_BYTES): StoreFindings {
  const file = join(directory, "leasehold.db");
  if (!existsSync(file)) return { state: "absent" };
  let lock: ReturnType<typeof lockDirectory>;
  try {
    lock = lockDirectory(directory);
  } catch (error) {
    if (error instanceof StoreError && error.message.includes(" is in use by ")) {
      return { state: "held", message: error.message };
    }
    throw error;
  }
  try {
    const bytes = sizeOf(file) + sizeOf(`${file}-wal`);
    const database = new DatabaseSync(file, { readOnly: true });
    try {
      const found = Number(database.prepare("PRAGMA user_version").get()?.user_version ?? 0);
      const checked = bytes <= maxCheckedBytes;
      const problems = checked ? quickCheck(database) : [];
      return { state: "free", bytes, checked, problems, schema: { found, known: SCHEMA_VERSION } };
    } finally {
      database.close();
    }
  } finally {
    lock.release();
  }
}

function quickCheck(database: DatabaseSync): string[] {
  try {
    const rows = database.prepare(`PRAGMA quick_check(${MAX_PROBLEMS})`).all();
    return rows.map((row) => String(Object.values(row)[0])).filter((text) => text !== "ok");
  } catch (error) {
    // Some damage it does not get past.
    return [error instanceof Error ? error.message : String(error)];
  }
}

function sizeOf(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.size ?? 0;
}
