/** Digests that tell a repeated submission from a conflicting one (§7.2). */
import { hash } from "node:crypto";
import { CodedError } from "../../protocol/errors.ts";

/** Deeper nesting than this is refused: it serves nobody and would exhaust the stack. */
export const MAX_DIGESTED_NESTING = 200;

/** SHA-256, hex, of `value` in a canonical form in which the order of object keys does not matter. */
export function digestOf(value: unknown): string {
  return hash("sha256", canonicalText(value, 0), "hex");
}

function canonicalText(value: unknown, depth: number): string {
  if (depth > MAX_DIGESTED_NESTING) {
    throw new CodedError("INVALID_REQUEST", `the input nests deeper than ${MAX_DIGESTED_NESTING} levels`, {
      details: { field: "input" },
    });
  }
  if (Array.isArray(value)) return `[${value.map((item) => canonicalText(item, depth + 1)).join(",")}]`;
  if (typeof value === "object" && value !== null) {
    let members = "";
    for (const key of sorted(Object.keys(value))) {
      const member = (value as Readonly<Record<string, unknown>>)[key];
      if (member === undefined) continue;
      members += `${members === "" ? "" : ","}${JSON.stringify(key)}:${canonicalText(member, depth + 1)}`;
    }
    return `{${members}}`;
  }
  return JSON.stringify(value) ?? "null";
}

/** Mostly they are in order already, which is cheaper to see than to establish. */
function sorted(keys: string[]): string[] {
  for (let index = 1; index < keys.length; index++) {
    if ((keys[index - 1] as string) > (keys[index] as string)) return keys.sort();
  }
  return keys;
}
