/** The repository's own files, as the checks see them. */
import { globSync, readFileSync } from "node:fs";
import { join, sep } from "node:path";
import type { SourceFile } from "../conformance/manifest.ts";

export const ROOT = join(import.meta.dirname, "..");

const FOREIGN = new Set(["node_modules", "dist", ".git", ".leasehold", ".bench"]);

/** Paths of files that match any of `patterns`, relative to the root, with `/`, sorted. Leaves out what is not ours. */
export function listFiles(...patterns: string[]): readonly string[] {
  const found = globSync(patterns, { cwd: ROOT, exclude: (path) => FOREIGN.has(path.split(sep).at(-1) ?? "") });
  return found.map((path) => path.split(sep).join("/")).sort();
}

export function readFile(path: string): string {
  return readFileSync(join(ROOT, path), "utf8");
}

export function readFiles(...patterns: string[]): readonly SourceFile[] {
  return listFiles(...patterns).map((path) => ({ path, text: readFile(path) }));
}
