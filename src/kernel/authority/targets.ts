/**
 * What an operation touches, in the one form that patterns are matched against: two ways to write the same path or URL are
 * one target, so that no spelling gets past a pattern.
 */
import { CodedError } from "../../protocol/errors.ts";

/** Longest target a pattern is asked about, in UTF-16 code units, a URL's query left out. Longer ones are refused. */
export const MAX_TARGET_LENGTH = 4_096;

/** What the targets of a lease namespace are. */
export function targetKind(namespace: string): "path" | "url" | "agent" | "name" {
  if (namespace === "fs.read" || namespace === "fs.write") return "path";
  if (namespace === "net.fetch") return "url";
  return namespace === "agent.delegate" ? "agent" : "name";
}

/** The target of an operation in canonical form. @throws CodedError INVALID_REQUEST for one that has none. */
export function canonicalTarget(namespace: string, target: string): string {
  const kind = targetKind(namespace);
  if (kind === "path") return canonicalPath(target);
  if (kind === "url") return canonicalUrl(target);
  if (target === "") throw invalid("target", `of ${namespace} must not be empty`);
  // Services have a model's name in their addresses, where such a segment leads to another model.
  if (namespace === "model.use" && holdsDotSegment(target))
    throw invalid("target", "of model.use must hold no . or .. segment");
  return target;
}

const UNCLEAN_PATH = /\/(?:\.{0,2}(?:\/|$))|\0/;

/**
 * An absolute path without `.`, `..` and empty segments, and without a `/` at its end. By the text alone: whoever opens the
 * file asks for its real path before, since `..` after a symbolic link leads elsewhere.
 * @throws CodedError INVALID_REQUEST for a relative path, or one with a NUL.
 */
export function canonicalPath(path: string): string {
  if (!path.startsWith("/")) throw invalid("path", "must be absolute: begin with /");
  if (!UNCLEAN_PATH.test(path)) return path;
  if (path.includes("\0")) throw invalid("path", "must not hold a NUL character");
  const segments: string[] = [];
  for (const segment of path.split("/")) {
    if (segment === "..") segments.pop();
    else if (segment !== "" && segment !== ".") segments.push(segment);
  }
  return `/${segments.join("/")}`;
}

/**
 * A URL without query and fragment, as the WHATWG parser writes it: scheme and host in lower case, the host in its ASCII
 * form, no default port, no dot segments. Beyond that, escapes of unreserved characters are undone and the others are in
 * upper case, so that `%7euser` and `~user` are one.
 * @throws CodedError INVALID_REQUEST for what is no URL, for a scheme but http and https, for a user name or password, and
 * for a path that holds a dot segment in disguise (`holdsDotSegment`): a server that sees through it would leave the path that
 * was asked for.
 */
export function canonicalUrl(url: string): string {
  let parsed: URL;
  try {
    parsed = new URL(url);
  } catch {
    throw invalid("url", "must be an absolute URL such as https://example.com/path");
  }
  if (parsed.protocol !== "http:" && parsed.protocol !== "https:") throw invalid("url", "must be of http or https");
  if (parsed.username !== "" || parsed.password !== "") throw invalid("url", "must not hold a user name or password");
  const path = canonicalEscapes(parsed.pathname);
  if (holdsDotSegment(path)) throw invalid("url", "must not hold a dot segment behind escapes, or with parameters");
  return `${parsed.protocol}//${parsed.host}${path}`;
}

const DOT_SEGMENT =
  /(?:^|[/\\]|%(?:25)*(?:2F|5C))(?:\.|%(?:25)*2E){1,2}(?:(?:;|%(?:25)*3B)[^/]*)?(?:[/\\]|%(?:25)*(?:2F|5C)|$)/i;

/** Whether a segment of this is `.` or `..` to anyone: escapes undone as often as one likes, `\` for `/`, parameters after a `;`. */
export function holdsDotSegment(text: string): boolean {
  return DOT_SEGMENT.test(text);
}

const NEEDS_CARE = /[^!$&-;=?@A-Z_a-z~*[\]|]|%/;
const ESCAPE_OR_CHARACTER = /%[0-9A-Fa-f]{2}|[^!$&-;=?@A-Z_a-z~*[\]|]/gu;
const UNRESERVED = /^[A-Za-z0-9._~-]$/;

/**
 * A path's escapes in one form: of unreserved characters undone (RFC 3986 §6.2.2.2), the others in upper case, and what the
 * WHATWG parser escapes is escaped. `*` and `?` stay, so that a pattern's path can be brought into the same form.
 */
export function canonicalEscapes(path: string): string {
  if (!NEEDS_CARE.test(path)) return path;
  return path.replace(ESCAPE_OR_CHARACTER, (found) => {
    if (found.length !== 3) return found === "%" ? "%25" : encodeURIComponent(found.toWellFormed());
    const character = String.fromCharCode(Number.parseInt(found.slice(1), 16));
    return UNRESERVED.test(character) ? character : found.toUpperCase();
  });
}

function invalid(field: string, what: string): CodedError {
  return new CodedError("INVALID_REQUEST", `${field} ${what}`, { details: { field } });
}
