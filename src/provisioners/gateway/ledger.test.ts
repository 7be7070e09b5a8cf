import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { createSystemWorld } from "../../platform/system-world.ts";
import { type KeyRow, type Ledger, openLedger } from "./ledger.ts";

const ROW: KeyRow = {
  id: "key_1",
  alias: "job_1",
  hash: "ab",
  models: ["small"],
  cap: 5n * 10n ** 30n,
  expiresAt: null,
  metadata: { for: "a test" },
  createdAt: 1,
  revokedAt: null,
  request: "",
};

let directory: string;
let ledger: Ledger;
const open = (): Ledger => openLedger(directory, createSystemWorld().timers, () => {});
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "leasehold-ledger-"));
  ledger = open();
  await ledger.writeKey(ROW);
});
afterEach(async () => {
  ledger.close();
  await rm(directory, { recursive: true });
});

/** What the next process finds. */
function reopened(): Ledger["opened"] {
  ledger.close();
  ledger = open();
  return ledger.opened;
}

it("keeps a key as it is, to the last digit", async () => {
  await ledger.reserve(1, ROW.id, 2n);
  await ledger.settle(1, ROW.id, 1n);
  expect(reopened()).toEqual([{ row: ROW, spent: 1n }]);
  const changed = { ...ROW, cap: 7n, hash: "cd", expiresAt: 9, revokedAt: 8, models: ["large"] };
  await ledger.writeKey(changed);
  expect(reopened()).toEqual([{ row: changed, spent: 1n }]);
  await ledger.removeKey(ROW.id);
  expect(reopened()).toEqual([]);
});

it("counts what was set aside and never settled as spent, once", async () => {
  await Promise.all([ledger.reserve(1, ROW.id, 2n), ledger.reserve(2, ROW.id, 3n), ledger.settle(1, ROW.id, 1n)]);
  expect(reopened()[0]?.spent).toBe(4n);
  expect(reopened()[0]?.spent).toBe(4n);
});

it("tells everyone of a commit that failed, and settles with the next one", async () => {
  await ledger.reserve(1, ROW.id, 2n);
  const twice = ledger.reserve(1, ROW.id, 2n);
  const settled = ledger.settle(1, ROW.id, 1n);
  await expect(twice).rejects.toThrow();
  await expect(settled).rejects.toThrow();
  await ledger.reserve(2, ROW.id, 0n);
  expect(reopened()[0]?.spent).toBe(1n);
});

it("is given up, and says so, when its file is taken away", async () => {
  const broken: unknown[] = [];
  ledger.close();
  ledger = openLedger(directory, createSystemWorld().timers, (error) => broken.push(error));
  await rm(join(directory, "gateway.db"));
  const commits = async (): Promise<void> => {
    for (let nth = 0; nth < 64; nth++) await ledger.writeKey(ROW);
  };
  await expect(commits()).rejects.toThrow("removed or replaced");
  expect(broken).toHaveLength(1);
  await expect(ledger.writeKey(ROW)).rejects.toThrow("removed or replaced");
  expect(broken).toHaveLength(1);
});

it("is one process's at a time", () => {
  expect(open).toThrow(`is in use by process ${process.pid}`);
});
