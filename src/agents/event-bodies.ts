/**
 * The bodies of an agent's events as JSON text (§8.2), checked so that nothing malformed reaches a log. Pure. Errors are
 * INVALID_REQUEST with details `{ field }`.
 */
import { CodedError } from "../protocol/errors.ts";
import { toJsonText } from "./json-text.ts";

export type LogLevel = "debug" | "info" | "warn" | "error";

/** How far the work is (§8.2.1). Without `total`, how far is unknown. */
export interface Progress {
  /** Not negative. */
  readonly current: number;
  /** Not negative; `current` should not exceed it. */
  readonly total?: number;
  readonly units?: string;
  readonly message?: string;
}

export interface Metric {
  /** `cost.…` is money spent (§9.6): never negative. `cost.budget.…` is the runtime's own. */
  readonly name: string;
  /** Finite. */
  readonly value: number;
  readonly unit?: string;
  readonly dimensions?: Readonly<Record<string, string | number | boolean>>;
}

const LEVELS: readonly string[] = ["debug", "info", "warn", "error"] satisfies LogLevel[];

/** `x-<vendor>.<name>`. Goes into frames as it is, so it must not hold anything that JSON escapes. */
const VENDOR_KIND = /^x-[a-zA-Z0-9][a-zA-Z0-9_-]*(\.[a-zA-Z0-9_-]+)+$/;
const MAX_KIND_LENGTH = 128;

export function invalid(field: string, problem: string): CodedError {
  return new CodedError("INVALID_REQUEST", `${field} ${problem}`, { details: { field } });
}

export function logBody(level: LogLevel, message: string): string {
  if (!LEVELS.includes(level)) throw invalid("log.level", `must be one of ${LEVELS.join(", ")}`);
  return `{"level":"${level}","message":${text("log.message", message)}}`;
}

export function thoughtBody(thought: string): string {
  return `{"text":${text("thought.text", thought)}}`;
}

export function statusBody(phase: string, message: string | undefined): string {
  const rest = message === undefined ? "" : `,"message":${text("status.message", message)}`;
  return `{"phase":${text("status.phase", phase)}${rest}}`;
}

export function progressBody(progress: Progress): string {
  const { current, total, units, message } = record("progress", progress);
  let body = `{"current":${count("progress.current", current)}`;
  if (total !== undefined) body += `,"total":${count("progress.total", total)}`;
  if (units !== undefined) body += `,"units":${text("progress.units", units)}`;
  if (message !== undefined) body += `,"message":${text("progress.message", message)}`;
  return `${body}}`;
}

export function metricBody(metric: Metric): string {
  const { name, value, unit, dimensions } = record("metric", metric);
  if (typeof name !== "string" || name === "") throw invalid("metric.name", "must be a string that is not empty");
  if (typeof value !== "number" || !Number.isFinite(value)) throw invalid("metric.value", "must be a finite number");
  if (name.startsWith("cost.budget."))
    throw invalid("metric.name", `${name} is the runtime's: cost.budget.* is not for agents`);
  if (name.startsWith("cost.") && value < 0) throw invalid("metric.value", `of ${name} must not be negative (§9.6)`);
  let body = `{"name":${JSON.stringify(name)},"value":${JSON.stringify(value)}`;
  if (unit !== undefined) body += `,"unit":${text("metric.unit", unit)}`;
  if (dimensions !== undefined) body += `,"dimensions":${dimensionsText(dimensions)}`;
  return `${body}}`;
}

export function vendorBody(kind: string, body: object): string {
  if (typeof kind !== "string" || kind.length > MAX_KIND_LENGTH || !VENDOR_KIND.test(kind)) {
    throw invalid("emit.kind", `must have the form x-<vendor>.<name>, at most ${MAX_KIND_LENGTH} characters`);
  }
  const written = toJsonText(record("emit.body", body), "emit.body", "INVALID_REQUEST");
  // A `toJSON` can turn an object into anything.
  if (!written?.startsWith("{")) throw invalid("emit.body", "must be a JSON object");
  return written;
}

function text(field: string, value: string): string {
  if (typeof value !== "string") throw invalid(field, `must be a string, not ${typeof value}`);
  return JSON.stringify(value);
}

function count(field: string, value: number): string {
  if (typeof value !== "number" || !Number.isFinite(value) || value < 0) {
    throw invalid(field, "must be a finite number that is not negative (§8.2.1)");
  }
  return JSON.stringify(value);
}

function record<Value extends object>(field: string, value: Value): Value {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw invalid(field, "must be an object");
  return value;
}

function dimensionsText(dimensions: NonNullable<Metric["dimensions"]>): string {
  // Written out from what was checked: a getter or a `toJSON` may say something else the next time.
  const members = Object.entries(record("metric.dimensions", dimensions)).map(([name, value]) => {
    const plain = typeof value === "string" || typeof value === "boolean" || Number.isFinite(value);
    if (!plain) throw invalid(`metric.dimensions.${name}`, "must be a string, a finite number or a boolean");
    return `${JSON.stringify(name)}:${JSON.stringify(value)}`;
  });
  return `{${members.join(",")}}`;
}
