import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { codePointsOf, type Effort, GlobMatcher, parseGlob } from "./glob.ts";
import { LEASE_LIMITS } from "./lease.ts";
import { compilePatterns, findPatternProblem } from "./patterns.ts";
import { MAX_TARGET_LENGTH } from "./targets.ts";

const isMatch = (namespace: string, pattern: string, target: string): boolean =>
  compilePatterns(namespace, [pattern]).matches(target);

/** The grammar once more, as a regular expression. */
function toRegExp(glob: string): RegExp {
  const token = /(?:\/\*{2,})+$|\/(?:\*{2,}\/)+|\*{2,}|./gsu;
  const whole = glob.replace(token, (found, at: number) => {
    if (found === "?") return "[^/]";
    if (found === "*") return "[^/]*";
    if (found.startsWith("**")) return ".*";
    if (found.startsWith("/**")) return found.endsWith("/") ? "/(?:.*/)?" : at === 0 ? "/.*" : "(?:/.*)?";
    return found === "/" ? "/" : `\\u{${found.codePointAt(0)?.toString(16)}}`;
  });
  return new RegExp(`^${whole}$`, "su");
}

/** Every text of at most `length` of these characters. */
function textsOf(alphabet: readonly string[], length: number): readonly string[] {
  let last = [""];
  const all = [...last];
  for (let size = 1; size <= length; size++) {
    last = last.flatMap((text) => alphabet.map((character) => text + character));
    all.push(...last);
  }
  return all;
}

const globText = fc
  .array(fc.constantFrom("a", "b", "/", "?", "*", "**", "/**/", "/**", "🦊"), { minLength: 1, maxLength: 8 })
  .map((parts) => parts.join(""));

