/** The table a run ends with. Plain text, aligned, readable in a note. */
import type { Reach, Unit, Verdict } from "./results.ts";

const HEADER = ["what", "Leasehold", "bare ws echo", "ratio", "reach", "met?"] as const;
const NOTHING = "–";

/** A figure in its unit, with as many digits as mean something. */
export function formatFigure(value: number, unit: Unit): string {
  if (unit === "/s") return `${Math.round(value).toLocaleString("en-US")}/s`;
  const digits = Math.abs(value) < 1 ? 3 : Math.abs(value) < 100 ? 1 : 0;
  return `${value.toFixed(digits)} ${unit}`;
}

function formatReach(reach: Reach | null, unit: Unit): string {
  if (reach === null) return NOTHING;
  return `${reach.direction === "at least" ? "≥" : "≤"} ${formatFigure(reach.limit, unit)}`;
}

function formatMet(attained: number | null): string {
  if (attained === null) return NOTHING;
  // Rounded down: 99.9% of a reach is not the reach.
  return attained >= 1 ? "yes" : `${Math.floor(attained * 100)}%`;
}

/** Lines of a table, first column left-aligned, the others right-aligned; no trailing spaces. */
export function renderTable(verdicts: readonly Verdict[]): string {
  const lines: (readonly string[])[] = [HEADER];
  for (const { what, unit, leasehold, bare, ratio, reach, attained } of verdicts) {
    lines.push([
      what,
      formatFigure(leasehold, unit),
      bare === null ? NOTHING : formatFigure(bare, unit),
      ratio === null ? NOTHING : `${ratio.toFixed(2)}×`,
      formatReach(reach, unit),
      formatMet(attained),
    ]);
  }
  const widths = HEADER.map((_, column) => Math.max(...lines.map((line) => (line[column] as string).length)));
  const rule = widths.map((width) => "-".repeat(width));
  const [header, ...body] = lines as [readonly string[], ...(readonly string[])[]];
  return [header, rule, ...body]
    .map((line) =>
      line
        .map((cell, column) =>
          column === 0 ? cell.padEnd(widths[0] as number) : cell.padStart(widths[column] as number),
        )
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}
