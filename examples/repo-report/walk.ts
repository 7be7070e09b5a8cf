/** Lists the files below a folder, without reading them. Follows no symbolic link, so there are no loops to fall into. */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { type IgnoreRules, parseIgnoreRules } from "./ignore-rules.ts";

/** Never of interest, whether a `.gitignore` says so or not. */
const SKIPPED_FOLDERS = new Set([".git", "node_modules", ".leasehold", ".hg", ".svn", "__pycache__", ".venv"]);

export interface Listing {
  /** Paths relative to the root, with `/`, sorted by folder and name. */
  readonly files: readonly string[];
  /** Folders that could not be read. */
  readonly unreadable: readonly string[];
  /** True when there were more than `maxFiles`. */
  readonly truncated: boolean;
}

interface Scope {
  /** Relative to the root; empty for the root, else ends in `/`. */
  readonly folder: string;
  readonly rules: IgnoreRules;
}

/** @throws the signal's reason when it aborts; the error of `readdir` when `root` itself cannot be read. */
export async function listFiles(root: string, maxFiles: number, signal: AbortSignal): Promise<Listing> {
  const files: string[] = [];
  const unreadable: string[] = [];
  let truncated = false;

  async function visit(folder: string, outer: readonly Scope[]): Promise<void> {
    signal.throwIfAborted();
    const entries = await readdir(join(root, folder), { withFileTypes: true }).catch((error: unknown) => {
      if (folder === "") throw error;
      unreadable.push(folder);
      return [];
    });
    entries.sort((a, b) => (a.name < b.name ? -1 : 1));
    const hasRules = entries.some((entry) => entry.name === ".gitignore" && entry.isFile());
    const scopes = hasRules ? [...outer, { folder, rules: await readRules(join(root, folder, ".gitignore")) }] : outer;

    for (const entry of entries) {
      const path = folder + entry.name;
      const isFolder = entry.isDirectory();
      if ((!isFolder && !entry.isFile()) || (isFolder && SKIPPED_FOLDERS.has(entry.name))) continue;
      if (isIgnored(path, isFolder, scopes)) continue;
      if (isFolder) {
        await visit(`${path}/`, scopes);
      } else if (files.length < maxFiles) {
        files.push(path);
      } else {
        truncated = true;
      }
      if (truncated) return;
    }
  }

  await visit("", []);
  return { files, unreadable, truncated };
}

async function readRules(path: string): Promise<IgnoreRules> {
  return parseIgnoreRules(await readFile(path, "utf8").catch(() => ""));
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
