import { spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { aChunk, aJob } from "../contract/rows.ts";
import { openDatabase } from "./database.ts";
import { openSqliteStore } from "./sqlite-store.ts";

let scratch: string;
beforeEach(() => {
  scratch = mkdtempSync(join(tmpdir(), "leasehold-sqlite-"));
});
afterEach(() => rmSync(scratch, { recursive: true }));

describe("opening", () => {
  it("makes the directory, for its user alone", async () => {
    const directory = join(scratch, "some", "data");
    const store = await openSqliteStore({ directory });
    expect(statSync(directory).mode & 0o777).toBe(0o700);
    await store.close();
    expect(statSync(join(directory, "leasehold.db")).isFile()).toBe(true);
  });

  it("makes files for its user alone in a directory that others may read", async () => {
    chmodSync(scratch, 0o755);
    const store = await openSqliteStore({ directory: scratch });
    await store.commit({ claims: [], rows: { jobs: [aJob("a")] } });
    for (const file of ["leasehold.db", "leasehold.db-wal"]) {
      expect(statSync(join(scratch, file)).mode & 0o777).toBe(0o600);
    }
    await store.close();
  });

  it("waits for the disk at every commit", () => {
    const database = openDatabase(join(scratch, "some.db"));
    expect(database.prepare("PRAGMA journal_mode").get()).toEqual({ journal_mode: "wal" });
    const full = 2;
    expect(database.prepare("PRAGMA synchronous").get()).toEqual({ synchronous: full });
    database.close();
  });

  it("refuses a database of a newer version, leaves it as it was, and lets go of the directory", async () => {
    await (await openSqliteStore({ directory: scratch })).close();
    const file = join(scratch, "leasehold.db");
    const database = new DatabaseSync(file);
    const newer = Number(database.prepare("PRAGMA user_version").get()?.user_version) + 1;
    database.exec(`PRAGMA user_version = ${newer}`);
    database.close();
    const before = readFileSync(file);
    for (let attempt = 0; attempt < 2; attempt++) {
      await expect(openSqliteStore({ directory: scratch })).rejects.toThrow(`${file} has schema version ${newer}`);
    }
    expect(readFileSync(file).equals(before)).toBe(true);
  });

  it("refuses a file that is no database", async () => {
    writeFileSync(
      join(scratch, "leasehold.db"),
      "these are not the bytes of a database, however long one looks at them",
    );
    const opening = openSqliteStore({ directory: scratch });
    await expect(opening).rejects.toMatchObject({ name: "StoreError", fatal: true });
    await expect(opening).rejects.toThrow(`${join(scratch, "leasehold.db")} is damaged (file is not a database)`);
  });
});

describe("a store that runs full", () => {
  it("rejects the commit, keeps what was there, and takes smaller ones", async () => {
    const store = await openSqliteStore({ directory: scratch, maxBytes: 512 * 1024 });
    await store.commit({ claims: [], rows: { jobs: [aJob("a")], chunks: [aChunk("a", 1, 1)] } });
    const large = { ...aChunk("a", 2, 1), payloads: [JSON.stringify("x".repeat(1024 * 1024))] };
    const rejected = store.commit({ claims: [], rows: { jobs: [aJob("b")], chunks: [large] } });
    await expect(rejected).rejects.toMatchObject({ name: "StoreError", fatal: false });
    await expect(rejected).rejects.toThrow("full");
    expect(await store.readJob("b")).toBeUndefined();
    expect(await store.readHeads(["a"])).toEqual(new Map([["a", 1]]));
    expect(await store.commit({ claims: [{ root: "a", epoch: 1 }], rows: { chunks: [aChunk("a", 2, 1)] } })).toEqual({
      committed: true,
    });
    await store.close();
  });
});

describe("a disk that fails", () => {
  /** Commits until one fails, then tries once more; prints what it saw. */
  const PROGRAM = `
    const { openSqliteStore } = await import(${JSON.stringify(new URL("./sqlite-store.ts", import.meta.url).href)});
    const { aChunk, aJob } = await import(${JSON.stringify(new URL("../contract/rows.ts", import.meta.url).href)});
    const store = await openSqliteStore({ directory: process.argv[1] });
    await store.commit({ claims: [], rows: { jobs: [aJob("a")] } });
    let head = 0;
    const append = () => store.commit({ claims: [], rows: { chunks: [aChunk("a", head + 1, 200)] } });
    let first;
    while (first === undefined) await append().then(() => { head += 200; }, (error) => { first = error; });
    const second = await append().catch((error) => error);
    const readable = (await store.readHeads(["a"])).get("a");
    console.log(JSON.stringify({ head, readable, name: first.name, fatal: first.fatal, same: second === first }));
    process.exit();
  `;

  it("fails the commit for good, and a restart finds every commit before it", async () => {
    // The limit on file size makes writes beyond it fail as on a broken disk: the write-ahead log is what reaches it.
    const limited = [
      "-c",
      'ulimit -f 512 && exec "$0" "$@"',
      process.execPath,
      "--input-type=module",
      "--eval",
      PROGRAM,
      scratch,
    ];
    const { stdout, stderr } = spawnSync("sh", limited, { encoding: "utf8" });
    expect(stderr).toBe("");
    const seen = JSON.parse(stdout) as { head: number; readable: number };
    expect(seen).toMatchObject({ name: "StoreError", fatal: true, same: true, readable: seen.head });
    expect(seen.head).toBeGreaterThan(0);

    const store = await openSqliteStore({ directory: scratch });
    expect(await store.readHeads(["a"])).toEqual(new Map([["a", seen.head]]));
    await store.close();
  });
});
