/**
 * A directory that was opened, and found to be the one that was allowed. Its entries are reached by way of the open handle,
 * so that a directory which is exchanged for a link afterwards changes nothing: what is done is done in the one that is held.
 */
import { constants } from "node:fs";
import { type FileHandle, lstat, open, readlink, realpath } from "node:fs/promises";
import { posix } from "node:path";
import { CodedError } from "../../protocol/errors.ts";

const { O_DIRECTORY, O_NOFOLLOW, O_RDONLY } = constants;
/** Linux: a handle for passing through, which needs no right to list the directory. Node does not name it. */
const O_PATH = 0o10000000;

export interface HeldDirectory extends AsyncDisposable {
  /** The directory itself. */
  readonly path: string;
  /** The path of an entry. To be opened with O_NOFOLLOW: it may have become a link. */
  entryPath(name: string): string;
  /** Makes sure that an entry which was opened belongs to this directory. To be asked before anything is read or written. */
  verify(name: string, opened: FileHandle): Promise<void>;
}

/**
 * Opens the directory at a canonical path.
 * @throws CodedError PERMISSION_DENIED when it is another by now; the system's error when it cannot be opened.
 */
export type HoldDirectory = (canonical: string) => Promise<HeldDirectory>;

export const holdDirectory: HoldDirectory = process.platform === "linux" ? holdByHandle : holdByComparison;

/** The kernel says where a handle leads, and paths go through it. */
async function holdByHandle(canonical: string): Promise<HeldDirectory> {
  const handle = await openDirectory(canonical, O_PATH);
  try {
    const path = `/proc/self/fd/${handle.fd}`;
    if ((await readlink(path)) !== canonical) throw exchanged();
    return {
      path,
      entryPath: (name) => `${path}/${name}`,
      verify: async () => {},
      [Symbol.asyncDispose]: () => handle.close(),
    };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/**
 * Where the system has no such paths: what was opened must be what the path leads to now, with no link on the way. Between
 * the two a file without content can be made, or an entry removed, in a directory that was exchanged at that very moment.
 */
export async function holdByComparison(canonical: string): Promise<HeldDirectory> {
  const handle = await openDirectory(canonical, O_RDONLY);
  const assertSame = async (path: string, opened: FileHandle): Promise<void> => {
    const [resolved, found, held] = await Promise.all([realpath(path), lstat(path), opened.stat()]);
    if (resolved !== path || found.dev !== held.dev || found.ino !== held.ino) throw exchanged();
  };
  try {
    await assertSame(canonical, handle);
    return {
      path: canonical,
      entryPath: (name) => posix.join(canonical, name),
      verify: (name, opened) => assertSame(posix.join(canonical, name), opened),
      [Symbol.asyncDispose]: () => handle.close(),
    };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

async function openDirectory(canonical: string, flags: number): Promise<FileHandle> {
  try {
    return await open(canonical, flags | O_DIRECTORY | O_NOFOLLOW);
  } catch (error) {
    // Links were followed before: one that is here now was put here since. The system calls it no directory.
    if ((await lstat(canonical)).isSymbolicLink()) throw exchanged();
    throw error;
  }
}

/** Says nothing of where the path leads now: that may be outside the lease. */
export function exchanged(): CodedError {
  return new CodedError(
    "PERMISSION_DENIED",
    "the path was exchanged while it was being opened: it does not lead where it was checked any more, and nothing was done",
  );
}
