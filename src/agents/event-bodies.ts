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

const LEVELS: readonly string[] = ["debug", "info", "warn", "error"] satisfies LogLevel[];

/** `x-<vendor>.<name>`. Goes into frames as it is, so it must not hold anything that JSON escapes. */
/** Kinds that tell of what the runtime has done. */
const OWN_KINDS = "x-leasehold.";
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

export function vendorBody(kind: string, body: object): string {
  if (typeof kind !== "string" || kind.length > MAX_KIND_LENGTH || !VENDOR_KIND.test(kind)) {
    throw invalid("emit.kind", `must have the form x-<vendor>.<name>, at most ${MAX_KIND_LENGTH} characters`);
  }
  if (kind.startsWith(OWN_KINDS))
    throw invalid("emit.kind", `must not begin with ${OWN_KINDS}: these the runtime emits`);
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
