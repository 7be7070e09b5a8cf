/** A job's progress (§8.2.1) as one line. */
import type { EventBody } from "../../protocol/event-bodies.ts";
import type { Colors } from "./colors.ts";
import { cut } from "./display-width.ts";
import { safeLine } from "./sanitize.ts";

type Progress = EventBody<"progress">;

const LONGEST_BAR = 30;
const SHORTEST_BAR = 10;

/** How far `progress` is, from 0 to 1; undefined when its end is not known. */
function fractionOf({ current, total }: Progress): number | undefined {
  return total === undefined || total === 0 ? undefined : Math.min(1, current / total);
}

/** Such as `46% 56/120 files, reading src/cli`. Percents are rounded down: 100 means done. */
export function progressText(progress: Progress): string {
  const fraction = fractionOf(progress);
  const percent = fraction === undefined ? "" : `${Math.floor(fraction * 100)}% `;
  const count = fraction === undefined ? `${progress.current}` : `${progress.current}/${progress.total}`;
  const units = progress.units === undefined ? "" : ` ${safeLine(progress.units)}`;
  const message = progress.message === undefined ? "" : `, ${safeLine(progress.message)}`;
  return `${percent}${count}${units}${message}`;
}

/** The line redrawn at the bottom of a terminal, at most `width` columns. */
export function progressBar(progress: Progress, width: number, colors: Colors): string {
  const fraction = fractionOf(progress);
  const text = progressText(progress);
  const length = Math.min(LONGEST_BAR, Math.max(SHORTEST_BAR, Math.floor(width / 3)));
  const room = width - length - 1;
  if (fraction === undefined || room < 1) return cut(text, width);
  const full = Math.round(fraction * length);
  return `${colors.green("█".repeat(full))}${colors.dim("░".repeat(length - full))} ${cut(text, room)}`;
}

/**
 * Chooses which progress is worth a line of its own where lines cannot be redrawn: the first, each further tenth of
 * a known total, and without a total each new message.
 */
export function createProgressThinner(): (progress: Progress) => boolean {
  let last: string | undefined;
  return (progress) => {
    const fraction = fractionOf(progress);
    const step = fraction === undefined ? `message ${progress.message ?? ""}` : `tenth ${Math.floor(fraction * 10)}`;
    const worth = step !== last;
    last = step;
    return worth;
  };
}
