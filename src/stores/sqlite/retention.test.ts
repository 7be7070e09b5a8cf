/** What is SQLite's own in removing history: short steps, what a restart finds half done, and pages used again. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, expect, it } from "vitest";
import type { Store } from "../../kernel/ports.ts";
import { aChunk, aHold, aJob } from "../contract/rows.ts";
import { openSqliteStore } from "./sqlite-store.ts";

let directory: string;
let store: Store;
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "leasehold-retention-"));
  store = await openSqliteStore({ directory });
});
afterEach(async () => {
  await store.close();
  rmSync(directory, { recursive: true });
});

const MIB = 1_048_576;

async function putEnded(id: string, mebibytes = 0): Promise<void> {
  const payloads = [`"${"x".repeat(MIB / 16)}"`];
  const chunks = Array.from({ length: mebibytes * 16 }, (_, index) => ({ ...aChunk(id, index + 1, 1), payloads }));
  await store.commit({
    claims: [],
    rows: {
      jobs: [aJob(id, { status: "success", endedAt: 1_800_000_000_000 })],
      chunks,
      idempotency: [{ principal: "t/me", key: id, digest: "d", job: id }],
    },
  });
}

/** Rows of the closed database. */
async function countRows(table: string): Promise<unknown> {
  await store.close();
  const database = new DatabaseSync(join(directory, "leasehold.db"));
  const count = database.prepare(`SELECT count(*) AS count FROM ${table}`).get()?.count;
  database.close();
  store = await openSqliteStore({ directory });
  return count;
}

it("a large log goes step by step, also over a restart, while its job is gone at once", async () => {
  await putEnded("large", 20);
  await putEnded("other", 1);
  const before = await store.readSize();
  expect(await store.removeTrees(["large"])).toEqual({ removed: 1, more: true });
  expect(await store.readJob("large")).toBeUndefined();
  const afterOne = await store.readSize();
  expect(before - afterOne).toBeGreaterThan(MIB);
  expect(before - afterOne).toBeLessThan(4 * MIB);
  expect(await countRows("chunks")).toBeGreaterThan(200);
  let steps = 0;
  while ((await store.removeTrees([])).more) steps++;
  expect(steps).toBeGreaterThan(5);
  expect(await countRows("chunks")).toBe(16);
  expect(await store.readHeads(["other"])).toEqual(new Map([["other", 16]]));
});

it("large inputs and steps go step by step as well, and are nobody's meanwhile", async () => {
  const text = `"${"x".repeat(MIB)}"`;
  const ids = Array.from({ length: 8 }, (_, index) => `job ${index}`);
  for (const id of ids) await putEnded(id);
  const steps = ids.flatMap((job) => ["one", "two"].map((name) => ({ job, name, value: text })));
  await store.commit({
    claims: [],
    rows: { jobs: [aJob("other")], steps: [{ job: "other", name: "one", value: "1" }] },
  });
  await store.commit({ claims: [], rows: { inputs: ids.map((job) => ({ job, text })), steps } });
  const before = await store.readSize();
  expect(await store.removeTrees(ids)).toEqual({ removed: 8, more: true });
  expect(before - (await store.readSize())).toBeLessThan(4 * MIB);
  expect(await store.readSteps("job 7")).toEqual([]);
  let left = 0;
  while ((await store.removeTrees([])).more) left++;
  expect(left).toBeGreaterThan(8);
  expect([await countRows("inputs"), await countRows("steps"), await countRows("removals")]).toEqual([0, 1, 1]);
});

it("many holds go step by step as well", async () => {
  await putEnded("many");
  const holds = Array.from({ length: 1_000 }, (_, index) => aHold("many", `hold_${index}`));
  await store.commit({ claims: [], rows: { jobs: [aJob("other")], holds: [...holds, aHold("other", "hold_1")] } });
  expect(await store.removeTrees(["many"])).toEqual({ removed: 1, more: true });
  expect(await countRows("holds")).toBeGreaterThan(700);
  while ((await store.removeTrees([])).more);
  expect(await countRows("holds")).toBe(1);
  expect(await store.readHolds("other")).toHaveLength(1);
});

it("few large trees go at a time", async () => {
  const over = { status: "success", endedAt: 1 } as const;
  const roots = ["one", "two", "three"];
  await store.commit({ claims: [], rows: { jobs: roots.map((id) => aJob(id, over)) } });
  for (const root of roots) {
    const ids = Array.from({ length: 1_500 }, (_, index) => `${root} ${index}`);
    await store.commit({ claims: [], rows: { jobs: ids.map((id) => aJob(id, { root, parent: root, ...over })) } });
  }
  const query = { endedBefore: Number.MAX_SAFE_INTEGER, limit: 10 };
  const first = await store.findRemovable(query);
  expect(first.roots).toEqual(["one", "two"]);
  expect((await store.findRemovable({ ...query, from: first.next ?? 0 })).roots).toEqual(["three"]);
  expect(await store.removeTrees(roots)).toMatchObject({ removed: 2 });
  expect(await countRows("jobs")).toBe(1_501);
  expect(await store.removeTrees(["three"])).toMatchObject({ removed: 1 });
  expect(await countRows("jobs")).toBe(0);
});

it("freed pages are used again", async () => {
  await putEnded("first", 4);
  await store.removeTrees(["first"]);
  while ((await store.removeTrees([])).more);
  const before = await store.readSize();
  await putEnded("second", 4);
  await store.removeTrees(["second"]);
  while ((await store.removeTrees([])).more);
  expect(await store.readSize()).toBeLessThan(before + MIB);
});

it("keys of removed jobs are found and removed once there are many", async () => {
  const ids = Array.from({ length: 1_100 }, (_, index) => `job ${String(index).padStart(4, "0")}`);
  for (const id of ids) await putEnded(id);
  await putEnded("kept");
  for (let from = 0; from < ids.length; from += 100) await store.removeTrees(ids.slice(from, from + 100));
  while ((await store.removeTrees([])).more);
  expect(await countRows("idempotency")).toBeLessThanOrEqual(101);
  expect(await store.readIdempotency("t/me", "kept")).toMatchObject({ job: "kept" });
});

it("remembers one removal, by which no key is given twice", async () => {
  for (const id of ["a", "b", "c"]) await putEnded(id);
  await store.removeTrees(["a", "b", "c"]);
  expect(await countRows("removals")).toBe(1);
});
