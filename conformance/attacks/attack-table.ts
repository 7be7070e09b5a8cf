/** Holds the table of attacks against the tests, and writes its page. Pure. */
import { type Citations, findTitleCitations, type SourceFile } from "../manifest.ts";
import type { Requirement } from "../requirement.ts";
import type { Attack } from "./attack.ts";

/** So many ways to break it have to be tried of each law. */
const LEAST_ATTACKS = 3;
const CITATION = /\[(attack-[a-z0-9-]+)\]/g;

/** Who tries it, as the page says. */
const WHO: Readonly<Record<Attack["by"], string>> = {
  agent: "the agent",
  isolated: "an isolated agent",
  client: "the client",
  watcher: "a watcher",
  stranger: "a stranger",
  upstream: "a service it calls",
  policy: "the policy",
  crash: "a crash",
};

/** Finds `[attack-…]` in the titles of test files. */
export function findAttackCitations(tests: readonly SourceFile[]): Citations {
  return findTitleCitations(tests, CITATION);
}

/** What is wrong between the table and the tests; one sentence each, empty when they agree. */
export function findAttackProblems(
  attacks: readonly Attack[],
  laws: readonly Requirement[],
  citations: Citations,
): readonly string[] {
  const problems: string[] = [];
  const known = new Set<string>();
  for (const { id, law } of attacks) {
    if (known.has(id)) problems.push(`${id} is in the table twice.`);
    known.add(id);
    if (!citations.has(id)) problems.push(`${id} is tried by no test: write one with [${id}] in its title.`);
    if (!laws.some((candidate) => candidate.id === law)) problems.push(`${id} is on ${law}, which is no law.`);
  }
  for (const law of new Set(attacks.map((attack) => attack.law))) {
    const count = attacks.filter((attack) => attack.law === law).length;
    if (count < LEAST_ATTACKS) problems.push(`${law} is attacked in ${count} ways: ${LEAST_ATTACKS} are to be tried.`);
  }
  for (const [id, paths] of citations) {
    if (!known.has(id)) problems.push(`${paths.join(", ")} cites ${id}, which is not in conformance/attacks/table/.`);
  }
  return problems;
}

/** docs/attacks.md. */
export function renderAttacks(attacks: readonly Attack[], laws: readonly Requirement[], citations: Citations): string {
  const lines = [
    "# Attacks",
    "",
    "What is tried against the laws that touch authority, by whom, and what comes of it. Each row is a test, and the",
    "simulation (`npm run simulate`) looks for the same throughout runs of crashes, drops and restarts.",
    "",
    "Written from `conformance/attacks/` by `npm run conformance`; do not edit it here.",
  ];
  for (const id of new Set(attacks.map(({ law }) => law))) {
    const law = laws.find((candidate) => candidate.id === id);
    lines.push(
      "",
      `## ${law?.text ?? id}`,
      "",
      "| who | what is tried | what comes of it | shown by |",
      "|---|---|---|---|",
    );
    for (const attack of attacks.filter(({ law }) => law === id)) lines.push(renderRow(attack, citations));
  }
  return `${lines.join("\n")}\n`;
}

function renderRow({ id, by, tried, outcome }: Attack, citations: Citations): string {
  const shownBy = (citations.get(id) ?? []).map((path) => `[${path.slice(path.lastIndexOf("/") + 1)}](../${path})`);
  return `| ${WHO[by]} | ${tried} | ${outcome} | ${shownBy.join(", ")} |`;
}
