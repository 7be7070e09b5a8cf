/** What the documents promise, held against the tree: paths, folders and links. Pure but for `exists`. */
import { posix } from "node:path";
import type { SourceFile } from "../conformance/manifest.ts";

type Exists = (path: string) => boolean;

/** Names of our files and folders in backticks, such as `src/kernel/ports.ts` or `scripts/`. */
const NAMED_PATH = /`((?:src|bin|scripts|conformance|benchmarks|examples|docs)\/[\w./-]*)`/g;
const LINK = /\[[^\]]*\]\(([^()\s]+)\)/g;
const HEADING = /^#{1,6} +(.+)$/gm;
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

/** The anchors of a Markdown page, as GitHub makes them of its headings. */
function anchorsOf(text: string): ReadonlySet<string> {
  const anchors = new Set<string>();
  for (const [, heading = ""] of text.replaceAll(FENCE, "").matchAll(HEADING)) {
    const shown = heading
      .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, "$1")
      .trim()
      .toLowerCase();
    const anchor = shown.replaceAll(/[^\p{L}\p{N}_ -]/gu, "").replaceAll(" ", "-");
    let unique = anchor;
    for (let count = 1; anchors.has(unique); count++) unique = `${anchor}-${count}`;
    anchors.add(unique);
  }
  return anchors;
}

/**
 * Every relative link of a Markdown page leads to a file or folder, and its anchor to a heading. Code blocks are not looked at.
 * @param read the text of a file that exists.
 */
export function findLinkProblems(page: SourceFile, exists: Exists, read: (path: string) => string): string[] {
  const problems: string[] = [];
  for (const [, target = ""] of page.text.replaceAll(FENCE, "").matchAll(LINK)) {
    if (/^[a-z]+:/.test(target)) continue;
    const [file = "", anchor] = decodeURI(target).split("#", 2);
    const path = file === "" ? page.path : posix.join(posix.dirname(page.path), file);
    if (file !== "" && !exists(path)) {
      problems.push(`${page.path} links to ${target}, which does not exist.`);
      continue;
    }
    if (anchor === undefined || !path.endsWith(".md")) continue;
    const text = file === "" ? page.text : read(path);
    if (!anchorsOf(text).has(anchor)) problems.push(`${page.path} links to ${target}, where no heading is.`);
  }
  return problems;
}
