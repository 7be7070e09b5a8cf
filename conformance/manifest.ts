/** Holds the manifest against the tests: which test cites which requirement, and whether both agree. Pure. */
import type { Requirement } from "./requirement.ts";
import type { Chapter } from "./requirements.ts";

/** The files that cite each id, in order, each once. */
export type Citations = ReadonlyMap<string, readonly string[]>;

export interface SourceFile {
  /** Relative to the repository, with `/`. */
  readonly path: string;
  readonly text: string;
}

const CITATION = /\[((?:arcp|reading|law)-[a-z0-9.-]+)\]/g;
/** A citation counts in a title, which is text in quotes; a comment cites nothing. */
const COMMENT = /^\s*(\/\/|\/?\*)/;

/** Finds `[id]` in the titles of test files. */
export function findCitations(files: readonly SourceFile[]): Citations {
  const citations = new Map<string, string[]>();
  for (const { path, text } of files) {
    for (const line of text.split("\n")) {
      if (COMMENT.test(line) || !/["'`]/.test(line)) continue;
      for (const [, id] of line.matchAll(CITATION)) {
        if (id === undefined) continue;
        const paths = citations.get(id) ?? [];
        if (!paths.includes(path)) paths.push(path);
        citations.set(id, paths);
      }
    }
  }
  return citations;
}

/** What is wrong between manifest and tests; one sentence each, empty when they agree. */
export function findManifestProblems(requirements: readonly Requirement[], citations: Citations): readonly string[] {
  const problems: string[] = [];
  const known = new Set<string>();
  for (const { id, status } of requirements) {
    if (known.has(id)) problems.push(`${id} is in the manifest twice.`);
    known.add(id);
    const cited = citations.get(id);
    if (status === "covered" && cited === undefined) {
      problems.push(`${id} counts as covered, but no test cites it: write one with [${id}] in its title.`);
    }
    if (status === "planned" && cited !== undefined) {
      problems.push(`${id} is cited by ${cited.join(", ")} but still planned: set its status to "covered".`);
    }
  }
  for (const [id, paths] of citations) {
    if (!known.has(id)) problems.push(`${paths.join(", ")} cites ${id}, which is not in conformance/requirements/.`);
  }
  return problems;
}

/** CONFORMANCE.md. */
export function renderConformance(chapters: readonly Chapter[], citations: Citations): string {
  const lines = [
    "# Conformance",
    "",
    "Every requirement of ARCP v1.1 on a runtime, a client or an agent, every reading of a gap in it, and every law of",
    "ours. A *covered* one is shown by the tests named beside it; a *planned* one is not shown by any test yet.",
    "",
    "Written from `conformance/requirements/` by `npm run conformance`; do not edit it here.",
    "",
    "| chapter | covered | planned |",
    "|---|---|---|",
    ...chapters.map(({ title, requirements }) => {
      const covered = countCovered(requirements);
      return `| ${title} | ${covered} | ${requirements.length - covered} |`;
    }),
  ];
  for (const { title, requirements } of chapters) {
    lines.push(
      "",
      `## ${title}`,
      "",
      "| id | § | level | side | requirement | shown by |",
      "|---|---|---|---|---|---|",
    );
    for (const requirement of requirements) lines.push(renderRow(requirement, citations));
  }
  return `${lines.join("\n")}\n`;
}

function countCovered(requirements: readonly Requirement[]): number {
  return requirements.filter((requirement) => requirement.status === "covered").length;
}

function renderRow({ id, section, level, side, status, text }: Requirement, citations: Citations): string {
  const shownBy =
    status === "planned"
      ? "*planned*"
      : (citations.get(id) ?? []).map((path) => `[${fileName(path)}](${path})`).join(", ");
  return `| \`${id}\` | ${section} | ${level} | ${side} | ${text} | ${shownBy} |`;
}

function fileName(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}
