/** What the documents promise, held against the tree: paths, folders and links. Pure but for `exists`. */
import { posix } from "node:path";
import type { SourceFile } from "../conformance/manifest.ts";

type Exists = (path: string) => boolean;

/** Names of our files and folders in backticks, such as `src/kernel/ports.ts` or `scripts/`. */
const NAMED_PATH = /`((?:src|bin|scripts|conformance|benchmarks|examples|docs)\/[\w./-]*)`/g;
const LINK = /\[[^\]]*\]\(([^()\s]+)\)/g;
const FENCE = /^```[\s\S]*?^```/gm;

/** Every path that ARCHITECTURE.md names exists, and every folder of `src/` is a row of its table. */
export function findArchitectureProblems(page: SourceFile, folders: readonly string[], exists: Exists): string[] {
  const problems: string[] = [];
  for (const [, path = ""] of page.text.matchAll(NAMED_PATH)) {
    if (!exists(path)) problems.push(`${page.path} names ${path}, which does not exist.`);
  }
  for (const folder of folders) {
    if (!page.text.includes(`| \`src/${folder}/\` |`)) {
      problems.push(`${page.path} has no row for src/${folder}/.`);
    }
  }
  return problems;
}

/** The rows of ARCHITECTURE.md's table stand in the order of the layers. */
export function findLayerOrderProblems(page: SourceFile, layers: readonly string[]): string[] {
  const rows = [...page.text.matchAll(/^\| `src\/([\w-]+)\/` \|/gm)].map(([, folder = ""]) => folder);
  const strays = rows.filter((folder) => !layers.includes(folder));
  if (strays.length > 0) return [`${page.path} has rows for folders that are no layer: ${strays.join(", ")}.`];
  const ordered = layers.filter((layer) => rows.includes(layer));
  if (rows.join() === ordered.join()) return [];
  return [`${page.path} lists the folders as ${rows.join(", ")}; their order as layers is ${ordered.join(", ")}.`];
}

/** Every relative link of a Markdown page leads to a file or folder. Anchors and code blocks are not looked at. */
export function findLinkProblems(page: SourceFile, exists: Exists): string[] {
  const problems: string[] = [];
  for (const [, target = ""] of page.text.replaceAll(FENCE, "").matchAll(LINK)) {
    if (/^[a-z]+:|^#/.test(target)) continue;
    const path = posix.join(posix.dirname(page.path), decodeURI(target.replace(/#.*$/, "")));
    if (!exists(path)) problems.push(`${page.path} links to ${target}, which does not exist.`);
  }
  return problems;
}
