/** What is wrong with a value that came from outside: which field, and what would be right. */
import * as v from "valibot";

export interface Problem {
  /** Where it is, such as `payload.lease_request["fs.read"][0]`. */
  readonly field: string;
  /** A sentence for the sender. Names fields, never values. */
  readonly message: string;
}

/** Keys are the sender's: longer ones are cut, so that a refusal stays short. */
const MAX_KEY_SHOWN = 64;
const PLAIN_KEY = /^[A-Za-z_$][\w$-]*$/;

function pathOf(root: string, path: readonly v.IssuePathItem[] | undefined): string {
  let field = root;
  for (const { key } of path ?? []) {
    if (typeof key === "number") field += `[${key}]`;
    else if (PLAIN_KEY.test(String(key))) field += `.${String(key).slice(0, MAX_KEY_SHOWN)}`;
    else field += `[${JSON.stringify(String(key).slice(0, MAX_KEY_SHOWN))}]`;
  }
  return field;
}

/** @param phrase completes "must be …". */
export function mustBe(field: string, phrase: string): Problem {
  return { field, message: `${field} must be ${phrase}` };
}

export function isMissing(field: string): Problem {
  return { field, message: `${field} is missing` };
}

type Checked<Schema extends v.GenericSchema> =
  | { readonly ok: true; readonly value: v.InferOutput<Schema> }
  | { readonly ok: false; readonly problem: Problem };

/** Runs `schema` on `value`, which stands at `root`; stops at the first problem. */
export function check<const Schema extends v.GenericSchema>(
  schema: Schema,
  value: unknown,
  root: string,
): Checked<Schema> {
  const result = v.safeParse(schema, value, { abortEarly: true });
  if (result.success) return { ok: true, value: result.output };
  const [issue] = result.issues;
  const field = pathOf(root, issue.path);
  return { ok: false, problem: issue.input === undefined ? isMissing(field) : mustBe(field, issue.message) };
}