describe("a glob [arcp-9.2-namespaces]", () => {
  test.each([
    ["fs.read", "/a", "/a", true],
    ["fs.read", "/a", "/ab", false],
    ["fs.read", "/a?", "/ab", true],
    ["fs.read", "/a?", "/a", false],
    ["fs.read", "/a?", "/a🦊", true],
    ["fs.read", "/a?b", "/a/b", false],
    ["fs.read", "/*", "/", true],
    ["fs.read", "/a/*", "/a/b", true],
    ["fs.read", "/a/*", "/a", false],
    ["fs.read", "/a/*", "/a/b/c", false],
    ["fs.read", "/a/*.ts", "/a/x.ts", true],
    ["fs.read", "/a/*.ts", "/a/b/x.ts", false],
    ["fs.read", "/a/**/b", "/a/b", true],
    ["fs.read", "/a/**/b", "/a/x/b", true],
    ["fs.read", "/a/**/b", "/a/x/y/b", true],
    ["fs.read", "/a/**/b", "/a/xb", false],
    ["fs.read", "/a/**/b", "/a/x/yb", false],
    ["fs.read", "/a/**/**/b", "/a/b", true],
    ["fs.read", "/a/**", "/a", true],
    ["fs.read", "/a/**", "/a/b/c", true],
    ["fs.read", "/a/**", "/ab", false],
    ["fs.read", "/*/**", "/a", true],
    ["fs.read", "/a**", "/a/b", true],
    ["fs.read", "/a***", "/a/b", true],
    ["fs.read", "/**", "/", true],
    ["fs.read", "/**", "/a/b", true],
    ["fs.read", "**", "/a/b", true],
    ["fs.read", "/A", "/a", false],
    ["fs.read", "/a{b,c}[d]\\*", "/a{b,c}[d]\\x", true],
    ["fs.read", "/a.c", "/abc", false],
    ["tool.call", "*", "a/b", true],
    ["tool.call", "search", "search", true],
    ["tool.call", "search", "research", false],
    ["model.use", "tier/*", "tier/a", true],
    ["model.use", "tier/*", "tier/a/b", false],
    ["model.use", "anthropic/claude-3-opus-*", "anthropic/claude-3-opus-20240229", true],
    ["model.use", "*", "anthropic/claude", true],
    ["model.use", "**", "anthropic/claude", true],
    ["x-acme.db", "*", "a/b", true],
    ["x-acme.db", "users/**", "users", true],
    ["agent.delegate", "planner", "planner@1.0.0", true],
    ["agent.delegate", "planner", "planner2@1.0.0", false],
    ["agent.delegate", "plan*", "planner@1.0.0", true],
    ["agent.delegate", "planner@1.*", "planner@1.2.0", true],
    ["agent.delegate", "planner@1.*", "planner@2.0.0", false],
    ["agent.delegate", "*", "planner@2.0.0", true],
    ["net.fetch", "https://x.org/**", "https://x.org/", true],
    ["net.fetch", "https://x.org/**", "https://x.org/a/b", true],
    ["net.fetch", "https://x.org/**", "http://x.org/a", false],
    ["net.fetch", "https://x.org/**", "https://x.org:8443/a", false],
    ["net.fetch", "https://x.org/**", "https://x.org.evil.com/a", false],
    ["net.fetch", "https://x.org:443/**", "https://x.org/a", true],
    ["net.fetch", "http://x.org:080/**", "http://x.org/a", true],
    ["net.fetch", "https://x.org:*/**", "https://x.org/a", true],
    ["net.fetch", "https://x.org:*/**", "https://x.org:8443/a", true],
    ["net.fetch", "https://*.x.org/**", "https://a.b.x.org/c/d", true],
    ["net.fetch", "https://*.x.org/**", "https://x.org/", false],
    ["net.fetch", "https://*.x.org/**", "https://evil.org/.x.org/", false],
    ["net.fetch", "http://*/**", "http://x.org:6379/", false],
    ["net.fetch", "http://127.0.0.*/**", "http://127.0.0.1:6379/", false],
    ["net.fetch", "HTTPS://X.Org/A", "https://x.org/A", true],
    ["net.fetch", "https://bücher.de/*", "https://xn--bcher-kva.de/a", true],
    ["net.fetch", "http://[::0001]:80/*", "http://[::1]/a", true],
    ["net.fetch", "http://127.1/*", "http://127.0.0.1/a", true],
    ["net.fetch", "https://x.org/é/%7euser/%c3", "https://x.org/%C3%A9/~user/%C3", true],
    ["net.fetch", "https://x.org/v?/*", "https://x.org/v1/a", true],
    ["net.fetch", "**", "http://x.org:6379/a", true],
    ["net.fetch", "**", "https://x.org/", true],
  ])("of %s: %s and %s: %j", (namespace, pattern, target, expected) => {
    expect(findPatternProblem(namespace, pattern)).toBeUndefined();
    expect(isMatch(namespace, pattern, target)).toBe(expected);
  });

  test("matches what its regular expression does", () => {
    const texts = textsOf(["a", "b", "/", "🦊"], 5);
    fc.assert(
      fc.property(globText, (glob) => {
        const matcher = new GlobMatcher([parseGlob(glob)]);
        const expression = toRegExp(glob);
        const set = compilePatterns("x-a.b", [glob]);
        for (const text of texts) {
          if (matcher.matches(codePointsOf(text), [0]) !== expression.test(text)) return false;
          if (glob !== "*" && text !== "" && set.matches(text) !== expression.test(text)) return false;
        }
        return true;
      }),
      { numRuns: 60 },
    );
  });

  test("beyond 32 tokens too, wherever words begin and end", () => {
    const piece = fc.constantFrom("a", "aaaaaaaaaaaaaaa", "/", "?", "*", "/**/", "b");
    const globs = fc.array(piece, { minLength: 4, maxLength: 14 }).map((parts) => parts.join(""));
    const text = fc
      .array(fc.constantFrom("a", "aaaaaaaaaaaaaaa", "/", "b", "ab"), { maxLength: 14 })
      .map((parts) => parts.join(""));
    fc.assert(
      fc.property(globs, text, fc.boolean(), (glob, other, isDerived) => {
        const target = isDerived ? glob.replaceAll("/**/", "/x/").replaceAll("?", "b").replaceAll("*", "ab") : other;
        return new GlobMatcher([parseGlob(glob)]).matches(codePointsOf(target), [0]) === toRegExp(glob).test(target);
      }),
      { numRuns: 2_000 },
    );
  });

  test("several of them at a time, of which any is enough, and only those that are asked about", () => {
    const piece = fc.constantFrom("a", "aaaaaaaaaaaaaaa", "/", "?", "*", "/**/", "b");
    const globs = fc.array(
      fc.array(piece, { minLength: 1, maxLength: 6 }).map((parts) => parts.join("")),
      {
        minLength: 1,
        maxLength: 8,
      },
    );
    const text = fc
      .array(fc.constantFrom("a", "aaaaaaaaaaaaaaa", "/", "b", "ab"), { maxLength: 6 })
      .map((parts) => parts.join(""));
    fc.assert(
      fc.property(globs, fc.array(text, { minLength: 8, maxLength: 8 }), fc.nat(255), (all, targets, asked) => {
        const places = [...all.keys()].filter((place) => (asked >> place) & 1);
        const machine = new GlobMatcher(all.map(parseGlob));
        const set = compilePatterns("x-a.b", all);
        for (const target of targets) {
          const matching = all.map((glob) => toRegExp(glob).test(target));
          if (machine.matches(codePointsOf(target), places) !== places.some((place) => matching[place])) return false;
          const expected = target !== "" && (matching.includes(true) || all.includes("*"));
          if (set.matches(target) !== expected) return false;
        }
        return true;
      }),
      { numRuns: 1_000 },
    );
  });

  test("takes a surrogate pair for one character, and half of one for none of it", () => {
    const pair = "🦊";
    expect(isMatch("tool.call", "?", pair)).toBe(true);
    expect(isMatch("tool.call", "??", pair)).toBe(false);
    expect(isMatch("tool.call", `${pair}*`, `${pair}s`)).toBe(true);
    const [high = "", low = ""] = [pair.slice(0, 1), pair.slice(1)];
    expect(findPatternProblem("tool.call", `${high}*`)).toContain("well-formed");
    expect(isMatch("tool.call", `${high}*`, pair)).toBe(false);
    expect(isMatch("tool.call", "?", low)).toBe(true);
  });

  test("never matches the empty target", () => {
    for (const pattern of ["*", "**", "/**", "?"]) expect(isMatch("x-a.b", pattern, "")).toBe(false);
  });
});

