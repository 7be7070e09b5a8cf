/**
 * Contents as files, `<directory>/<first two hex digits>/<sha256>`, each written under another name in `incoming/` and
 * renamed once it is on the disk. Everything is its owner's alone (700, 600). One process at a time: the store's lock on
 * the data directory sees to that.
 */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { type FileHandle, mkdir, open, readdir, rename, unlink } from "node:fs/promises";
import { join } from "node:path";
import type { Artifacts } from "../../kernel/ports.ts";
import type { Ids } from "../../platform/world.ts";
import { createPins, DIGESTS_AT_ONCE } from "./pins.ts";

const DIGEST = /^[0-9a-f]{64}$/;
const SHARD = /^[0-9a-f]{2}$/;
const INCOMING = "incoming";

/** @param directory made when the first content comes; its parent must be there, and outlast a loss of power. */
export function createFileArtifacts(directory: string, ids: Ids): Artifacts {
  const pins = createPins();
  /** Directories whose own entry is on the disk. */
  const made = new Map<string, Promise<void>>();
  /** Names in `incoming/` that are being written. */
  const incoming = new Set<string>();
  /** Removals under way: a rename to the same name waits for them. */
  const removals = new Map<string, Promise<void>>();

  const shardOf = (sha256: string): string => join(directory, sha256.slice(0, 2));
  const pathOf = (sha256: string): string => join(shardOf(sha256), sha256);

  /** Two that need the same directory both wait until it is durable. */
  function makeDirectory(path: string, parent: string): Promise<void> {
    const making = made.get(path) ?? makeDurably(path, parent);
    made.set(path, making);
    making.catch(() => made.delete(path));
    return making;
  }

  async function makeRoom(path: string): Promise<void> {
    await makeDirectory(directory, join(directory, ".."));
    await makeDirectory(path, directory);
  }

  async function removeUnlessSpared(sha256: string): Promise<boolean> {
    if (pins.spares(sha256)) return false;
    const removal = removeFile(pathOf(sha256));
    removals.set(
      sha256,
      removal.then(
        () => void removals.delete(sha256),
        () => void removals.delete(sha256),
      ),
    );
    return removal;
  }

  /** What a crash left half written. */
  async function sweepIncoming(): Promise<void> {
    for (const name of await listDirectory(join(directory, INCOMING))) {
      if (!incoming.has(name)) await removeFile(join(directory, INCOMING, name));
    }
  }

  return {
    async put(content) {
      await makeRoom(join(directory, INCOMING));
      const name = ids.next("art");
      const temporary = join(directory, INCOMING, name);
      incoming.add(name);
      let release: (() => void) | undefined;
      try {
        const { sha256, size } = await writeFile(temporary, content);
        release = pins.pin(sha256);
        await makeRoom(shardOf(sha256));
        await removals.get(sha256);
        // Over the same content, if it is here already: whatever became of that copy on the disk, this one is whole.
        await rename(temporary, pathOf(sha256));
        await syncDirectory(shardOf(sha256));
        return { sha256, size, release };
      } catch (error) {
        release?.();
        // What is left of it goes with the next sweep; what went wrong first is what the caller has to hear.
        await removeFile(temporary).catch(() => {});
        throw error;
      } finally {
        incoming.delete(name);
      }
    },

    async open(sha256, range) {
      if (!DIGEST.test(sha256)) return undefined;
      let file: FileHandle;
      try {
        file = await open(pathOf(sha256), "r");
      } catch (error) {
        if (isMissing(error)) return undefined;
        throw error;
      }
      return createReadStream("", {
        fd: file,
        ...(range === undefined ? {} : { start: range.from, end: range.to }),
      });
    },

    sweep: (findNamed) =>
      pins.duringSweep(async () => {
        await sweepIncoming();
        let removed = 0;
        for (const shard of await listDirectory(directory)) {
          if (!SHARD.test(shard)) continue;
          const digests = (await listDirectory(join(directory, shard))).filter((name) => DIGEST.test(name));
          for (let from = 0; from < digests.length; from += DIGESTS_AT_ONCE) {
            const page = digests.slice(from, from + DIGESTS_AT_ONCE);
            const named = await findNamed(page);
            for (const sha256 of page) if (!named.has(sha256) && (await removeUnlessSpared(sha256))) removed++;
          }
        }
        return removed;
      }),
  };
}

/** Writes a new file and brings it to the disk. */
async function writeFile(
  path: string,
  content: AsyncIterable<Uint8Array>,
): Promise<{ readonly sha256: string; readonly size: number }> {
  const hash = createHash("sha256");
  let size = 0;
  const file = await open(path, "wx", 0o600);
  try {
    for await (const piece of content) {
      hash.update(piece);
      size += piece.length;
      await writeWhole(file, piece);
    }
    await file.sync();
  } finally {
    await file.close();
  }
  return { sha256: hash.digest("hex"), size };
}

/** A write may take less than it was given. */
async function writeWhole(file: FileHandle, piece: Uint8Array): Promise<void> {
  for (let from = 0; from < piece.length; ) {
    const { bytesWritten } = await file.write(piece, from);
    from += bytesWritten;
  }
}

async function makeDurably(path: string, parent: string): Promise<void> {
  await mkdir(path, { recursive: true, mode: 0o700 });
  await syncDirectory(parent);
}

/** Makes a new name in a directory durable. Windows cannot open directories, and needs no such step. */
async function syncDirectory(path: string): Promise<void> {
  if (process.platform === "win32") return;
  const directory = await open(path, "r");
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

/** False when it was not there. */
async function removeFile(path: string): Promise<boolean> {
  try {
    await unlink(path);
    return true;
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}

async function listDirectory(path: string): Promise<readonly string[]> {
  try {
    return await readdir(path);
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
}
