import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { covers, createCover, MAX_COVER_STEPS } from "./covers.ts";
import type { Effort } from "./glob.ts";
import { LEASE_LIMITS } from "./lease.ts";
import { compilePatterns, findPatternProblem } from "./patterns.ts";

describe("a child's pattern", () => {
  test.each([
    ["fs.read", ["/a/**"], "/a/**", "yes"],
    ["fs.read", ["/a/**"], "/a", "yes"],
    ["fs.read", ["/a/**"], "/a/b/**", "yes"],
    ["fs.read", ["/a/**"], "/a/*", "yes"],
    ["fs.read", ["/a/**"], "/a/**/x?/*.ts", "yes"],
    ["fs.read", ["/a/**"], "/a*", "no"],
    ["fs.read", ["/a/**"], "/**", "no"],
    ["fs.read", ["/a/**"], "/ab", "no"],
    ["fs.read", ["/a/*"], "/a/**", "no"],
    ["fs.read", ["/a/*"], "/a/b", "yes"],
    ["fs.read", ["/a/*"], "/a/b/c", "no"],
    ["fs.read", ["/a/*"], "/a", "no"],
    ["fs.read", ["/a?"], "/a*", "no"],
    ["fs.read", ["/a*"], "/a?", "yes"],
    ["fs.read", ["/a", "/a?", "/a??*"], "/a*", "yes"],
    ["fs.read", ["/a", "/a??*"], "/a*", "no"],
    ["fs.read", ["/a/*", "/a/*/**"], "/a/**", "no"],
    ["fs.read", ["/a", "/a/*", "/a/*/**"], "/a/**", "yes"],
    ["fs.read", ["/a/b/*", "/a/*/c"], "/a/b/c", "yes"],
    ["fs.read", ["/a/**/z"], "/a/z", "yes"],
    ["fs.read", ["/a/**/z"], "/a/**/y/z", "yes"],
    ["fs.read", ["/a/**/z"], "/a/**z", "no"],
    ["fs.read", ["**"], "/**", "yes"],
    ["fs.read", ["/**"], "**", "yes"],
    ["fs.read", [], "/a", "no"],
    ["fs.read", ["/🦊?"], "/🦊🦊", "yes"],
    ["fs.read", ["/??"], "/🦊", "no"],
    ["fs.read", ["/a/**"], "a", "no"],
    ["tool.call", ["*"], "**", "yes"],
    ["tool.call", ["*"], "a/b", "yes"],
    ["tool.call", ["*-read"], "*", "no"],
    ["tool.call", ["x*y"], "xy", "yes"],
    ["model.use", ["tier/*"], "tier/*", "yes"],
    ["model.use", ["tier/*"], "tier/**", "no"],
    ["model.use", ["tier/**"], "tier/*/*", "yes"],
    ["agent.delegate", ["planner"], "planner@1.0.0", "yes"],
    ["agent.delegate", ["planner@1.*"], "planner", "no"],
    ["agent.delegate", ["planner@1.*"], "planner@1.2.*", "yes"],
    ["agent.delegate", ["plan*"], "planner", "yes"],
    ["agent.delegate", ["*"], "planner", "yes"],
    ["net.fetch", ["https://x.org/**"], "https://x.org:443/a/*", "yes"],
    ["net.fetch", ["https://x.org/**"], "HTTPS://X.ORG/a", "yes"],
    ["net.fetch", ["https://x.org/**"], "https://x.org:*/a", "no"],
    ["net.fetch", ["https://x.org/**"], "http://x.org/**", "no"],
    ["net.fetch", ["https://*.x.org/**"], "https://a.x.org/**", "yes"],
    ["net.fetch", ["https://*.x.org/**"], "https://*.a.x.org/**", "yes"],
    ["net.fetch", ["https://*.x.org/**"], "https://x.org/**", "no"],
    ["net.fetch", ["https://x.org/~a/**"], "https://x.org/%7ea/b", "yes"],
    ["net.fetch", ["**"], "http://*:*/**", "yes"],
    ["net.fetch", ["http://*:*/**", "https://*:*/**"], "**", "yes"],
    ["net.fetch", ["http://*/**", "https://*/**"], "**", "no"],
    ["x-acme.db", ["users/*"], "users/a*", "yes"],
    ["x-acme.db", ["?**", "/**"], "**", "yes"],
    ["x-acme.db", ["?", "?*?"], "**", "no"],
  ] as const)("of %s, under %j: %s: %s", (namespace, parents, child, verdict) => {
    expect(covers(namespace, parents, child)).toBe(verdict);
  });
});

const part = fc.constantFrom("a", "b", "/", "?", "*", "**", "/**/", "/**");
const globText = (parts: number) => fc.array(part, { minLength: 1, maxLength: parts }).map((all) => all.join(""));

/** Every text of at most six characters: those that globs name, `/`, and one that none names. */
const TEXTS = (() => {
  const all: string[] = [""];
  for (let start = 0, size = 1; size <= 6; size++) {
    const end = all.length;
    for (; start < end; start++) for (const character of "ab/c") all.push(all[start] + character);
  }
  return all.slice(1);
})();

