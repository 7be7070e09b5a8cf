/** Reads a regular file whole, up to a limit. */
import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { CodedError } from "../../protocol/errors.ts";
import { hasCode } from "./file-error.ts";
import { exchanged, type HeldDirectory } from "./held-directory.ts";

const { O_NOFOLLOW, O_NONBLOCK, O_RDONLY } = constants;
/** Read at a time: what is stopped meanwhile reads no further. */
const PIECE_BYTES = 1_048_576;

/** @throws CodedError INVALID_REQUEST for anything but a regular file, and for one of more than `maxBytes`. */
export async function readFileIn(
  directory: HeldDirectory,
  name: string,
  { maxBytes, signal }: { readonly maxBytes: number; readonly signal: AbortSignal },
): Promise<Buffer> {
  await using file = await openRegular(directory, name, O_RDONLY);
  const { size: expected } = await file.stat();
  if (expected > maxBytes) throw tooLong(maxBytes);
  // One more than is expected, so that the end of a file is found with the first piece. Some files do not tell their size.
  const length = Math.min(Math.max(expected + 1, 4_096), PIECE_BYTES);
  const pieces: Buffer[] = [];
  for (let size = 0; ; ) {
    signal.throwIfAborted();
    const piece = Buffer.allocUnsafe(length);
    const { bytesRead } = await file.read(piece, 0, length);
    if (bytesRead === 0) {
      signal.throwIfAborted();
      return Buffer.concat(pieces, size);
    }
    size += bytesRead;
    if (size > maxBytes) throw tooLong(maxBytes);
    pieces.push(piece.subarray(0, bytesRead));
  }
}

/**
 * Opens a regular file that is there. Without waiting: to open a pipe would take until somebody writes into it.
 * @throws CodedError INVALID_REQUEST for a directory, pipe, socket or device.
 */
export async function openRegular(directory: HeldDirectory, name: string, flags: number): Promise<FileHandle> {
  const file = await openEntry(directory, name, flags);
  try {
    await directory.verify(name, file);
    if (!(await file.stat()).isFile()) throw notRegular();
    return file;
  } catch (error) {
    await file.close();
    throw error;
  }
}

async function openEntry(directory: HeldDirectory, name: string, flags: number): Promise<FileHandle> {
  try {
    return await open(directory.entryPath(name), flags | O_NOFOLLOW | O_NONBLOCK);
  } catch (error) {
    // Links were followed before: one that is here now was put here since.
    if (hasCode(error, "ELOOP")) throw exchanged();
    // A socket, and a pipe that nobody reads, cannot be opened at all.
    if (hasCode(error, "ENXIO")) throw notRegular();
    throw error;
  }
}

export function notRegular(): CodedError {
  return new CodedError(
    "INVALID_REQUEST",
    "path is no regular file: directories, pipes, sockets and devices are refused",
    {
      details: { field: "path" },
    },
  );
}

function tooLong(limit: number): CodedError {
  return new CodedError(
    "INVALID_REQUEST",
    `path has more than ${limit} bytes: read it in another way, or raise maxBytes`,
    {
      details: { field: "path", limit },
    },
  );
}