describe("the cost of matching", () => {
  const words = (length: number): number => (length >>> 5) + 1;
  const longest = LEASE_LIMITS.patternLength;

  test.each([
    ["stars between letters", "*a*a*a*a*b", "a".repeat(MAX_TARGET_LENGTH)],
    ["as many as fit", `${"*a".repeat(longest / 2 - 1)}*b`, "a".repeat(MAX_TARGET_LENGTH)],
    ["a star before letters", `*${"a".repeat(longest - 2)}b`, "a".repeat(MAX_TARGET_LENGTH)],
    ["segments that cross", "**/".repeat(longest / 3), "/".repeat(MAX_TARGET_LENGTH)],
    ["crossing and staying", "**/*a/".repeat(longest / 6), "a/".repeat(MAX_TARGET_LENGTH / 2)],
    ["question marks", `**${"?".repeat(longest - 3)}b`, "a".repeat(MAX_TARGET_LENGTH)],
    ["stars alone", "**/**/**", "a/".repeat(MAX_TARGET_LENGTH / 2)],
  ])("is linear with %s", (_what, glob, target) => {
    const effort: Effort = { steps: 0 };
    compilePatterns("x-a.b", [glob]).matches(target, effort);
    expect(effort.steps).toBeLessThanOrEqual(words(glob.length) * target.length);
  });

  test("[attack-slow-patterns] of a lease's every pattern at its limits is bounded", () => {
    const glob = `${"*a".repeat(longest / 2 - 1)}*b`;
    const patterns = new Array<string>(LEASE_LIMITS.patternsLength / longest).fill(glob);
    const effort: Effort = { steps: 0 };
    expect(compilePatterns("x-a.b", patterns).matches("a".repeat(MAX_TARGET_LENGTH), effort)).toBe(false);
    expect(effort.steps).toBeGreaterThan(MAX_TARGET_LENGTH);
    expect(effort.steps).toBeLessThan(5_000_000);
  });

  test("is none for the common ones: no wildcard, a single star, everything below a directory", () => {
    const effort: Effort = { steps: 0 };
    const set = compilePatterns("fs.read", ["/etc/hosts", "/workspace/**", "/tmp/a*.ts"]);
    for (const target of ["/etc/hosts", "/workspace", "/workspace/a/b", "/tmp/a1.ts", "/home"])
      set.matches(target, effort);
    expect(effort.steps).toBe(0);
  });
});

