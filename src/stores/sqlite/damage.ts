/** Telling a damaged or vanished database from other failures: what it is, which file, and what to do. */
import { statSync } from "node:fs";
import { StoreError } from "../../kernel/store-error.ts";
import { storeError } from "./database.ts";

/** SQLITE_CORRUPT and SQLITE_NOTADB. */
const DAMAGE_CODES = [11, 26];

/** Whatever SQLite, or reading what it returned, threw: as the store tells it. Other errors come back as they are. */
export function explainFault(error: unknown, file: string): unknown {
  const cause = error instanceof StoreError && error.cause !== undefined ? error.cause : error;
  if (!(cause instanceof Error) || !isDamage(cause)) {
    const isNamed = error instanceof StoreError && (error.message.includes(file) || error.cause === undefined);
    return isNamed ? error : storeError(cause, `the database ${file} failed`);
  }
  return new StoreError(
    `${file} is damaged (${cause.message}): stop the runtime, keep a copy of the data directory, ` +
      "and put a backup of it in its place",
    { fatal: true, cause },
  );
}

/** Pages of other content read as numbers beyond JavaScript's, or as text that is no JSON, count as damage too. */
function isDamage(error: Error): boolean {
  if ("errcode" in error && typeof error.errcode === "number") return DAMAGE_CODES.includes(error.errcode & 0xff);
  return ("code" in error && error.code === "ERR_OUT_OF_RANGE") || error instanceof SyntaxError;
}

/**
 * A look at whether the open database is still the file of its name, and whole. An open file outlives its name, and what
 * is written to it then is lost; and as nothing here vacuums, it never gets shorter by itself.
 */
export function watchFile(file: string): () => void {
  const opened = statSync(file);
  let size = opened.size;
  return () => {
    const found = statSync(file, { throwIfNoEntry: false });
    const isSame = found !== undefined && found.ino === opened.ino && found.dev === opened.dev;
    if (isSame && found.size >= size) {
      size = found.size;
      return;
    }
    throw new StoreError(
      `${file} was ${isSame ? "cut short" : "removed or replaced"} while it was in use, and what is committed from now on ` +
        "would be lost: put back the data directory from a backup, and start again",
      { fatal: true },
    );
  };
}
