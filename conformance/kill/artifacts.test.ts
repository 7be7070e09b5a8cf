/** Whenever the process is killed: no artifact is named whose content is not there, whole, and nothing told is lost. */
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { DatabaseSync } from "node:sqlite";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, it } from "vitest";
import type { Artifacts } from "../../src/kernel/ports.ts";
import { createSystemWorld } from "../../src/platform/system-world.ts";
import { createFileArtifacts } from "../../src/stores/artifacts/file-artifacts.ts";
import { openSqliteStore } from "../../src/stores/sqlite/sqlite-store.ts";
import { createFakeWorld } from "../../src/testing/fake-world.ts";

const WRITER = fileURLToPath(new URL("./artifact-writer.ts", import.meta.url));
const KILLS = 6;
/** Artifacts that are told of before the kill, at most. */
const MOST_TOLD = 12;

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "leasehold-kill-artifacts-"));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

/** Lets a process write until it has told of `count` artifacts, and kills it. Returns what it told of in all. */
async function writeUntil(data: string, count: number): Promise<string[]> {
  const child = spawn(process.execPath, ["--conditions=leasehold-source", WRITER, data], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const gone = once(child, "exit");
  const told: string[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    if (told.push(line) === count) child.kill("SIGKILL");
  }
  await gone;
  return told;
}

async function digestOf(artifacts: Artifacts, sha256: string): Promise<string | undefined> {
  const content = await artifacts.open(sha256);
  if (content === undefined) return undefined;
  const hash = createHash("sha256");
  for await (const part of content) hash.update(part);
  return hash.digest("hex");
}

async function filesIn(path: string): Promise<number> {
  const entries = await readdir(path, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).length;
}

it("names no content that is missing, and loses none that was told of [law-artifact-complete]", async () => {
  const dice = createFakeWorld({ seed: 7 });
  const data = join(directory, "data");
  const told: string[] = [];
  for (let kill = 0; kill < KILLS; kill++) told.push(...(await writeUntil(data, 1 + dice.drawInt(MOST_TOLD))));

  const database = new DatabaseSync(join(data, "leasehold.db"));
  const rows = database.prepare("SELECT id, sha256 FROM artifacts").all() as { id: string; sha256: string }[];
  database.close();
  const ids = new Set(rows.map(({ id }) => id));
  expect(told.filter((id) => !ids.has(id))).toEqual([]);
  // At most one was committed, by each process, that it did not come to tell.
  expect(rows.length - told.length).toBeLessThanOrEqual(KILLS);

  const artifacts = createFileArtifacts(join(data, "artifacts"), createSystemWorld().ids);
  const store = await openSqliteStore({ directory: data });
  try {
    await artifacts.sweep((digests) => store.findNamedContents(digests));
  } finally {
    await store.close();
  }
  for (const { sha256 } of rows) expect(await digestOf(artifacts, sha256)).toBe(sha256);
  // And nothing lies about beside them.
  expect(await filesIn(join(data, "artifacts"))).toBe(new Set(rows.map(({ sha256 }) => sha256)).size);
});
