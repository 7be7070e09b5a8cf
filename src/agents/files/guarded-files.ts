/**
 * `ctx.fs`: files under the lease's `fs.read` and `fs.write`. The guard is asked about the place a path leads to once all
 * links are followed, and what is opened is that place or nothing.
 */
import { hash } from "node:crypto";
import { posix } from "node:path";
import type { Operation } from "../../kernel/authority/guard.ts";
import { canonicalPath, MAX_TARGET_LENGTH } from "../../kernel/authority/targets.ts";
import { Turnstile } from "../../kernel/turnstile.ts";
import type { WhenDenied } from "../ask-people.ts";
import { invalid } from "../event-bodies.ts";
import type { Operate, ToolCall } from "../operation.ts";
import {
  type DirectoryEntry,
  type FileFacts,
  listDirectory,
  makeDirectories,
  readFacts,
  removeEntry,
} from "./directory-entries.ts";
import { hideTarget, toFileError } from "./file-error.ts";
import { type HeldDirectory, holdDirectory } from "./held-directory.ts";
import { findPlacesApart, type PlacesApart } from "./places-apart.ts";
import { notRegular, readFileIn } from "./read-file.ts";
import { type ResolvedPath, resolveEntry, resolvePath } from "./resolve-path.ts";
import { appendFileIn, replaceFileIn, type WriteOptions } from "./write-file.ts";

/** Largest file read whole, in bytes, unless `maxBytes` says otherwise. */
export const DEFAULT_MAX_READ_BYTES = 67_108_864;
/** Largest `maxBytes`: what is read is held in memory. */
const MOST_READ_BYTES = 1_073_741_824;
/** A directory with more entries cannot be listed. */
const MAX_LISTED_ENTRIES = 100_000;
/** Directories that are made at once: each of them is asked about. */
const MAX_MADE_DIRECTORIES = 32;
/** How many of a job's file operations go on at a time; further ones wait. Each holds a file open. */
export const MAX_OPEN_FILES = 64;

export interface ReadOptions extends WhenDenied {
  /** A larger file is refused with INVALID_REQUEST. Default: 64 MiB; at most 1 GiB. */
  readonly maxBytes?: number;
}

/**
 * Paths are absolute. Every call is an operation of its own, on the log as `fs.read`, `fs.write` and so on, with its path
 * and never with contents. Nothing but regular files is read or written: pipes, sockets and devices are refused.
 *
 * The lease has to cover the place that a path leads to, with `..` and symbolic links followed as the system does; a
 * hard link is a second name of a file, and by that name it is covered. The runtime's own data no lease covers.
 *
 * All reject with CodedError LEASE_EXPIRED, BUDGET_EXHAUSTED or PERMISSION_DENIED when the lease does not allow it, or when
 * the path was exchanged at that moment; with INVALID_REQUEST for a wrong argument; with the job's stop reason after a
 * stop; and with an error of the system, such as one of `code` `ENOENT`.
 */
export interface GuardedFiles {
  /** Reads a file whole (`fs.read`). */
  read(path: string, options?: ReadOptions): Promise<Uint8Array>;
  /** Reads a file whole, as UTF-8 (`fs.read`). */
  readText(path: string, options?: ReadOptions): Promise<string>;
  /**
   * Makes a file or replaces it (`fs.write`). Readers see the old or the new content, never a part; a file that is replaced
   * keeps its permissions. Written under another name in the same directory first. Bytes must not be changed before the end.
   */
  write(path: string, data: string | Uint8Array, options?: WhenDenied): Promise<void>;
  /** Writes at the end of a file, which is made if need be (`fs.write`). A stop in the middle leaves a part. */
  append(path: string, data: string | Uint8Array, options?: WhenDenied): Promise<void>;
  /** What is in a directory (`fs.read` of the directory itself), sorted by name; at most 100,000 entries. */
  list(path: string, options?: WhenDenied): Promise<readonly DirectoryEntry[]>;
  /** What a path leads to (`fs.read`); undefined when there is nothing. */
  stat(path: string, options?: WhenDenied): Promise<FileFacts | undefined>;
  /** Makes a directory, and those above it that are missing (`fs.write` of each). One that is there is left as it is. */
  mkdir(path: string, options?: WhenDenied): Promise<void>;
  /** Removes a file, a link itself, or a directory that is empty (`fs.write`). */
  remove(path: string, options?: WhenDenied): Promise<void>;
}

interface FileOperation<Result> {
  /** What it is called, also on the log. */
  readonly tool: string;
  readonly namespace: "fs.read" | "fs.write";
  readonly path: string;
  readonly resolve?: (path: string) => Promise<ResolvedPath>;
  /** What is touched. Default: the place itself. */
  readonly targets?: (at: ResolvedPath) => readonly string[];
  /** What a grant is bound to beside the path. */
  readonly exact?: () => Readonly<Record<string, unknown>>;
  readonly whenDenied: WhenDenied | undefined;
  readonly describe: (result: Result) => Readonly<Record<string, unknown>> | undefined;
  readonly run: (at: ResolvedPath, call: ToolCall, places: PlacesApart) => Promise<Result>;
}

