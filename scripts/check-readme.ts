/**
 * The programs in README.md and other pages: fenced blocks whose info string names a file, such as ```ts agent.ts. A test
 * takes them out with `readmeSnippets`, writes them with `writeSnippets`, and runs them.
 */
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { ROOT } from "./repository.ts";

export interface Snippet {
  readonly file: string;
  readonly lang: string;
  readonly text: string;
}

const BLOCK = /^```(\w+) +([\w./-]+)[^\n]*\n([\s\S]*?)^```/gm;

/** The named blocks of the Markdown file at `path`, in order. Blocks without a file name are not programs. */
export function readmeSnippets(path: string): Snippet[] {
  return [...readFileSync(path, "utf8").matchAll(BLOCK)].map(([, lang = "", file = "", text = ""]) => ({
    file,
    lang,
    text,
  }));
}

/**
 * Writes snippets into a new folder below `.leasehold/`, which git ignores, and from where `leasehold` leads to this
 * repository's own sources under the condition `leasehold-source`. (Below `node_modules/` Node runs no TypeScript.)
 * Returns the folder; the caller removes it.
 */
export function writeSnippets(snippets: readonly Snippet[]): string {
  const parent = join(ROOT, ".leasehold/snippets");
  mkdirSync(parent, { recursive: true });
  const folder = mkdtempSync(join(parent, "readme-"));
  for (const { file, text } of snippets) {
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    writeFileSync(join(folder, file), text);
  }
  return folder;
}
