/** Rows in columns, for `leasehold jobs` and `leasehold token list`. */
import type { Colors } from "./colors.ts";
import { cut, displayWidth, pad } from "./display-width.ts";
import { safeLine } from "./sanitize.ts";

const GAP = "  ";

/** Lines of a table; the last column is cut to `width` when there is one. Cells may come from outside. */
export function tableLines(
  header: readonly string[],
  rows: readonly (readonly string[])[],
  style: { readonly colors: Colors; readonly width: number | undefined },
): readonly string[] {
  const cells = [header, ...rows.map((row) => row.map(safeLine))];
  const widths = header.map((_, column) => Math.max(...cells.map((row) => displayWidth(row[column] ?? ""))));
  return cells.map((row, index) => {
    const text = row
      .map((cell, column) => pad(cell, widths[column] ?? 0))
      .join(GAP)
      .trimEnd();
    const line = style.width === undefined ? text : cut(text, style.width);
    return index === 0 ? style.colors.bold(line) : line;
  });
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
