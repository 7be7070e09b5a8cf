/** `.gitignore` as far as most repositories use it: globs, `**`, folders only, anchored, negated, one file per folder. */

/** A rule with more is left out: the time its pattern takes grows with the power of their number. */
const MAX_WILDCARDS = 8;

interface Rule {
  readonly matches: RegExp;
  readonly negated: boolean;
  readonly foldersOnly: boolean;
}

export interface IgnoreRules {
  /** @param path relative to the folder of the `.gitignore`, with `/`. */
  verdict(path: string, isFolder: boolean): "ignored" | "kept" | undefined;
}

export function parseIgnoreRules(text: string): IgnoreRules {
  const rules = text.split(/\r?\n/).flatMap((line) => parseRule(line) ?? []);
  return {
    verdict(path, isFolder) {
      // The last rule that matches decides.
      const rule = rules.findLast((candidate) => (isFolder || !candidate.foldersOnly) && candidate.matches.test(path));
      return rule === undefined ? undefined : rule.negated ? "kept" : "ignored";
    },
  };
}

function parseRule(line: string): Rule | undefined {
  let glob = line.replace(/(?<!\\)\s+$/, "");
  if (glob === "" || glob.startsWith("#")) return undefined;
  const negated = glob.startsWith("!");
  if (negated) glob = glob.slice(1);
  const foldersOnly = glob.endsWith("/");
  if (foldersOnly) glob = glob.slice(0, -1);
  // With a slash inside, a rule is about one place; without, about every folder below.
  const anchored = glob.includes("/");
  if (glob.startsWith("/")) glob = glob.slice(1);
  if (glob === "" || (glob.match(/\*+/g)?.length ?? 0) > MAX_WILDCARDS) return undefined;
  return { matches: new RegExp(`^${anchored ? "" : "(?:.*/)?"}${toPattern(glob)}$`), negated, foldersOnly };
}

const TOKEN = /(?:\*\*\/)+|\/\*\*$|\*+|\?|\\.|[^*?\\]/gsu;

function toPattern(glob: string): string {
  return glob.replace(TOKEN, (token) => {
    if (token.endsWith("**/")) return "(?:.*/)?";
    if (token === "/**") return "/.*";
    if (token.startsWith("*")) return "[^/]*";
    if (token === "?") return "[^/]";
    return (token.startsWith("\\") ? token.slice(1) : token).replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&");
  });
}
