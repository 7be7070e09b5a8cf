/**
 * Patterns of leases as a run understands them, by regular expressions and examples: slow, simple, and not the
 * runtime's own.
 */
import type { Draw } from "./draw.ts";

/** Namespaces whose targets are names, of which a lone `*` matches every one. */
const NAMES: ReadonlySet<string> = new Set(["tool.call", "model.use", "agent.delegate", "x-sim.db"]);

/** Whether one of `patterns` matches `target`. */
export function matches(namespace: string, patterns: readonly string[], target: string): boolean {
  return patterns.some((pattern) => toRegExp(namespace, pattern).test(target));
}

/** Some target that `pattern` matches. */
export function drawTarget(namespace: string, pattern: string, draw: Draw): string {
  const filled = pattern
    .replaceAll(/^\*$/g, () => (NAMES.has(namespace) ? draw.pick(["anything", "a/b"]) : draw.pick(["", "any"])))
    .replaceAll("/**/", () => draw.pick(["/", "/deep/", "/very/deep/"]))
    .replaceAll(/\/\*\*$/g, () => draw.pick(["", "/", "/near", "/far/away/from.here"]))
    .replaceAll("**", () => draw.pick(["", "near", "far/away"]))
    .replaceAll("*", () => draw.pick(["", "x", "some.txt"]))
    .replaceAll("?", () => draw.pick(["x", "."]));
  return namespace === "agent.delegate" && !filled.includes("@") ? `${filled}@${draw.pick(["1", "2.0.0"])}` : filled;
}

const EXPRESSIONS = new Map<string, RegExp>();

function toRegExp(namespace: string, pattern: string): RegExp {
  const key = `${namespace} ${pattern}`;
  const known = EXPRESSIONS.get(key);
  if (known !== undefined) return known;
  const expression = makeRegExp(namespace, pattern);
  EXPRESSIONS.set(key, expression);
  return expression;
}

function makeRegExp(namespace: string, pattern: string): RegExp {
  if (NAMES.has(namespace) && pattern === "*") return /^[\s\S]*$/;
  const text = namespace === "agent.delegate" && !pattern.includes("@") ? `${pattern}@*` : pattern;
  const parts = text.split(/(\/\*\*\/|\/\*\*$|\*\*|\*|\?)/).map((part) => {
    switch (part) {
      case "/**/":
        return "/(?:[\\s\\S]*/)?";
      case "/**":
        return "(?:/[\\s\\S]*)?";
      case "**":
        return "[\\s\\S]*";
      case "*":
        return "[^/]*";
      case "?":
        return "[^/]";
      default:
        return part.replaceAll(/[\\^$.*+?()[\]{}|]/g, "\\$&");
    }
  });
  return new RegExp(`^${parts.join("")}$`, "u");
}
