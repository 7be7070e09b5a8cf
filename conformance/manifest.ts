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

/** How a case of the black-box suite names its requirement. */
const CASE = /requirement: "((?:arcp|reading|law)-[a-z0-9.-]+)"/g;
const CITATION = /\[((?:arcp|reading|law)-[a-z0-9.-]+)\]/g;
/** A citation counts in a title, which is text in quotes; a comment cites nothing. */
const COMMENT = /^\s*(\/\/|\/?\*)/;

/** Provisioned credentials come later as a whole. An uncited MUST of any other section needs a reason. */
const LATER = /^9\.8(\.|$)/;

/** Finds `[id]` in the titles of test files, and the requirements of the black-box suite's cases. */
export function findCitations(tests: readonly SourceFile[], cases: readonly SourceFile[] = []): Citations {
  const citations = new Map<string, string[]>();
  citeTitles(tests, CITATION, citations);
  for (const { path, text } of cases) for (const [, id] of text.matchAll(CASE)) cite(citations, id, path);
  return citations;
}

/** Finds what the first group of `citation` catches in the titles of test files. */
export function findTitleCitations(tests: readonly SourceFile[], citation: RegExp): Citations {
  const citations = new Map<string, string[]>();
  citeTitles(tests, citation, citations);
  return citations;
}

function citeTitles(tests: readonly SourceFile[], citation: RegExp, citations: Map<string, string[]>): void {
  for (const { path, text } of tests) {
    for (const line of text.split("\n")) {
      if (COMMENT.test(line) || !/["'`]/.test(line)) continue;
      for (const [, id] of line.matchAll(citation)) cite(citations, id, path);
    }
  }
}

function cite(citations: Map<string, string[]>, id: string | undefined, path: string): void {
  if (id === undefined) return;
  const paths = citations.get(id) ?? [];
  if (!paths.includes(path)) paths.push(path);
  citations.set(id, paths);
}

/** What is wrong between manifest and tests; one sentence each, empty when they agree. */
export function findManifestProblems(requirements: readonly Requirement[], citations: Citations): readonly string[] {
  const problems: string[] = [];
  const known = new Set<string>();
  for (const { id, section, level, status, later } of requirements) {
    if (known.has(id)) problems.push(`${id} is in the manifest twice.`);
    known.add(id);
    const cited = citations.get(id);
    if (status === "covered" && cited === undefined) {
      problems.push(`${id} counts as covered, but no test cites it: write one with [${id}] in its title.`);
    }
    if (status !== "covered" && cited !== undefined) {
      problems.push(`${id} is cited by ${cited.join(", ")} but still ${status}: set its status to "covered".`);
    }
    const isUnshown = status === "planned" && cited === undefined;
    if (isUnshown && level === "MUST" && !LATER.test(section) && later === undefined) {
      problems.push(`${id} is a MUST that no test shows: cover it, or say in \`later\` why it is not shown yet.`);
    }
    if (status === "declined" && level !== "MAY") problems.push(`${id} is a ${level}: only a MAY can be declined.`);
    if (status !== "planned" && later !== undefined) problems.push(`${id} is ${status}: it needs no \`later\`.`);
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
    "ours. A *covered* one is shown by the tests named beside it, a file of `src/conformance/cases/` meaning the black-box",
    "suite of `leasehold conformance`; a *planned* one is not shown by any test yet; of a *declined* permission no use is",
    "made.",
    "",
    "Written from `conformance/requirements/` by `npm run conformance`; do not edit it here.",
    "",
    "| chapter | covered | planned |",
    "|---|---|---|",
    ...chapters.map(({ title, requirements }) => {
      const planned = count(requirements, "planned");
      return `| ${title} | ${count(requirements, "covered")} | ${planned} |`;
    }),
    "",
    "By section of the draft, covered of all:",
    "",
    `| § | ${LEVELS.join(" | ")} |`,
    `|---|${"---|".repeat(LEVELS.length)}`,
    ...renderSections(chapters.flatMap(({ requirements }) => requirements)),
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

const LEVELS = ["MUST", "SHOULD", "MAY", "READING", "LAW"] as const satisfies Requirement["level"][];

function count(requirements: readonly Requirement[], status: Requirement["status"]): number {
  return requirements.filter((requirement) => requirement.status === status).length;
}

function renderSections(requirements: readonly Requirement[]): readonly string[] {
  const sections = [...new Set(requirements.map(({ section }) => section))].toSorted(bySection);
  return sections.map((section) => {
    const cells = LEVELS.map((level) => {
      const group = requirements.filter((candidate) => candidate.section === section && candidate.level === level);
      return group.length === 0 ? "" : `${count(group, "covered")}/${group.length}`;
    });
    return `| ${section} | ${cells.join(" | ")} |`;
  });
}

/** Sections in the order of the draft: 8.2.1 comes before 8.3, and 9 before 10. */
function bySection(left: string, right: string): number {
  const [a, b] = [left.split(".").map(Number), right.split(".").map(Number)];
  for (let part = 0; part < Math.max(a.length, b.length); part++) {
    const difference = (a[part] ?? 0) - (b[part] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

function renderRow({ id, section, level, side, status, later, text }: Requirement, citations: Citations): string {
  const shownBy =
    status === "covered"
      ? (citations.get(id) ?? []).map((path) => `[${fileName(path)}](${path})`).join(", ")
      : `*${status}*${later === undefined ? "" : `: ${later}`}`;
  return `| \`${id}\` | ${section} | ${level} | ${side} | ${text} | ${shownBy} |`;
}

function fileName(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}
