/** Runs a value through a Standard Schema and says in one sentence, and in data, where it does not fit. */
import { CodedError, type ErrorCode } from "../protocol/errors.ts";
import type { SchemaIssue, SchemaResult, StandardSchema } from "./standard-schema.ts";

/** Issues reported at most; a long list of wrong items tells nothing more. */
const MAX_ISSUES = 20;

export interface SchemaCheck {
  /** What is being checked, such as `input`: the first part of every path. */
  readonly field: string;
  /** The agent whose schema it is, for the message. */
  readonly agent: string;
  /** The code a value that does not fit is refused with. */
  readonly code: ErrorCode;
}

/**
 * Returns the schema's output; a promise only when the schema is asynchronous.
 * @throws CodedError with `check.code` and details `{ field, issues: [{ path, message }] }` when the value does not fit.
 */
export function checkWithSchema(schema: StandardSchema, value: unknown, check: SchemaCheck): unknown {
  const result = schema["~standard"].validate(value);
  return result instanceof Promise ? result.then((settled) => unwrap(settled, check)) : unwrap(result, check);
}

function unwrap(result: SchemaResult<unknown>, check: SchemaCheck): unknown {
  if (result.issues === undefined) return result.value;
  const issues = result.issues
    .slice(0, MAX_ISSUES)
    .map((issue) => ({ path: pathOf(issue, check.field), message: issue.message }));
  const first = issues[0] ?? { path: check.field, message: "does not fit the schema" };
  const more = result.issues.length > 1 ? ` (and ${result.issues.length - 1} more)` : "";
  throw new CodedError(check.code, `${check.agent}: ${first.path}: ${first.message}${more}`, {
    details: { field: first.path, issues },
  });
}

/** `input.files[0].name` */
function pathOf(issue: SchemaIssue, field: string): string {
  let path = field;
  for (const part of issue.path ?? []) {
    const key = typeof part === "object" ? part.key : part;
    path += typeof key === "number" ? `[${key}]` : `.${String(key)}`;
  }
  return path;
}
