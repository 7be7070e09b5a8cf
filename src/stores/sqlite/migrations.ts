/** Brings a database to the version this code knows: numbered steps, forward only, counted in `user_version`. */
import { StoreError } from "../../kernel/store-error.ts";
import type { Database } from "./database.ts";
import { initial } from "./migrations/001-initial.ts";
import { allOfArcp } from "./migrations/002-all-of-arcp.ts";

/** In order; a released one never changes. */
const MIGRATIONS: readonly string[] = [initial, allOfArcp];
/** Of the databases this code writes. */
export const SCHEMA_VERSION: number = MIGRATIONS.length;

/** @throws StoreError when the database is from a newer version; it is left as it was. */
export function migrate(database: Database, file: string): void {
  const version = database.prepare<{ user_version: number }>("PRAGMA user_version").get()?.user_version ?? 0;
  if (version > MIGRATIONS.length) {
    throw new StoreError(
      `${file} has schema version ${version}, and this version of leasehold knows ${MIGRATIONS.length}: ` +
        "use the newer version that wrote it, or another data directory",
    );
  }
  if (version === MIGRATIONS.length) return;
  database.transact(() => {
    for (const migration of MIGRATIONS.slice(version)) database.exec(migration);
    database.exec(`PRAGMA user_version = ${MIGRATIONS.length}`);
  });
}
