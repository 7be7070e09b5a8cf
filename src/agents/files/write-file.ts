/** Writes regular files: whole and at once, or at their end. */
import { constants } from "node:fs";
import { type FileHandle, lstat, open, rename, unlink } from "node:fs/promises";
import { hasCode } from "./file-error.ts";
import { exchanged, type HeldDirectory } from "./held-directory.ts";
import { notRegular, openRegular } from "./read-file.ts";

const { O_APPEND, O_CREAT, O_EXCL, O_NOFOLLOW, O_WRONLY } = constants;
/** Of a file that is made; the process's umask applies. */
const NEW_FILE_MODE = 0o666;
/** Permissions of a file that is replaced are kept, without set-user-id and the like. */
const PERMISSIONS = 0o777;
/** Written at a time: what is stopped meanwhile writes no further. */
const PIECE_BYTES = 1_048_576;
/** How the name begins under which a file is written before it takes its own; the rest is the id of the call. */
export const UNFINISHED = ".leasehold-";

const ignore = (): void => {};

export interface WriteOptions {
  readonly callId: string;
  readonly signal: AbortSignal;
}

/** Readers see the file as it was or as it is meant to be, also after a crash. A stop before the end leaves it as it was. */
export async function replaceFileIn(
  directory: HeldDirectory,
  name: string,
  data: Uint8Array,
  { callId, signal }: WriteOptions,
): Promise<void> {
  const mode = await modeOf(directory, name);
  const unfinished = `${UNFINISHED}${callId}`;
  const file = await open(directory.entryPath(unfinished), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, NEW_FILE_MODE);
  try {
    try {
      await directory.verify(unfinished, file);
      if (mode !== undefined) await file.chmod(mode);
      await writePieces(file, data, signal);
      await file.datasync();
    } finally {
      await file.close();
    }
    signal.throwIfAborted();
    await rename(directory.entryPath(unfinished), directory.entryPath(name));
  } catch (error) {
    await unlink(directory.entryPath(unfinished)).catch(ignore);
    throw error;
  }
}

/** A stop in the middle leaves what was written until then. */
export async function appendFileIn(
  directory: HeldDirectory,
  name: string,
  data: Uint8Array,
  { signal }: WriteOptions,
): Promise<void> {
  await using file = await openForAppend(directory, name);
  await writePieces(file, data, signal);
}

async function openForAppend(directory: HeldDirectory, name: string): Promise<FileHandle> {
  // What is there is looked at before it is opened for writing: that alone may do something to a device.
  if ((await modeOf(directory, name)) !== undefined) return await openRegular(directory, name, O_WRONLY | O_APPEND);
  try {
    return await openRegular(directory, name, O_WRONLY | O_APPEND | O_CREAT | O_EXCL);
  } catch (error) {
    // Somebody else made it at the same moment.
    if (!hasCode(error, "EEXIST")) throw error;
    return await openRegular(directory, name, O_WRONLY | O_APPEND);
  }
}

/** The permissions of the file that is there; undefined when nothing is. */
async function modeOf(directory: HeldDirectory, name: string): Promise<number | undefined> {
  try {
    const found = await lstat(directory.entryPath(name));
    if (found.isSymbolicLink()) throw exchanged();
    if (!found.isFile()) throw notRegular();
    return found.mode & PERMISSIONS;
  } catch (error) {
    if (hasCode(error, "ENOENT")) return undefined;
    throw error;
  }
}

async function writePieces(file: FileHandle, data: Uint8Array, signal: AbortSignal): Promise<void> {
  for (let from = 0; from < data.length; ) {
    signal.throwIfAborted();
    const { bytesWritten } = await file.write(data, from, Math.min(PIECE_BYTES, data.length - from));
    from += bytesWritten;
  }
}
