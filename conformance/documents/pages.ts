/**
 * The pages that people read, and what stands in their fenced blocks. A block whose info string names a file is a program
 * (`ts`, `sh`), or what the program of that name prints (`txt`), where `…` stands for any text within a line.
 */
import { join } from "node:path";
import { readmeSnippets, type Snippet } from "../../scripts/check-readme.ts";
import { listFiles, ROOT, readFile } from "../../scripts/repository.ts";

export interface Block {
  readonly page: string;
  readonly lang: string;
  /** What follows the language. */
  readonly info: string;
  readonly text: string;
}

export interface Page {
  readonly path: string;
  readonly text: string;
  readonly blocks: readonly Block[];
  readonly snippets: readonly Snippet[];
}

const FENCE = /^```(\w*) *([^\n]*)\n([\s\S]*?)^```/gm;

export const PAGES: readonly Page[] = listFiles("README.md", "docs/**/*.md").map((path) => {
  const text = readFile(path);
  const blocks = [...text.matchAll(FENCE)].map(([, lang = "", info = "", body = ""]) => ({
    page: path,
    lang,
    info,
    text: body,
  }));
  return { path, text, blocks, snippets: readmeSnippets(join(ROOT, path)) };
});

/** The words of a command as a shell would take them, quotes being single ones only. */
export function words(line: string): readonly string[] {
  return [...line.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, bare]) => quoted ?? bare ?? "");
}

/** The lines of a shell block without comments, those that end in `\` joined with the next. */
export function commandsOf(text: string): readonly string[] {
  const lines = text.replaceAll(/\\\n\s*/g, "").split("\n");
  return lines.map((line) => line.replace(/(^| +)#.*/, "").trim()).filter((line) => line !== "");
}