describe("held against every target there is", () => {
  test("it is covered exactly when each of its targets is a parent's", () => {
    const verdicts = { yes: 0, no: 0, "too-hard": 0 };
    fc.assert(
      fc.property(fc.array(globText(4), { minLength: 1, maxLength: 3 }), globText(3), (parents, child) => {
        const verdict = covers("x-a.b", parents, child);
        verdicts[verdict]++;
        const childSet = compilePatterns("x-a.b", [child]);
        const parentSet = compilePatterns("x-a.b", parents);
        const counterexample = TEXTS.find((text) => childSet.matches(text) && !parentSet.matches(text));
        expect({ parents, child, verdict }).toEqual({
          parents,
          child,
          verdict: counterexample === undefined ? "yes" : "no",
        });
      }),
      { numRuns: 300 },
    );
    expect(verdicts.yes).toBeGreaterThan(20);
    expect(verdicts.no).toBeGreaterThan(20);
  });

  test("what narrows a parent's pattern is covered by it", () => {
    const narrower: Readonly<Record<string, readonly string[]>> = {
      "?": ["a", "b", "?"],
      "*": ["", "a", "?b", "*a*", "*"],
      "**": ["", "a/b", "*", "/**/", "**"],
      "/**/": ["/", "/a/", "/**/b/", "/**/"],
    };
    const child = fc.array(part, { minLength: 1, maxLength: 8 }).chain((parts) =>
      fc.tuple(
        fc.constant(parts.join("")),
        fc.tuple(...parts.map((one) => fc.constantFrom(...(narrower[one] ?? [one])))).map((all) => all.join("")),
      ),
    );
    fc.assert(
      fc.property(child, globText(8), ([parent, narrowed], other) => {
        // A `*` of its own next to another is a `**`: that is no narrowing.
        fc.pre(narrowed !== "" && parent !== "*" && narrowed !== "*" && (narrowed.match(/\*{2,}/g) ?? []).length === 0);
        fc.pre((parent.match(/\*{2,}/g) ?? []).length === 0);
        expect({ parent, narrowed, verdict: covers("x-a.b", [other, parent], narrowed) }).toMatchObject({
          verdict: "yes",
        });
      }),
      { numRuns: 500 },
    );
  });
});

describe("what is sampled from a covered pattern is matched by the parent's", () => {
  const segment = fc.constantFrom("a", "b", "a1", ".git", "🦊", "x.org");
  const piece = fc.oneof(segment, fc.constantFrom("*", "**", "?", "*a", "a*"));
  const pathGlob = fc.array(piece, { minLength: 1, maxLength: 4 }).map((all) => `/${all.join("/")}`);
  const urlGlob = fc
    .tuple(
      fc.constantFrom("https", "HTTP"),
      fc.constantFrom("x.org", "*.x.org", "*", "a?"),
      fc.constantFrom("", ":*", ":80"),
      pathGlob,
    )
    .map(([scheme, host, port, path]) => `${scheme}://${host}${port}${path}`);
  const nameGlob = fc
    .array(fc.oneof(piece, fc.constantFrom("@", "/")), { minLength: 1, maxLength: 4 })
    .map((all) => all.join(""));
  const globsOf = {
    "fs.write": pathGlob,
    "net.fetch": urlGlob,
    "agent.delegate": nameGlob,
    "model.use": nameGlob,
  } as const;

  /** A target of the pattern, as far as it is one: what it is tried for is checked. */
  const sample = (pattern: string, fill: readonly string[]): string => {
    let at = 0;
    const next = (): string => fill[at++ % fill.length] ?? "";
    return pattern
      .replace("HTTP:", "http:")
      .replaceAll(":*", next().length > 1 ? ":8080" : "")
      .replaceAll("**", () => [next(), next()].join("/"))
      .replaceAll(/\*/g, next)
      .replaceAll("?", "b");
  };

  test.each(Object.keys(globsOf) as (keyof typeof globsOf)[])("of %s [law-authority-within-parent]", (namespace) => {
    let sampled = 0;
    const glob = globsOf[namespace].filter((pattern) => findPatternProblem(namespace, pattern) === undefined);
    const fills = fc.array(fc.array(segment, { minLength: 1, maxLength: 4 }), { minLength: 6, maxLength: 6 });
    fc.assert(
      fc.property(fc.array(glob, { minLength: 1, maxLength: 3 }), glob, fills, (parents, child, all) => {
        const verdict = covers(namespace, parents, child);
        expect(verdict).not.toBe("too-hard");
        if (verdict === "no") return;
        const parentSet = compilePatterns(namespace, parents);
        const childSet = compilePatterns(namespace, [child]);
        for (const target of all.map((fill) => sample(child, fill))) {
          if (!childSet.matches(target)) continue;
          sampled++;
          expect({ target, isCovered: parentSet.matches(target) }).toEqual({ target, isCovered: true });
        }
      }),
      { numRuns: 1_000 },
    );
    expect(sampled).toBeGreaterThan(20);
  });
});

describe("the cost of covering", () => {
  test("[attack-hard-cover] is bounded: what takes longer is not decided, and so not allowed", () => {
    const parents = Array.from({ length: 30 }, (_, index) => `*${"a".repeat(900)}${index}`);
    const effort: Effort = { steps: 0 };
    expect(createCover("x-a.b", parents).covers(`*${"a".repeat(1_000)}`, effort)).toBe("too-hard");
    expect(effort.steps).toBeLessThan(MAX_COVER_STEPS + LEASE_LIMITS.patternsLength);
  });

  test("counts all patterns of a lease together", () => {
    const cover = createCover("x-a.b", ["a*"]);
    const effort: Effort = { steps: MAX_COVER_STEPS };
    expect(cover.covers("a*", effort)).toBe("yes");
    expect(cover.covers("ab*", effort)).toBe("too-hard");
  });

  test("is small for a large lease that is handed on in part", () => {
    const parents = Array.from({ length: LEASE_LIMITS.patterns }, (_, index) => `/workspace/project-${index}/src/**`);
    const cover = createCover("fs.read", parents);
    const effort: Effort = { steps: 0 };
    for (const parent of parents) expect(cover.covers(parent.replace("**", "lib/**/*.ts"), effort)).toBe("yes");
    expect(effort.steps).toBeLessThan(MAX_COVER_STEPS);
  });
});
