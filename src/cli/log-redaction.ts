/**
 * What must never be in a log, taken out on the way there, whoever wrote the line: fields that are named like secrets or
 * hold what jobs are about, and, in any text, what looks like a token. A second wall: our own lines hold none of it.
 */

/** Fields whose value is not told, whatever it is. */
const SECRET_NAMES =
  /(?:^|[_-]|[a-z](?=[A-Z]))(?:token|secret|password|passphrase|authorization|cookie|credentials?|api[_-]?key|private[_-]?key)$/i;
/** What a client gave a job, or got from it. */
const CONTENT_NAMES: ReadonlySet<string> = new Set(["input", "args", "result", "payload", "body", "value"]);
/** Our tokens and resume tokens, JWTs, what follows `Bearer`, and passwords in URLs. */
const SECRET_TEXT =
  /\blh_[\w-]{16,}|\brt_[0-9a-f]{16,}[\w.-]*|(?<![\w-])eyJ[\w-]{4,}\.[\w-]{4,}\.[\w-]*|(?<=\bBearer\s{1,8})[^\s"',;]+|(?<=:\/\/[^\s/:@]*:)[^\s/@]+(?=@)|(?<=[?&](?:access_token|token|key|api_key|secret|password)=)[^\s&#"']+/gi;

export const REDACTED = "[redacted]";
/** Longest text in a field; what is longer is cut. */
const MAX_TEXT_LENGTH = 8_192;
/** Depth of objects in a field; deeper ones are left out. */
const MAX_DEPTH = 6;
/** Members of an object, or elements of a list, in a field; further ones are left out. */
const MAX_MEMBERS = 100;

export function redactText(text: string): string {
  const cut = text.length > MAX_TEXT_LENGTH ? `${text.slice(0, MAX_TEXT_LENGTH)}… (${text.length} characters)` : text;
  return cut.replace(SECRET_TEXT, REDACTED);
}

/** The field as it may be logged: JSON, with errors as `{ name, message, stack, code?, cause? }`. */
export function redactField(name: string, value: unknown, depth = 0): unknown {
  if (value === undefined || value === null) return value;
  if (SECRET_NAMES.test(name) || CONTENT_NAMES.has(name)) return REDACTED;
  if (typeof value === "string") return redactText(value);
  if (typeof value === "bigint") return String(value);
  if (typeof value !== "object") return value;
  if (depth >= MAX_DEPTH) return "[too deep]";
  if (value instanceof Error) return redactError(value, depth);
  if (Array.isArray(value)) return value.slice(0, MAX_MEMBERS).map((element) => redactField("", element, depth + 1));
  if (value instanceof Date || "toJSON" in value)
    return redactText(String(JSON.stringify(value)).replace(/^"|"$/g, ""));
  const members = Object.entries(value).slice(0, MAX_MEMBERS);
  return Object.fromEntries(members.map(([key, member]) => [key, redactField(key, member, depth + 1)]));
}

function redactError(error: Error, depth: number): object {
  const { name, message, stack, cause } = error;
  const code =
    "code" in error && (typeof error.code === "string" || typeof error.code === "number") ? error.code : null;
  return {
    name,
    message: redactText(message),
    ...(code === null ? {} : { code }),
    ...(stack === undefined ? {} : { stack: redactText(stack) }),
    ...(cause === undefined ? {} : { cause: redactField("cause", cause, depth + 1) }),
  };
}
