/** Rows in columns, for listings; one below the other where a terminal is too narrow for columns. */
import type { Colors } from "./colors.ts";
import { cut, displayWidth, pad, wrap } from "./display-width.ts";
import { safeLine } from "./sanitize.ts";

const GAP = "  ";
/** A last column that has less than this would say nothing. */
const LEAST_LAST = 8;

interface TableStyle {
  readonly colors: Colors;
  /** Columns of the terminal; undefined where lines may be of any length. */
  readonly width: number | undefined;
}

/** Lines of a table, none wider than the terminal; only the last column is ever cut. Cells may come from outside. */
export function tableLines(
  header: readonly string[],
  rows: readonly (readonly string[])[],
  style: TableStyle,
): readonly string[] {
  const safe = rows.map((row) => row.map(safeLine));
  const cells = [header, ...safe];
  const widths = header.map((_, column) => Math.max(...cells.map((row) => displayWidth(row[column] ?? ""))));
  const { width = Number.POSITIVE_INFINITY } = style;
  const before = widths.slice(0, -1).reduce((sum, of) => sum + of + GAP.length, 0);
  if (before + Math.min(widths.at(-1) ?? 0, LEAST_LAST) > width) return stackedLines(header, safe, width, style.colors);
  return cells.map((row, index) => {
    const text = row
      .map((cell, column) => pad(cell, widths[column] ?? 0))
      .join(GAP)
      .trimEnd();
    const line = cut(text, width);
    return index === 0 ? style.colors.bold(line) : line;
  });
}

/** A line for each cell, with its column's name where there is room for that; what is longer goes on below. */
function stackedLines(
  header: readonly string[],
  rows: readonly (readonly string[])[],
  width: number,
  colors: Colors,
): readonly string[] {
  const labels = Math.max(...header.map(displayWidth)) + GAP.length;
  const indent = labels * 2 > width ? 0 : labels;
  const lines = rows.map((row) =>
    row.flatMap((cell, column) =>
      wrap(cell, width - indent).map((line, index) => {
        const label = index === 0 ? (header[column] ?? "") : "";
        return indent === 0 ? line : `${colors.bold(pad(label, indent))}${line}`;
      }),
    ),
  );
  return lines.flatMap((record, index) => (index === 0 ? record : ["", ...record]));
}

const UNITS = [
  { ms: 86_400_000, letter: "d" },
  { ms: 3_600_000, letter: "h" },
  { ms: 60_000, letter: "m" },
  { ms: 1_000, letter: "s" },
] as const;

/** A length of time in its largest whole unit, such as `3m`; `0s` for less than a second. */
export function shortDuration(ms: number): string {
  const unit = UNITS.find((candidate) => ms >= candidate.ms);
  return unit === undefined ? "0s" : `${Math.floor(ms / unit.ms)}${unit.letter}`;
}
