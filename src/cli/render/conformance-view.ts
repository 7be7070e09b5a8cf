/** The report of `leasehold conformance`, section by section, for people and for programs. */
import { type CaseResult, OUTCOMES, type Outcome, type Report } from "../../conformance/suite.ts";
import type { Colors } from "./colors.ts";
import { jsonLine, safeLine } from "./sanitize.ts";

const LABELS: Readonly<Record<Outcome, string>> = {
  passed: "passed",
  broken: "BROKEN",
  warning: "warning",
  differs: "differs",
  unsupported: "unsupported",
  untested: "not tested",
};
const LABEL_WIDTH = Math.max(...Object.values(LABELS).map(({ length }) => length)) + 2;
const LEVEL_WIDTH = "READING".length + 2;

type Counts = Readonly<Record<Outcome, number>>;

export function countOutcomes(results: readonly CaseResult[]): Counts {
  const counts = Object.fromEntries(OUTCOMES.map((outcome) => [outcome, 0])) as Record<Outcome, number>;
  for (const { outcome } of results) counts[outcome]++;
  return counts;
}

/** @param all shows the cases that passed as well. */
export function conformanceLines(report: Report, all: boolean, colors: Colors): readonly string[] {
  const { results, url, runtime, features, durationMs } = report;
  const paint: Readonly<Record<Outcome, (text: string) => string>> = {
    passed: colors.green,
    broken: colors.red,
    warning: colors.yellow,
    differs: colors.cyan,
    unsupported: colors.dim,
    untested: colors.dim,
  };
  const lines = [
    colors.bold(safeLine(`${runtime ?? "an unnamed runtime"} at ${url}`)),
    safeLine(`features: ${features.join(", ") || "none"}`),
  ];
  for (const [section, group] of bySection(results)) {
    lines.push(`${colors.bold(`§${section}`)}  ${summary(group)}`);
    for (const { outcome, level, title, requirement, because } of group) {
      if (outcome === "passed" && !all) continue;
      const label = paint[outcome](LABELS[outcome].padEnd(LABEL_WIDTH));
      lines.push(`  ${label}${level.padEnd(LEVEL_WIDTH)}${title} ${colors.dim(requirement)}`);
      if (because !== undefined) lines.push(safeLine(`${" ".repeat(2 + LABEL_WIDTH + LEVEL_WIDTH)}${because}`));
    }
  }
  const { broken } = countOutcomes(results);
  const verdict =
    broken > 0
      ? colors.red("a MUST is broken")
      : report.lost
        ? colors.red("the runtime opens no sessions any more")
        : colors.green("no MUST is broken");
  return [...lines, "", `${summary(results)} in ${(durationMs / 1_000).toFixed(1)} s: ${verdict}`];
}

/** One line for each case, as it ends. */
export function caseJson(result: CaseResult): string {
  const { requirement, section, level, title, outcome, because, durationMs } = result;
  return jsonLine({ type: "case", requirement, section, level, title, outcome, because, duration_ms: durationMs });
}

/** The last line. */
export function reportJson({ url, runtime, features, results, lost, durationMs }: Report): string {
  const counts = countOutcomes(results);
  return jsonLine({ type: "report", url, runtime, features, counts, lost, duration_ms: durationMs });
}

function summary(results: readonly CaseResult[]): string {
  const counts = countOutcomes(results);
  const named = OUTCOMES.filter((outcome) => counts[outcome] > 0);
  return named.map((outcome) => `${counts[outcome]} ${LABELS[outcome].toLowerCase()}`).join(", ") || "no case was run";
}

/** In the order of the draft. */
function bySection(results: readonly CaseResult[]): readonly (readonly [string, readonly CaseResult[]])[] {
  const parts = (section: string): number[] => section.split(".").map(Number);
  return [...Map.groupBy(results, ({ section }) => section)].toSorted(([left], [right]) => {
    const [a, b] = [parts(left), parts(right)];
    const at = a.findIndex((part, index) => part !== b[index]);
    return at === -1 ? a.length - b.length : (a[at] as number) - (b[at] ?? -1);
  });
}
