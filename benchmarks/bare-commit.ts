/** What one durable commit costs on this disk with nothing around it: the floor under every acknowledged submission. */
import { mkdtempSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";

/** Milliseconds of each of `count` commits of one small row: WAL, synchronous=FULL, as the SQLite store has it. */
export function commitTimes(scratch: string, count: number): readonly number[] {
  const database = new DatabaseSync(join(mkdtempSync(join(scratch, "commit-")), "commits.db"));
  try {
    database.exec(
      "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; CREATE TABLE entries (id INTEGER PRIMARY KEY, body TEXT)",
    );
    const insert = database.prepare("INSERT INTO entries (body) VALUES (?)");
    const times: number[] = [];
    for (let index = 0; index < count; index++) {
      const startedAt = performance.now();
      // A statement outside a transaction is one of its own.
      insert.run("a row as small as a job's");
      times.push(performance.now() - startedAt);
    }
    return times;
  } finally {
    database.close();
  }
}
