/** A report as JUnit XML, for build servers. Pure. */
import type { CaseResult, Report } from "./suite.ts";

/** One test suite per section of the draft; only what is `broken` fails, and what did not run is skipped. */
export function renderJunit({ results, runtime, durationMs }: Report): string {
  const sections = Map.groupBy(results, ({ section }) => section);
  const name = attribute(`ARCP conformance of ${runtime ?? "an unknown runtime"}`);
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites name="${name}" ${counts(results)} time="${seconds(durationMs)}">`,
    ...[...sections].flatMap(([section, group]) => [
      `  <testsuite name="§${attribute(section)}" ${counts(group)} time="${seconds(sum(group))}">`,
      ...group.map(renderCase),
      "  </testsuite>",
    ]),
    "</testsuites>",
    "",
  ].join("\n");
}

function renderCase({ requirement, section, level, title, outcome, because = "", durationMs }: CaseResult): string {
  const name = attribute(`${requirement}: ${title}`);
  const open = `    <testcase classname="arcp.§${attribute(section)}" name="${name}" time="${seconds(durationMs)}"`;
  const message = attribute(`${level}: ${because}`);
  switch (outcome) {
    case "passed":
      return `${open}/>`;
    case "broken":
      return `${open}><failure type="${level}" message="${message}"/></testcase>`;
    case "warning":
    case "differs":
      return `${open}><system-out>${attribute(`${outcome}: ${because}`)}</system-out></testcase>`;
    default:
      return `${open}><skipped message="${attribute(`${outcome}: ${because}`)}"/></testcase>`;
  }
}

function counts(results: readonly CaseResult[]): string {
  const failures = results.filter(({ outcome }) => outcome === "broken").length;
  const skipped = results.filter(({ outcome }) => outcome === "unsupported" || outcome === "untested").length;
  return `tests="${results.length}" failures="${failures}" errors="0" skipped="${skipped}"`;
}

function sum(results: readonly CaseResult[]): number {
  return results.reduce((total, { durationMs }) => total + durationMs, 0);
}

function seconds(ms: number): string {
  return (ms / 1_000).toFixed(3);
}

const ENTITIES: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };

/** XML 1.0 has no place for most control characters, not even escaped: what a runtime says may hold any. */
function attribute(text: string): string {
  return text
    .toWellFormed()
    .replaceAll(/[&<>"]/g, (character) => ENTITIES[character] as string)
    .replaceAll(/[\p{Cc}\ufffe\uffff]/gu, "\ufffd");
}
