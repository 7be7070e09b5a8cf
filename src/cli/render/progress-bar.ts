/** A job's progress (§8.2.1) as one line. */
import type { Colors } from "picocolors/types";
import { cut, displayWidth } from "./display-width.ts";
import { safeLine } from "./sanitize.ts";

export interface Progress {
  /** Not negative. */
  readonly current: number;
  /** Absent when nobody knows. */
  readonly total?: number;
  readonly units?: string;
  readonly message?: string;
}

const LONGEST_BAR = 30;
const SHORTEST_BAR = 10;

/** Reads the body of a `progress` event; undefined when it is none. */
export function readProgress(body: unknown): Progress | undefined {
  if (typeof body !== "object" || body === null) return undefined;
  const { current, total, units, message } = body as Record<string, unknown>;
  if (typeof current !== "number" || !Number.isFinite(current) || current < 0) return undefined;
  return {
    current,
    ...(typeof total === "number" && Number.isFinite(total) && total > 0 ? { total } : {}),
    ...(typeof units === "string" ? { units } : {}),
    ...(typeof message === "string" ? { message } : {}),
  };
}

/** How far `progress` is, from 0 to 1; undefined when it has no total. */
function fractionOf({ current, total }: Progress): number | undefined {
  return total === undefined ? undefined : Math.min(1, current / total);
}

/** Whole percents, rounded down: 100 means done. Undefined when `progress` has no total. */
function percentOf(progress: Progress): number | undefined {
  const fraction = fractionOf(progress);
  return fraction === undefined ? undefined : Math.floor(fraction * 100);
}

function amount({ current, total, units }: Progress): string {
  const count = total === undefined ? `${current}` : `${current}/${total}`;
  return units === undefined ? count : `${count} ${safeLine(units)}`;
}

/** Such as `47% 56/120 files, reading src/cli`. */
export function progressText(progress: Progress): string {
  const percent = percentOf(progress);
  const message = progress.message === undefined ? "" : `, ${safeLine(progress.message)}`;
  return `${percent === undefined ? "" : `${percent}% `}${amount(progress)}${message}`;
}

/** The line redrawn at the bottom of a terminal, at most `width` columns. */
export function progressBar(progress: Progress, width: number, colors: Colors): string {
  const fraction = fractionOf(progress);
  const text = progressText(progress);
  if (fraction === undefined) return cut(text, width);
  const length = Math.min(LONGEST_BAR, Math.max(SHORTEST_BAR, Math.floor(width / 3)));
  if (length + 2 > width) return cut(text, width);
  const full = Math.round(fraction * length);
  const bar = colors.green("█".repeat(full)) + colors.dim("░".repeat(length - full));
  const room = width - displayWidth(" ") - length;
  return `${bar} ${cut(text, room)}`;
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