describe("a pattern that could not mean what it says", () => {
  test.each([
    ["fs.read", "a/**", "begin with /"],
    ["fs.write", "*", "begin with /"],
    ["fs.read", "*/a", "begin with /"],
    ["fs.read", "C:\\a", "begin with /"],
    ["fs.read", "/a/", "/a/**"],
    ["fs.read", "/a//b", "empty"],
    ["fs.read", "//a", "empty"],
    ["fs.read", "/a/../b", ".."],
    ["fs.read", "/./a", ".."],
    ["fs.read", "/a/..", ".."],
    ["net.fetch", "*", "**"],
    ["net.fetch", "https://**", "must have a path"],
    ["net.fetch", "x.org/**", "http or https"],
    ["net.fetch", "s3://x/**", "http or https"],
    ["net.fetch", "*://x/**", "http or https"],
    ["net.fetch", "https://x.org", "https://x.org/**"],
    ["net.fetch", "https:///a", "host"],
    ["net.fetch", "https://x**/a", "host"],
    ["net.fetch", "https://*.bücher.de/a", "xn--"],
    ["net.fetch", "https://x.org:70000/a", "port"],
    ["net.fetch", "https://x.org:8*/a", "port"],
    ["net.fetch", "https://x.org:/a", "port"],
    ["net.fetch", "https://[::*]/a", "host"],
    ["net.fetch", "https://a b/", "host"],
    ["net.fetch", "https://a\tb/", "host"],
    ["net.fetch", "https://a#b/", "host"],
    ["net.fetch", "https://a\\b/", "host"],
    ["net.fetch", "https://me@x.org/a", "user name"],
    ["net.fetch", "https://*@x.org/a", "user name"],
    ["net.fetch", "https://x.org/a#b", "fragment"],
    ["net.fetch", "https://x.org/a\\b", "\\"],
    ["net.fetch", "https://x.org/a?b=*", "query"],
    ["net.fetch", "https://x.org/a/../b", ".."],
    ["net.fetch", "https://x.org/%2e%2e/b", ".."],
    ["net.fetch", "https://x.org/a%2*", "%"],
  ])("of %s: %s is refused", (namespace, pattern, right) => {
    expect(findPatternProblem(namespace, pattern)).toContain(right);
    for (const target of ["/a/b", "/b", "https://x.org/a", "https://x.org/b"]) {
      expect(isMatch(namespace, pattern, target)).toBe(false);
    }
  });

  test("is found, or none is, in any text, and never thrown over", () => {
    const namespace = fc.constantFrom("fs.read", "net.fetch", "tool.call", "agent.delegate");
    const near = fc
      .constantFrom("https://", "/", "*", "[", "]", ":", "@", "%", ".", "a", "🦊", "\ud800")
      .chain((first) => fc.string({ unit: "binary", maxLength: 8 }).map((rest) => first + rest));
    fc.assert(
      fc.property(namespace, fc.array(near, { maxLength: 4 }), fc.webUrl(), (name, parts, target) => {
        const pattern = `${parts.join("")}`;
        const problem = findPatternProblem(name, pattern);
        expect(problem === undefined || /^must /.test(problem)).toBe(true);
        compilePatterns(name, [pattern]).matches(target);
      }),
    );
  });
});
