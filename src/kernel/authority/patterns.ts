// Lease patterns (§9.2): globs over canonical targets (`targets.ts`).
//
//   ?     one code point, but no /
//   *     any code points, none included, but no /
//   **    any code points, / included; more stars in a row are two
//   /**/  one / as well:                            /a/**/b matches /a/b, /a/x/b, /a/x/y/b; not /a/xb
//   /**   at the end: the directory itself as well. /a/** matches /a, /a/b, /a/b/c; not /ab
//
// Every other character stands for itself: there are no escapes, braces or classes, and case counts. What it is a glob of:
//
//   fs.read, fs.write  absolute paths. A pattern begins with / and has no empty, . or .. segments; a lone ** is every path.
//                      /a/*.ts matches /a/x.ts; not /a/b/x.ts.
//   net.fetch          URLs without query and fragment: scheme://host[:port]/path. Scheme and host are in lower case and
//                      escapes in one form, as in targets. A wildcard in the host reaches neither port nor path; without a
//                      port it is the scheme's own, and :* is any. A lone ** is every URL.
//                      https://*.x.org/** matches https://a.b.x.org/c?d; not https://x.org/, https://a.x.org:8443/ or
//                      http://a.x.org/.
//   agent.delegate     name@version; without an @ it is every version. plan* matches planner@1.0.0.
//   all others         names. tier/* matches tier/a; not tier/a/b. A lone * is every name, of agents as well.

import { codePointsOf, type Effort, GlobMatcher, parseGlob, plainPrefix } from "./glob.ts";
import { canonicalEscapes, targetKind } from "./targets.ts";

/** The patterns of one namespace of a lease, ready to be asked. */
export interface PatternSet {
  /** @param target in canonical form. */
  matches(target: string, effort?: Effort): boolean;
}

const URL_PATTERN = /^(https?):\/\/([^/]*)(\/.*)?$/isu;
/** With a port given, for a host as an authority's text. */
const HOST_AND_PORT = /^(\[[0-9a-f:.]+\]|[^:[\]]+)(?::(\d{1,5}|\*))?$/iu;
const WILD_HOST = /^[a-z0-9._*?-]+$/iu;
const STRAY_PERCENT = /%(?![0-9A-Fa-f]{2})/;
const TARGET_URL = /^(https?):\/\/(\[[^\]]*\]|[^/:]*)(?::(\d+))?(\/.*)$/su;

/**
 * What is wrong with a pattern, as a phrase that completes "<field> …" and says what would be right; undefined when
 * nothing is. `cost.budget` has amounts, which are no patterns.
 */
export function findPatternProblem(namespace: string, pattern: string): string | undefined {
  if (!pattern.isWellFormed()) return "must be well-formed Unicode: it holds half of a surrogate pair";
  const kind = targetKind(namespace);
  if (kind === "path") return findPathProblem(pattern);
  if (kind === "url") {
    const url = readUrlPattern(pattern);
    return "problem" in url ? url.problem : undefined;
  }
  return undefined;
}

/**
 * The patterns of one namespace, compiled. One that `findPatternProblem` finds fault with matches nothing. Matching takes
 * at most a step for each 32 characters of the patterns and each character of the target, whatever they are.
 */
export function compilePatterns(namespace: string, patterns: readonly string[]): PatternSet {
  const exact = new Set<string>();
  const below: string[] = [];
  const starred: OneStar[] = [];
  /** What needs the machine, and what each of it begins with. */
  const globs: Int32Array[] = [];
  const prefixes: string[] = [];
  const isUrl = targetKind(namespace) === "url";
  let everything = false;
  for (const glob of patterns.flatMap((pattern) => globsOf(namespace, pattern))) {
    const prefix = plainPrefix(glob);
    if (prefix === glob) exact.add(glob);
    else if (isEverything(glob)) everything = true;
    else if (glob === `${prefix}/**`) below.push(`${prefix}/`);
    else {
      const star = readOneStar(glob);
      if (star !== undefined) starred.push(star);
      else {
        globs.push(parseGlob(glob));
        prefixes.push(prefix);
      }
    }
  }
  const machine = globs.length === 0 ? undefined : new GlobMatcher(globs);

  return {
    matches(target, effort) {
      const subject = isUrl ? spreadUrl(target) : target;
      if (subject === undefined || subject === "") return false;
      if (everything || exact.has(subject)) return true;
      for (const directory of below) {
        if (subject.startsWith(directory) || subject === directory.slice(0, -1)) return true;
      }
      for (const star of starred) if (isOneStarMatch(star, subject)) return true;
      if (machine === undefined) return false;
      const possible: number[] = [];
      for (const [glob, prefix] of prefixes.entries()) if (subject.startsWith(prefix)) possible.push(glob);
      return possible.length > 0 && machine.matches(codePointsOf(subject), possible, effort);
    },
  };
}

/** A glob whose one wildcard is a `*`: it needs no machine. */
interface OneStar {
  readonly prefix: string;
  readonly suffix: string;
}

function readOneStar(glob: string): OneStar | undefined {
  const at = glob.search(/[*?]/);
  if (glob[at] !== "*" || /[*?]/.test(glob.slice(at + 1))) return undefined;
  return { prefix: glob.slice(0, at), suffix: glob.slice(at + 1) };
}

