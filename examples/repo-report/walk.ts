/** Lists the files below a folder, without reading them. Follows no symbolic link, so there are no loops to fall into. */
import { join } from "node:path";
import type { GuardedFiles } from "leasehold";
import { type IgnoreRules, parseIgnoreRules } from "./ignore-rules.ts";
import { isOver } from "./refusal.ts";

/** Never of interest, whether a `.gitignore` says so or not. */
const SKIPPED_FOLDERS = new Set([".git", "node_modules", ".leasehold", ".hg", ".svn", "__pycache__", ".venv"]);
/** Folders listed at a time: each listing waits for its record on the disk, and those of one turn wait together. */
const CONCURRENCY = 16;
/** A longer `.gitignore`, in bytes, is left out. */
const MAX_RULES_BYTES = 262_144;

export interface Listing {
  /** Paths relative to the root, with `/`, sorted. */
  readonly files: readonly string[];
  /** Folders that could not be read. */
  readonly unreadable: readonly string[];
  /** True when there were more than `maxFiles`. */
  readonly truncated: boolean;
}

interface Folder {
  /** Relative to the root; empty for the root, else ends in `/`. */
  readonly path: string;
  /** The innermost last. */
  readonly scopes: readonly Scope[];
}

interface Scope {
  readonly folder: string;
  readonly rules: IgnoreRules;
}

interface Contents {
  readonly files: readonly string[];
  readonly folders: readonly Folder[];
}

/** @throws when the lease is over, or the job; the error of listing when `root` itself cannot be read. */
export async function listFiles(fs: GuardedFiles, root: string, maxFiles: number): Promise<Listing> {
  const files: string[] = [];
  const unreadable: string[] = [];
  const waiting: Folder[] = [{ path: "", scopes: [] }];
  while (waiting.length > 0 && files.length <= maxFiles) {
    const folders = waiting.splice(0, CONCURRENCY);
    const looked = await Promise.all(
      folders.map((folder) =>
        lookInto(fs, root, folder).catch((error: unknown) => {
          if (folder.path === "" || isOver(error)) throw error;
          unreadable.push(folder.path);
          return { files: [], folders: [] };
        }),
      ),
    );
    for (const contents of looked) {
      files.push(...contents.files);
      waiting.push(...contents.folders);
    }
  }
  return { files: files.slice(0, maxFiles).sort(), unreadable, truncated: files.length > maxFiles };
}

async function lookInto(fs: GuardedFiles, root: string, { path: folder, scopes: outer }: Folder): Promise<Contents> {
  const entries = await fs.list(join(root, folder));
  const hasRules = entries.some(({ name, type }) => name === ".gitignore" && type === "file");
  const scopes = hasRules
    ? [...outer, { folder, rules: await readRules(fs, join(root, folder, ".gitignore")) }]
    : outer;
  const files: string[] = [];
  const folders: Folder[] = [];
  for (const { name, type } of entries) {
    const path = folder + name;
    if (type === "directory" && !SKIPPED_FOLDERS.has(name) && !isIgnored(path, true, scopes)) {
      folders.push({ path: `${path}/`, scopes });
    }
    if (type === "file" && !isIgnored(path, false, scopes)) files.push(path);
  }
  return { files, folders };
}

async function readRules(fs: GuardedFiles, path: string): Promise<IgnoreRules> {
  return parseIgnoreRules(await fs.readText(path, { maxBytes: MAX_RULES_BYTES }).catch(() => ""));
}

/** The innermost `.gitignore` with an opinion decides. */
function isIgnored(path: string, isFolder: boolean, scopes: readonly Scope[]): boolean {
  for (let index = scopes.length - 1; index >= 0; index--) {
    const { folder, rules } = scopes[index] as Scope;
    const verdict = rules.verdict(path.slice(folder.length), isFolder);
    if (verdict !== undefined) return verdict === "ignored";
  }
  return false;
}
