/** Ports, counts, lengths of time and points in time as people type them. */
import { usageError } from "../cli-error.ts";

const SECONDS: Readonly<Record<string, number>> = { "": 1, s: 1, m: 60, h: 3_600, d: 86_400 };
const DURATION = /^(\d{1,9})([smhd]?)$/;
const INSTANT = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}/;
const DAY = /^\d{4}-\d{2}-\d{2}$/;

function parseWhole(text: string, name: string, from: number, to: number): number {
  const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= from && value <= to)) {
    throw usageError(`${name} must be a whole number from ${from} to ${to}, not "${text}"`);
  }
  return value;
}

/** 0 stands for any free port. */
export function parsePort(text: string): number {
  return parseWhole(text, "--port", 0, 65_535);
}

export function parseLimit(text: string): number {
  return parseWhole(text, "--limit", 1, 1_000);
}

export function parseMaxConnections(text: string): number {
  return parseWhole(text, "--max-connections", 1, 1_000_000);
}

/** A number of tokens. */
export function parseTokens(text: string, name: string): number {
  return parseWhole(text, name, 1, 10_000_000);
}

/** Seconds of `90`, `90s`, `30m`, `2h` or `1d`; at least `least`. */
export function parseDuration(text: string, name: string, least = 1): number {
  const [, digits, unit] = DURATION.exec(text) ?? [];
  const seconds = Number(digits) * (SECONDS[unit ?? ""] ?? Number.NaN);
  if (!(seconds >= least)) throw usageError(`${name} must be a length of time such as 90s, 30m or 2h, not "${text}"`);
  return seconds;
}

/** As `Date.parse`, which would take the 31st of February for the 3rd of March. */
function parseTime(text: string): number {
  const day = text.slice(0, 10);
  const midnight = new Date(`${day}T00:00Z`);
  return Number.isNaN(midnight.getTime()) || midnight.toISOString().slice(0, 10) !== day
    ? Number.NaN
    : Date.parse(text);
}

/**
 * A point in time: ISO 8601, or a length of time from now.
 * @param now milliseconds since the epoch.
 * @returns milliseconds since the epoch.
 */
export function parseInstant(text: string, name: string, now: number): number {
  // Without its unit a number could as well be a year.
  if (/^\d+[smhd]$/.test(text)) return now + parseDuration(text, name) * 1_000;
  const instant = INSTANT.test(text) ? parseTime(text) : Number.NaN;
  if (Number.isNaN(instant)) {
    throw usageError(
      `${name} must be a time such as 2026-05-13T23:42:00Z, or a length of time such as 2h, not "${text}"`,
    );
  }
  return instant;
}

/**
 * A point in time that has passed: ISO 8601, a day (its first moment, here), or how long ago.
 * @param now milliseconds since the epoch.
 * @returns milliseconds since the epoch.
 */
export function parsePast(text: string, name: string, now: number): number {
  if (/^\d+[smhd]$/.test(text)) return now - parseDuration(text, name, 0) * 1_000;
  const instant = parseTime(DAY.test(text) ? `${text}T00:00` : INSTANT.test(text) ? text : "");
  if (Number.isNaN(instant)) {
    throw usageError(
      `${name} must be a time such as 2026-05-13T23:42:00Z, a day, or how long ago such as 2h, not "${text}"`,
    );
  }
  return instant;
}

/** The place of an entry on a job's log. */
export function parsePosition(text: string, name: string): number {
  return parseWhole(text, name, 1, 999_999_999);
}