/** @param apart absolute paths of directories that no lease covers. */
export function createFiles(operate: Operate, apart: readonly string[] = []): GuardedFiles {
  const turnstile = new Turnstile(MAX_OPEN_FILES);
  let finding: Promise<PlacesApart> | undefined;

  const use = async <Result>(operation: FileOperation<Result>): Promise<Result> => {
    const { tool, namespace, path, resolve = resolvePath, targets, exact, whenDenied, describe, run } = operation;
    const plain = checkPath(tool, path);
    return await turnstile.run(async () => {
      finding ??= findPlacesApart(apart);
      const [at, places] = await Promise.all([resolve(path), finding]);
      const touched = targets?.(at) ?? [at.canonical];
      const linked = at.canonical !== plain;
      return await operate<Result>(
        {
          operations: touched.map((target): Operation => ({ namespace, target, operation: tool.slice(3) })),
          tool,
          args: { path },
          ...(exact && { exact: () => ({ path, ...exact() }) }),
          whenDenied,
          describe: (result) => ({ ...describe(result), ...(linked && { path: at.canonical }) }),
          reword: (refusal) => (linked ? hideTarget(refusal, path) : refusal),
        },
        async (call) => {
          places.assertNotWithin(at.canonical, namespace, path);
          try {
            return await run(at, call, places);
          } catch (error) {
            throw toFileError(error, tool, path);
          }
        },
      );
    });
  };

  const read = (path: string, options: ReadOptions = {}): Promise<Buffer> => {
    const { maxBytes = DEFAULT_MAX_READ_BYTES, ...whenDenied } = options;
    if (!Number.isInteger(maxBytes) || maxBytes < 0 || maxBytes > MOST_READ_BYTES) {
      throw invalid("fs.read.maxBytes", `must be a whole number from 0 to ${MOST_READ_BYTES}`);
    }
    return use({
      tool: "fs.read",
      namespace: "fs.read",
      path,
      whenDenied,
      describe: ({ length }) => ({ bytes: length }),
      run: ({ canonical }, { signal }) =>
        within(canonical, (directory, name) => readFileIn(directory, name, { maxBytes, signal })),
    });
  };

  const put = async (
    tool: string,
    path: string,
    data: string | Uint8Array,
    write: (directory: HeldDirectory, name: string, bytes: Uint8Array, options: WriteOptions) => Promise<void>,
    whenDenied: WhenDenied | undefined,
  ): Promise<void> => {
    if (typeof data !== "string" && !(data instanceof Uint8Array)) {
      throw invalid(`${tool}.data`, "must be a string or a Uint8Array");
    }
    const bytes = typeof data === "string" ? Buffer.from(data) : data;
    await use({
      tool,
      namespace: "fs.write",
      path,
      exact: () => writtenExactly(bytes),
      whenDenied,
      describe: () => ({ bytes: bytes.length }),
      run: ({ canonical }, call) => within(canonical, (directory, name) => write(directory, name, bytes, call)),
    });
  };

  return {
    read: async (path, options) => await read(path, options),
    readText: async (path, options) => (await read(path, options)).toString("utf8"),
    write: (path, data, how) => put("fs.write", path, data, replaceFileIn, how),
    append: (path, data, how) => put("fs.append", path, data, appendFileIn, how),
    list: (path, how) =>
      use({
        tool: "fs.list",
        namespace: "fs.read",
        path,
        whenDenied: how,
        describe: ({ length }) => ({ entries: length }),
        run: ({ canonical }, { signal }, places) =>
          listDirectory(canonical, { maxEntries: MAX_LISTED_ENTRIES, signal, isHidden: places.has }),
      }),
    stat: (path, how) =>
      use({
        tool: "fs.stat",
        namespace: "fs.read",
        path,
        whenDenied: how,
        describe: (facts) => (facts === undefined ? { found: false } : { type: facts.type, bytes: facts.size }),
        run: ({ canonical }) => readFacts(canonical),
      }),
    mkdir: async (path, how) => {
      await use({
        tool: "fs.mkdir",
        namespace: "fs.write",
        path,
        whenDenied: how,
        targets: directoriesToMake,
        describe: (made) => ({ made }),
        run: ({ canonical, existing }) => makeDirectories(existing, segmentsBelow(existing, canonical)),
      });
    },
    remove: (path, how) =>
      use({
        tool: "fs.remove",
        namespace: "fs.write",
        path,
        whenDenied: how,
        resolve: resolveEntry,
        describe: () => ({}),
        run: ({ canonical }) => removeEntry(canonical),
      }),
  };
}

/** What a grant to write is for beside the path: this content and no other. */
export function writtenExactly(bytes: Uint8Array): { readonly bytes: number; readonly sha256: string } {
  return { bytes: bytes.length, sha256: hash("sha256", bytes, "hex") };
}

/** @returns the path in canonical form, as far as its text goes. */
function checkPath(tool: string, path: string): string {
  const field = `${tool}.path`;
  if (typeof path !== "string" || !path.startsWith("/") || path.includes("\0")) {
    throw invalid(field, "must be an absolute path: there is no working directory, begin with /");
  }
  if (path.length > MAX_TARGET_LENGTH) throw invalid(field, `must have at most ${MAX_TARGET_LENGTH} characters`);
  return canonicalPath(path);
}

async function within<Result>(
  canonical: string,
  work: (directory: HeldDirectory, name: string) => Promise<Result>,
): Promise<Result> {
  const name = posix.basename(canonical);
  if (name === "") throw notRegular();
  await using directory = await holdDirectory(posix.dirname(canonical));
  return await work(directory, name);
}

function segmentsBelow(directory: string, path: string): readonly string[] {
  return posix.relative(directory, path).split("/").filter(Boolean);
}

function directoriesToMake({ existing, canonical }: ResolvedPath): readonly string[] {
  const missing = segmentsBelow(existing, canonical);
  if (missing.length === 0) return [canonical];
  if (missing.length > MAX_MADE_DIRECTORIES) {
    throw invalid("fs.mkdir.path", `must have at most ${MAX_MADE_DIRECTORIES} directories that are not there yet`);
  }
  return missing.map((_, index) => posix.join(existing, ...missing.slice(0, index + 1)));
}
