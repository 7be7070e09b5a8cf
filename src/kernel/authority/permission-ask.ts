/** What a job asks for at run time, read and brought into one form. Pure. */
import { CodedError } from "../../protocol/errors.ts";
import { isNamespace } from "./lease.ts";
import {
  DEFAULT_WAIT_SECONDS,
  MAX_ARGS_LENGTH,
  MAX_GRANT_SECONDS,
  MAX_OPERATION_LENGTH,
  MAX_PERMISSION_REASON,
  MAX_WAIT_SECONDS,
  type Triple,
} from "./permission.ts";
import { canonicalTarget, MAX_TARGET_LENGTH } from "./targets.ts";

/** What a running attempt asks for; see `JobHost.requestPermission`. */
export interface PermissionAsk {
  /** A lease namespace (§9.2, or `x-<vendor>.<name>`); never `cost.budget`. */
  readonly permission: string;
  /** What is touched: a path, a URL, a name. Exactly this, never a pattern. */
  readonly resource: string;
  /** What is done with it, such as `call`, `GET` or `write`; at most 128 characters. */
  readonly operation: string;
  /** Why, for whoever decides; at most 2,048 characters. */
  readonly reason?: string | undefined;
  /** For how long, in seconds, up to 86,400. Default: 300, unless whoever decides says otherwise. */
  readonly leaseSeconds?: number | undefined;
  /** How long to wait for a decision, in seconds, up to 604,800. Default: 86,400. */
  readonly waitSeconds?: number | undefined;
  /** With what, for whoever decides: any JSON of at most 16,384 characters. The grant is good for these arguments alone. */
  readonly args?: unknown;
  /** Of `fs.*` and `net.fetch`: digest of the arguments, which are more than `args` tells, as 64 hex digits. */
  readonly argsDigest?: string | undefined;
  /**
   * Names the request within the job: asked for again under it, by this attempt or a later one, it is the same request.
   * Default: its place among the job's requests, and a digest of what is asked.
   */
  readonly key?: string | undefined;
}

/** What was granted. */
export interface Grant extends Triple {
  readonly permissionId: string;
  readonly leaseId: string;
  /** In milliseconds since the epoch. */
  readonly expiresAt: number;
}

export interface ReadAsk extends Triple {
  readonly reason: string | null;
  readonly leaseSeconds: number | null;
  readonly waitSeconds: number;
  /** JSON text. */
  readonly args: string | null;
  /** As it was handed over; the arguments are digested where there is none. */
  readonly argsDigest: string | null;
}

/** @throws CodedError INVALID_REQUEST whose `details.field` names the field. */
export function readAsk(ask: PermissionAsk): ReadAsk {
  if (typeof ask !== "object" || ask === null) throw invalid("", "must be an object that says what is asked for");
  const permission = readText("permission", ask.permission, MAX_OPERATION_LENGTH);
  if (!isNamespace(permission))
    throw invalid("permission", "must be a lease namespace, such as tool.call or x-acme.db");
  if (permission === "cost.budget") throw invalid("permission", "must not be cost.budget: a permission adds no money");
  const resource = canonicalTarget(permission, readText("resource", ask.resource, Infinity));
  if (resource.length > MAX_TARGET_LENGTH)
    throw invalid("resource", `must have at most ${MAX_TARGET_LENGTH} characters`);
  const { reason, leaseSeconds, waitSeconds, argsDigest } = ask;
  if (argsDigest !== undefined && (typeof argsDigest !== "string" || !/^[0-9a-f]{64}$/.test(argsDigest))) {
    throw invalid("argsDigest", "must be 64 hex digits");
  }
  return {
    permission,
    resource,
    operation: readText("operation", ask.operation, MAX_OPERATION_LENGTH),
    reason: reason === undefined ? null : readText("reason", reason, MAX_PERMISSION_REASON),
    leaseSeconds: leaseSeconds === undefined ? null : readSeconds("leaseSeconds", leaseSeconds, MAX_GRANT_SECONDS),
    waitSeconds:
      waitSeconds === undefined ? DEFAULT_WAIT_SECONDS : readSeconds("waitSeconds", waitSeconds, MAX_WAIT_SECONDS),
    args: readArgs(ask.args),
    argsDigest: argsDigest ?? null,
  };
}

/** @throws CodedError INVALID_REQUEST; whole seconds, since that is how they are told on the wire. */
export function readSeconds(field: string, value: unknown, most: number, prefix = "requestPermission."): number {
  if (typeof value === "number" && Number.isInteger(value) && value > 0 && value <= most) return value;
  throw invalid(field, `must be a whole number of seconds from 1 to ${most}`, prefix);
}

/** A store keeps text as UTF-8, where every half of a character is the same. */
export function readText(field: string, value: unknown, longest: number, prefix = "requestPermission."): string {
  if (typeof value === "string" && value !== "" && value.length <= longest && value.isWellFormed()) return value;
  const length = longest === Infinity ? "" : `, at most ${longest} characters long`;
  throw invalid(field, `must be a string that is not empty${length}, without lone surrogates`, prefix);
}

function readArgs(args: unknown): string | null {
  if (args === undefined) return null;
  let text: string | undefined;
  try {
    text = JSON.stringify(args);
  } catch (error) {
    throw invalid("args", "must be JSON: they nest too deep, or refer to themselves", undefined, error);
  }
  if (text === undefined) throw invalid("args", "must be JSON");
  if (text.length <= MAX_ARGS_LENGTH) return text;
  throw invalid("args", `must have at most ${MAX_ARGS_LENGTH} characters of JSON: somebody has to read them`);
}

function invalid(field: string, what: string, prefix = "requestPermission.", cause?: unknown): CodedError {
  const named = `${prefix}${field}`.replace(/\.$/, "");
  return new CodedError("INVALID_REQUEST", `${named} ${what}`, { details: { field: named }, cause });
}
