/** Where a path leads at this moment, symbolic links followed: what the guard is asked about. */
import { readlink, realpath } from "node:fs/promises";
import { posix } from "node:path";
import { canonicalPath } from "../../kernel/authority/targets.ts";

/** As many links as Linux follows. */
const MAX_LINKS = 40;

export interface ResolvedPath {
  /** Absolute, without `.`, `..`, links and empty segments. */
  readonly canonical: string;
  /** How much of it was there: all of it, or the nearest directory above what is missing. */
  readonly existing: string;
}

/**
 * Never fails: what is missing, and what lies behind something that cannot be looked at, is taken by its text. So one who
 * asks for what the lease does not cover hears the same answer whether or not it is there. Whoever opens it then makes
 * sure that it opened this very place.
 * @param path absolute.
 */
export async function resolvePath(path: string): Promise<ResolvedPath> {
  try {
    const canonical = await realpath(path);
    return { canonical, existing: canonical };
  } catch {
    return await walk(path);
  }
}

/** As `resolvePath`, but a link at the end is the place itself: for what is done to an entry of a directory. */
export async function resolveEntry(path: string): Promise<ResolvedPath> {
  const { dir, base } = posix.parse(path);
  // Of such a path the last segment is no name, but a way to a directory.
  if (base === "" || base === "." || base === "..") return await resolvePath(path);
  const { canonical, existing } = await resolvePath(dir);
  return { canonical: posix.join(canonical, base), existing };
}

async function walk(path: string): Promise<ResolvedPath> {
  let existing = "/";
  let rest = path.split("/");
  for (let links = 0; rest.length > 0; ) {
    const [segment = "", ...after] = rest;
    const next = canonicalPath(`${existing}/${segment}`);
    const found = segment === "" || segment === "." || segment === ".." ? "no link" : await linkAt(next);
    if (found === "unknown" || links > MAX_LINKS) {
      return { canonical: canonicalPath(`${existing}/${rest.join("/")}`), existing };
    }
    if (found === "no link") {
      existing = next;
      rest = after;
    } else {
      links++;
      if (found.target.startsWith("/")) existing = "/";
      rest = [...found.target.split("/"), ...after];
    }
  }
  return { canonical: existing, existing };
}

async function linkAt(path: string): Promise<{ readonly target: string } | "no link" | "unknown"> {
  try {
    return { target: await readlink(path) };
  } catch (error) {
    // What is there and is no link cannot be read as one.
    return error instanceof Error && "code" in error && error.code === "EINVAL" ? "no link" : "unknown";
  }
}
