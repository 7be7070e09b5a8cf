import { mkdtemp, readdir, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { createFakeWorld } from "../../testing/fake-world.ts";
import { describeArtifacts, digestOf, gated, pieces, textOf } from "./artifacts-contract.ts";
import { createFileArtifacts } from "./file-artifacts.ts";

const directories: string[] = [];
const { ids } = createFakeWorld();

async function newDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "leasehold-artifacts-"));
  directories.push(directory);
  return join(directory, "artifacts");
}

afterEach(async () => {
  for (const directory of directories.splice(0)) await rm(directory, { recursive: true, force: true });
});

describeArtifacts("files", async () => createFileArtifacts(await newDirectory(), ids));

describe("artifacts in files", () => {
  it("makes nothing before the first content, and sweeps nothing then", async () => {
    const directory = await newDirectory();
    const artifacts = createFileArtifacts(directory, ids);
    expect(await artifacts.sweep(async () => new Set())).toBe(0);
    expect(await artifacts.open(digestOf("x"))).toBeUndefined();
    await expect(stat(directory)).rejects.toMatchObject({ code: "ENOENT" });
  });

  it("lets nobody else read them, and leaves nothing beside them", async () => {
    const directory = await newDirectory();
    const { sha256 } = await createFileArtifacts(directory, ids).put(pieces("secret"));
    expect(await readdir(join(directory, "incoming"))).toEqual([]);
    const shard = join(directory, sha256.slice(0, 2));
    for (const [path, mode] of [
      [directory, 0o700],
      [join(directory, "incoming"), 0o700],
      [shard, 0o700],
      [join(shard, sha256), 0o600],
    ] as const) {
      expect((await stat(path)).mode & 0o777).toBe(mode);
    }
  });

  it("is there for the next process", async () => {
    const directory = await newDirectory();
    const { sha256 } = await createFileArtifacts(directory, ids).put(pieces("kept"));
    const later = createFileArtifacts(directory, ids);
    expect(await textOf(await later.open(sha256))).toBe("kept");
    expect(await later.sweep(async (digests) => new Set(digests))).toBe(0);
    expect(await later.sweep(async () => new Set())).toBe(1);
  });

  it("sweeps what a crash left half written, and not what is being written", async () => {
    const directory = await newDirectory();
    const artifacts = createFileArtifacts(directory, ids);
    const { content, begun, open: goOn } = gated("a", "b");
    const putting = artifacts.put(content);
    await begun;
    expect(await readdir(join(directory, "incoming"))).toHaveLength(1);
    await writeFile(join(directory, "incoming", "art_LEFTBEHIND"), "half");
    await artifacts.sweep(async () => new Set());
    expect(await readdir(join(directory, "incoming"))).toHaveLength(1);
    goOn();
    expect(await textOf(await artifacts.open((await putting).sha256))).toBe("ab");
  });

  it("removes what it began to write when it cannot be finished", async () => {
    const directory = await newDirectory();
    const artifacts = createFileArtifacts(directory, ids);
    await artifacts.put(pieces("makes the directories"));
    const { sha256 } = { sha256: digestOf("x") };
    // A file stands where the directory of this digest should be.
    await writeFile(join(directory, sha256.slice(0, 2)), "in the way");
    await expect(artifacts.put(pieces("x"))).rejects.toThrow();
    expect(await readdir(join(directory, "incoming"))).toEqual([]);
    await rm(join(directory, sha256.slice(0, 2)));
    expect(await artifacts.put(pieces("x"))).toMatchObject({ sha256 });
  });

  it("puts right a copy that the disk has damaged", async () => {
    const directory = await newDirectory();
    const artifacts = createFileArtifacts(directory, ids);
    const { sha256 } = await artifacts.put(pieces("whole"));
    await writeFile(join(directory, sha256.slice(0, 2), sha256), "wh");
    await artifacts.put(pieces("whole"));
    expect(await textOf(await artifacts.open(sha256))).toBe("whole");
  });
});
