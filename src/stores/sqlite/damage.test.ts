/** A database that somebody deletes, cuts short or writes over, while it is in use or before it is opened. */
import {
  closeSync,
  copyFileSync,
  mkdtempSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Store } from "../../kernel/ports.ts";
import { StoreError } from "../../kernel/store-error.ts";
import { aChunk, aJob } from "../contract/rows.ts";
import { explainFault } from "./damage.ts";
import { openSqliteStore } from "./sqlite-store.ts";

let directory: string;
let file: string;
let store: Store | undefined;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "leasehold-damage-"));
  file = join(directory, "leasehold.db");
});
afterEach(async () => {
  await store?.close();
  rmSync(directory, { recursive: true });
});

/** A store with so many jobs that its file has pages of every kind. */
async function openFilled(): Promise<Store> {
  const opened = await openSqliteStore({ directory });
  store = opened;
  for (let job = 0; job < 400; job++) await commit(`job ${job}`);
  return opened;
}

async function commit(id: string): Promise<void> {
  await store?.commit({ claims: [], rows: { jobs: [aJob(id)], chunks: [aChunk(id, 1, 200)] } });
}

const fault = async (promise: Promise<unknown>) =>
  promise.then(
    () => undefined,
    (error: unknown) => error,
  );

describe("a database in use", () => {
  it.each([
    ["removed", () => rmSync(file), "removed or replaced"],
    ["moved away", () => renameSync(file, `${file}.old`), "removed or replaced"],
    [
      "replaced by a copy",
      () => {
        copyFileSync(file, `${file}.copy`);
        renameSync(`${file}.copy`, file);
      },
      "removed or replaced",
    ],
    ["cut short", () => truncateSync(file, Math.floor(statSync(file).size / 2)), "cut short"],
  ])("that is %s is told at the next look, and takes no commit any more", async (_, harm, what) => {
    const opened = await openFilled();
    await opened.readSize();
    harm();
    const error = await fault(opened.readSize());
    expect(error).toMatchObject({ name: "StoreError", fatal: true });
    expect((error as Error).message).toContain(`${file} was ${what}`);
    expect(await fault(commit("late"))).toBe(error);
  });

  it("that is removed is noticed by commits, without anybody's looking", async () => {
    await openFilled();
    rmSync(file);
    let error: unknown;
    for (let job = 0; job < 64 && error === undefined; job++) error = await fault(commit(`late ${job}`));
    expect(error).toMatchObject({ fatal: true, message: expect.stringContaining("removed or replaced") });
  });

  it("that cannot be read fails with an error that names it", async () => {
    const opened = await openFilled();
    truncateSync(file, 0);
    const errors: unknown[] = [];
    for (let job = 0; job < 400; job++) {
      errors.push(await fault(opened.readChunks({ job: `job ${job}`, after: 0, limit: 10 })));
    }
    const failed = errors.filter((error) => error !== undefined);
    expect(failed.length).toBeGreaterThan(0);
    for (const error of failed) {
      expect(error).toMatchObject({ name: "StoreError", fatal: true, message: expect.stringContaining(file) });
    }
  });
});

describe("a database that is opened", () => {
  it.each([
    ["zeros", 0],
    ["other bytes", 0xee],
    ["bytes that look like pages", 0x0d],
  ])(
    "with %s over its pages is refused as damaged, or served without them; nothing else is thrown",
    async (_, byte) => {
      await openFilled();
      await store?.close();
      const whole = readFileSync(file);
      const pages = whole.length / 4096;
      for (let page = 1; page < pages; page += 7) {
        writeOver(whole);
        writeOver(Buffer.alloc(4096, byte), page * 4096);
        expect(await useAll()).toSatisfy((error) => error === undefined || error instanceof StoreError);
      }
      writeOver(whole);
      expect(await useAll()).toBeUndefined();
      writeOver(Buffer.alloc(whole.length - 4096, byte), 4096);
      expect(await useAll()).toMatchObject({ fatal: true, message: expect.stringContaining(`${file} is damaged`) });
    },
  );

  function writeOver(bytes: Buffer, at = 0): void {
    const descriptor = openSync(file, "r+");
    writeSync(descriptor, bytes, 0, bytes.length, at);
    closeSync(descriptor);
  }

  /** What reading everything threw, if anything. */
  async function useAll(): Promise<unknown> {
    try {
      store = await openSqliteStore({ directory });
      for (const { id } of (await store.listJobs({ principals: ["t/me"], limit: 1_000 })).jobs) {
        await store.readChunks({ job: id, after: 0, limit: 1_000 });
      }
      await store.claimTrees("n");
      return undefined;
    } catch (error) {
      return error;
    } finally {
      await store?.close();
    }
  }
});

it("numbers beyond JavaScript's and text that is no JSON are damage; other errors stay what they are", () => {
  const range = Object.assign(new RangeError("too large"), { code: "ERR_OUT_OF_RANGE" });
  for (const error of [range, new SyntaxError("unexpected token")]) {
    expect(explainFault(error, "x.db")).toMatchObject({
      fatal: true,
      message: expect.stringContaining("x.db is damaged"),
    });
  }
  const defect = new StoreError("there is no job a");
  expect(explainFault(defect, "x.db")).toBe(defect);
  const bug = new TypeError("undefined is not a function");
  expect(explainFault(bug, "x.db")).toBe(bug);
});
