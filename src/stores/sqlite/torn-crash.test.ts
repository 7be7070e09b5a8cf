/**
 * Power loss at any moment of a commit. What is on the disk then: whatever the last fsync of each file saw, and an
 * arbitrary part of what was written since, in units of a disk sector. Such images are made from the files before and
 * after a commit, and each must open with every acknowledged commit whole, and the one under way whole or absent.
 */
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { CommitBatch, Store } from "../../kernel/ports.ts";
import { createFakeWorld } from "../../testing/fake-world.ts";
import { aChunk, aFollow, aJob, aSegment, aSession } from "../contract/rows.ts";
import { openSqliteStore } from "./sqlite-store.ts";

const SECTOR_BYTES = 512;
const COMMITS = 200;
/** Entries of each commit's own job: enough that SQLite's automatic checkpoint runs several times within a test. */
const ENTRIES = 700;

/** Commit `n` adds entry `n` to the log "log" and places it in session "s", and has a job of its own. */
function numbered(n: number): CommitBatch {
  const own = `job-${n}`;
  const rows = {
    jobs: [aJob(own)],
    chunks: [aChunk("log", n, 1), aChunk(own, 1, ENTRIES)],
    segments: [aSegment("s", n, n, "log", n)],
  };
  return { claims: [{ root: "log", epoch: 1 }], rows };
}

const FIRST: CommitBatch = {
  claims: [],
  rows: { sessions: [aSession("s")], jobs: [aJob("log")], follows: [aFollow("s", "log", 0)] },
};

/** How many numbered commits the store holds; fails unless each is whole and there is no trace of a later one. */
async function countCommits(store: Store): Promise<number> {
  const head = (await store.readHeads(["log"])).get("log") ?? 0;
  expect(await store.readSession("s")).toMatchObject({ head, follows: [aFollow("s", "log", head)] });
  expect((await store.readChunks({ job: "log", after: 0, limit: Infinity })).length).toBe(head);
  const own = Array.from({ length: head + 1 }, (_, index) => `job-${index + 1}`);
  expect([...(await store.readHeads(own)).values()]).toEqual([...own.slice(1).map(() => ENTRIES), 0]);
  if (head > 0) {
    expect(await store.readChunks({ job: `job-${head}`, after: 0, limit: ENTRIES })).toEqual([
      aChunk(`job-${head}`, 1, ENTRIES),
    ]);
  }
  const listed = await store.listJobs({ principals: ["t/me"], limit: COMMITS * 2 });
  expect(listed.jobs.map(({ id }) => id)).toEqual([...own.slice(0, head).toReversed(), "log"]);
  return head;
}

/** The bytes from the first to the last that differ; files only grow. */
function changed(before: Uint8Array, after: Uint8Array): { first: number; end: number } {
  let first = 0;
  while (first < before.length && before[first] === after[first]) first += 1;
  let end = after.length;
  while (end > first && end <= before.length && before[end - 1] === after[end - 1]) end -= 1;
  return { first, end };
}

describe("a SQLite store after power loss", () => {
  let scratch: string;
  let images: number;
  beforeEach(() => {
    scratch = mkdtempSync(join(tmpdir(), "leasehold-torn-"));
    images = 0;
  });
  afterEach(() => rmSync(scratch, { recursive: true }));

  async function reopen(database: Uint8Array, wal: Uint8Array): Promise<number> {
    const directory = join(scratch, `image-${images++}`);
    mkdirSync(directory);
    writeFileSync(join(directory, "leasehold.db"), database);
    writeFileSync(join(directory, "leasehold.db-wal"), wal);
    const store = await openSqliteStore({ directory });
    const found = await countCommits(store);
    // It is not only readable: the next commit goes through and is found again.
    await store.commit(numbered(found + 1));
    await store.close();
    const again = await openSqliteStore({ directory });
    expect(await countCommits(again)).toBe(found + 1);
    await again.close();
    rmSync(directory, { recursive: true });
    return found;
  }

  it.each([1, 2])(
    "holds every acknowledged commit, and the one under way whole or not at all (seed %i)",
    async (seed) => {
      const { draw, drawInt } = createFakeWorld({ seed });
      const directory = join(scratch, "live");
      const file = join(directory, "leasehold.db");
      const store = await openSqliteStore({ directory });
      await store.commit(FIRST);

      /** Of the changed sectors each as it was before or as it is after, at random. */
      function tear(before: Uint8Array, after: Uint8Array): Uint8Array {
        const torn = Uint8Array.from(after);
        const { first, end } = changed(before, after);
        const share = draw();
        for (let start = first - (first % SECTOR_BYTES); start < end; start += SECTOR_BYTES) {
          if (draw() < share) continue;
          // A sector that was not there before holds zeros.
          torn.fill(0, start, start + SECTOR_BYTES);
          torn.set(before.subarray(start, start + SECTOR_BYTES), start);
        }
        return torn;
      }

      /** Written from the front up to some byte of what changed, and no further. */
      function cut(before: Uint8Array, after: Uint8Array): Uint8Array {
        const { first, end } = changed(before, after);
        const position = first + drawInt(end - first + 1);
        const torn = Uint8Array.from(after.subarray(0, Math.max(position, before.length)));
        torn.set(before.subarray(position), Math.min(position, before.length));
        return torn;
      }

      let database = readFileSync(file);
      let checkpoints = 0;
      let afterCheckpoint = false;
      const found = { lost: 0, kept: 0 };
      for (let n = 1; n <= COMMITS; n++) {
        // The commit after a checkpoint begins the log anew, over frames of the log before.
        const examined = afterCheckpoint || drawInt(12) === 0;
        const walBefore = examined ? readFileSync(`${file}-wal`) : undefined;
        const changedAt = statSync(file, { bigint: true }).mtimeNs;
        await store.commit(numbered(n));

        const wal = readFileSync(`${file}-wal`);
        for (const torn of walBefore === undefined ? [] : [tear(walBefore, wal), cut(walBefore, wal)]) {
          const head = await reopen(database, torn);
          expect([n - 1, n]).toContain(head);
          found[head === n ? "kept" : "lost"] += 1;
        }

        afterCheckpoint = statSync(file, { bigint: true }).mtimeNs !== changedAt;
        if (!afterCheckpoint) continue;
        // A checkpoint writes the database once the log is on the disk: the commit is certain, the pages are not.
        checkpoints += 1;
        const checkpointed = readFileSync(file);
        expect(await reopen(tear(database, checkpointed), wal)).toBe(n);
        expect(await reopen(checkpointed, wal)).toBe(n);
        database = checkpointed;
      }
      await store.close();
      expect(checkpoints).toBeGreaterThan(0);
      expect(found.lost).toBeGreaterThan(0);
    },
  );

  it("holds every acknowledged commit when its files are copied between commits", async () => {
    const directory = join(scratch, "live");
    const store = await openSqliteStore({ directory });
    await store.commit(FIRST);
    for (let n = 1; n <= 30; n++) {
      await store.commit(numbered(n));
      if (n % 10 !== 0) continue;
      const copy = join(scratch, `copy-${n}`);
      mkdirSync(copy);
      for (const name of ["leasehold.db", "leasehold.db-wal"].filter((each) => existsSync(join(directory, each)))) {
        copyFileSync(join(directory, name), join(copy, name));
      }
      const copied = await openSqliteStore({ directory: copy });
      expect(await countCommits(copied)).toBe(n);
      await copied.close();
    }
    await store.close();
  });
});