function isOneStarMatch({ prefix, suffix }: OneStar, subject: string): boolean {
  const end = subject.length - suffix.length;
  if (end < prefix.length || !subject.startsWith(prefix) || !subject.endsWith(suffix)) return false;
  const slash = subject.indexOf("/", prefix.length);
  return slash === -1 || slash >= end;
}

/**
 * A pattern as globs over the text that matching and covering look at: a target itself, except for URLs (`spreadUrl`).
 * Together they match what the pattern does.
 */
export function globsOf(namespace: string, pattern: string): readonly string[] {
  if (findPatternProblem(namespace, pattern) !== undefined) return [];
  const kind = targetKind(namespace);
  if (kind === "path") return [isEverything(pattern) ? "/**" : pattern];
  if (kind === "url") {
    if (isEverything(pattern)) return ["http://*/*/**", "https://*/*/**"];
    const url = readUrlPattern(pattern);
    return "problem" in url ? [] : [`${url.scheme}://${url.host}/${url.port}${url.path}`];
  }
  if (pattern === "*" || isEverything(pattern)) return ["**"];
  if (kind === "agent" && !pattern.includes("@")) return [`${pattern}@*`];
  return [pattern];
}

/**
 * A canonical URL with its port as a segment of its own, the scheme's own where it has none, so that no wildcard in a host
 * reaches it: `https://x.org/443/path`.
 */
function spreadUrl(url: string): string | undefined {
  const [, scheme, host, port, path] = TARGET_URL.exec(url) ?? [];
  if (scheme === undefined) return undefined;
  return `${scheme}://${host}/${port ?? ownPort(scheme)}${path}`;
}

const ownPort = (scheme: string): string => (scheme === "http" ? "80" : "443");

const isEverything = (pattern: string): boolean => /^\*{2,}$/.test(pattern);

function findPathProblem(pattern: string): string | undefined {
  if (isEverything(pattern)) return undefined;
  if (!pattern.startsWith("/")) return "must be an absolute path: begin with / (or be ** for every path)";
  if (pattern === "/") return undefined;
  const segments = pattern.slice(1).split("/");
  if (segments.at(-1) === "") return `must not end with /: write ${pattern}** for what is in a directory`;
  if (segments.some((segment) => segment === "" || segment === "." || segment === "..")) {
    return "must have no empty, . or .. segments, since no path has them when it is checked";
  }
  return undefined;
}

interface UrlPattern {
  readonly scheme: string;
  readonly host: string;
  /** Digits or `*`. */
  readonly port: string;
  readonly path: string;
}

function readUrlPattern(pattern: string): UrlPattern | { readonly problem: string } {
  if (isEverything(pattern)) return { scheme: "*", host: "*", port: "*", path: "/**" };
  const [, scheme = "", authority = "", path] = URL_PATTERN.exec(pattern) ?? [];
  if (scheme === "") return { problem: "must be http or https and a host, such as https://api.example.com/**, or **" };
  if (path === undefined) return { problem: `must have a path: write ${pattern}/** for everything there` };
  if (authority.includes("@")) return { problem: "must not hold a user name or password" };
  const problem = findUrlPathProblem(path);
  if (problem !== undefined) return { problem };
  const [, name = "", port] = HOST_AND_PORT.exec(authority) ?? [];
  const host = readHost(scheme, name);
  if (host === undefined || Number(port) > 65_535) {
    return {
      problem:
        "must have a host and, if any, a port from 0 to 65535 or *; with wildcards a host is letters, digits, dots and " +
        "hyphens (others in their xn-- form), and ** is for paths only",
    };
  }
  const lower = scheme.toLowerCase();
  const number = port === undefined || port === "*" ? port : String(Number(port));
  return { scheme: lower, host, port: number ?? ownPort(lower), path: canonicalEscapes(path) };
}

/** In the form the WHATWG parser gives a target's; undefined for what is none. */
function readHost(scheme: string, name: string): string | undefined {
  // The parser drops line breaks and tabs, and takes the rest for path or fragment.
  if (/[\s#\\]/.test(name)) return undefined;
  if (/[*?]/.test(name)) return WILD_HOST.test(name) && !name.includes("**") ? name.toLowerCase() : undefined;
  try {
    const { host, href } = new URL(`${scheme}://${name}/`);
    return href.toLowerCase() === `${scheme.toLowerCase()}://${host}/` ? host : undefined;
  } catch {
    return undefined;
  }
}

function findUrlPathProblem(path: string): string | undefined {
  if (/[#\\]/.test(path))
    return "must hold no # and no \\: a fragment is not part of what is checked, and a path has /";
  if (/\?[^/?=]*=/.test(path))
    return "must hold no query: it is not part of what is checked, and ? stands for one character";
  if (STRAY_PERCENT.test(path)) return "must have two hexadecimal digits after each %";
  const segments = canonicalEscapes(path).split("/");
  if (segments.includes(".") || segments.includes("..")) {
    return "must have no . or .. segments, since no URL has them when it is checked";
  }
  return undefined;
}
