/** Entries of a directory: what there is, what it is, a new directory, one less. */
import type { Dirent, Stats } from "node:fs";
import { lstat, mkdir, opendir, rmdir, stat, unlink } from "node:fs/promises";
import { posix } from "node:path";
import { CodedError } from "../../protocol/errors.ts";
import { hasCode } from "./file-error.ts";
import { exchanged, holdDirectory } from "./held-directory.ts";
import { UNFINISHED } from "./write-file.ts";

export type EntryType = "file" | "directory" | "link" | "other";

export interface DirectoryEntry {
  readonly name: string;
  /** `other`: a pipe, socket or device. */
  readonly type: EntryType;
}

export interface FileFacts {
  /** Links are followed: of what they lead to. */
  readonly type: Exclude<EntryType, "link">;
  /** In bytes. */
  readonly size: number;
  /** In milliseconds since the epoch. */
  readonly modifiedAt: number;
}

export interface ListOptions {
  readonly maxEntries: number;
  readonly signal: AbortSignal;
  /** What is not to be told of: a canonical path. */
  isHidden(path: string): boolean;
}

/** Sorted by name; without files that are just being written. @throws CodedError INVALID_REQUEST beyond `maxEntries`. */
export async function listDirectory(
  canonical: string,
  { maxEntries, signal, isHidden }: ListOptions,
): Promise<readonly DirectoryEntry[]> {
  await using directory = await holdDirectory(canonical);
  const entries: DirectoryEntry[] = [];
  for await (const entry of await opendir(directory.path)) {
    signal.throwIfAborted();
    if (entry.name.startsWith(UNFINISHED) || isHidden(posix.join(canonical, entry.name))) continue;
    if (entries.length === maxEntries) {
      throw new CodedError("INVALID_REQUEST", `path has more than ${maxEntries} entries`, {
        details: { field: "path", limit: maxEntries },
      });
    }
    entries.push({ name: entry.name, type: typeOf(entry) });
  }
  return entries.sort((one, other) => (one.name < other.name ? -1 : 1));
}

/** Undefined when there is nothing. */
export async function readFacts(canonical: string): Promise<FileFacts | undefined> {
  try {
    const facts = await lookAt(canonical);
    const type = typeOf(facts);
    // Links were followed before: one that is here now was put here since.
    if (type === "link") throw exchanged();
    return { type, size: facts.size, modifiedAt: Math.floor(facts.mtimeMs) };
  } catch (error) {
    if (hasCode(error, "ENOENT", "ENOTDIR")) return undefined;
    throw error;
  }
}

async function lookAt(canonical: string): Promise<Stats> {
  await using directory = await holdDirectory(posix.dirname(canonical));
  const name = posix.basename(canonical);
  return name === "" ? await stat(directory.path) : await lstat(directory.entryPath(name));
}

/**
 * Makes the directories that are missing below one that is there.
 * @returns whether any was.
 */
export async function makeDirectories(existing: string, missing: readonly string[]): Promise<boolean> {
  let made = false;
  let path = existing;
  for (const name of missing) {
    // Each is found by its whole path, and held: a link that took its place leads nowhere from here.
    await using directory = await holdDirectory(path);
    try {
      await mkdir(directory.entryPath(name));
      made = true;
    } catch (error) {
      // Somebody else made it at the same moment; or it is a file, and cannot be held in the next round.
      if (!hasCode(error, "EEXIST")) throw error;
    }
    path = posix.join(path, name);
  }
  // What is there by now, whoever made it, must be a directory.
  await using _ = await holdDirectory(path);
  return made;
}

/** Removes a file, a link itself, or a directory that is empty. */
export async function removeEntry(canonical: string): Promise<void> {
  await using directory = await holdDirectory(posix.dirname(canonical));
  const path = directory.entryPath(posix.basename(canonical));
  if ((await lstat(path)).isDirectory()) await rmdir(path);
  else await unlink(path);
}

function typeOf(entry: Dirent | Stats): EntryType {
  if (entry.isFile()) return "file";
  if (entry.isDirectory()) return "directory";
  return entry.isSymbolicLink() ? "link" : "other";
}
