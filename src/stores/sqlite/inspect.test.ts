import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, expect, it } from "vitest";
import { aJob } from "../contract/rows.ts";
import { inspectStore } from "./inspect.ts";
import { SCHEMA_VERSION } from "./migrations.ts";
import { openSqliteStore } from "./sqlite-store.ts";

let directory: string;
let copy: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "leasehold-inspect-"));
  copy = mkdtempSync(join(tmpdir(), "leasehold-inspect-"));
});
afterEach(() => {
  rmSync(directory, { recursive: true });
  rmSync(copy, { recursive: true });
});

const file = (name: string) => join(directory, name);

it("finds nothing where there is no database, and makes none", () => {
  expect(inspectStore(directory)).toEqual({ state: "absent" });
  expect(existsSync(file("leasehold.lock"))).toBe(false);
});

it("tells who has the directory, and looks no further", async () => {
  const store = await openSqliteStore({ directory });
  expect(inspectStore(directory)).toEqual({
    state: "held",
    message: expect.stringContaining(`in use by process ${process.pid}`),
  });
  await store.commit({ claims: [], rows: { jobs: [aJob("j")] } });
  await store.close();
  expect(inspectStore(directory)).toMatchObject({ state: "free", checked: true, problems: [] });
});

it("looks at what a crash left, and leaves it to the next start", async () => {
  const store = await openSqliteStore({ directory });
  await store.commit({ claims: [], rows: { jobs: [aJob("j")] } });
  // As they are at this moment, without a close: what was committed is in the WAL.
  for (const name of ["leasehold.db", "leasehold.db-wal"]) copyFileSync(file(name), join(copy, name));
  await store.close();
  const wal = readFileSync(join(copy, "leasehold.db-wal"));
  expect(wal.length).toBeGreaterThan(0);
  expect(inspectStore(copy)).toMatchObject({ state: "free", problems: [] });
  expect(readFileSync(join(copy, "leasehold.db-wal"))).toEqual(wal);
  const next = await openSqliteStore({ directory: copy });
  expect(await next.readJob("j")).toMatchObject({ id: "j" });
  await next.close();
});

it("finds damage", async () => {
  const store = await openSqliteStore({ directory });
  const rows = Array.from({ length: 500 }, (_, index) => aJob(`job_${index}`));
  await store.commit({ claims: [], rows: { jobs: rows } });
  await store.close();
  const bytes = readFileSync(file("leasehold.db"));
  bytes.fill(0xa5, bytes.length >> 1);
  writeFileSync(file("leasehold.db"), bytes);
  const look = inspectStore(directory);
  expect(look.state === "free" && look.problems.length).toBeGreaterThan(0);
});

it("does not read through what is too large, and knows a newer schema", async () => {
  await (await openSqliteStore({ directory })).close();
  const database = new DatabaseSync(file("leasehold.db"));
  database.exec(`PRAGMA user_version = ${SCHEMA_VERSION + 1}`);
  database.close();
  expect(inspectStore(directory, 10)).toMatchObject({
    checked: false,
    problems: [],
    schema: { found: SCHEMA_VERSION + 1, known: SCHEMA_VERSION },
  });
});
