import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { CodedError } from "../../protocol/errors.ts";
import { LEASE_LIMITS, type Lease, parseLease } from "./lease.ts";
import { compilePatterns } from "./patterns.ts";
import { deriveLease } from "./sub-lease.ts";

const NOW = Date.UTC(2026, 4, 13, 19, 30);
const EARLY = "2026-05-13T20:00:00Z";
const LATE = "2026-05-13T23:42:00Z";

const lease = (request: object, expires_at?: string): Lease => parseLease(request, { expires_at }, NOW);

function refusal(
  parent: Lease | null,
  request: unknown,
  constraints?: unknown,
  options?: { requireModelUse?: boolean },
) {
  try {
    deriveLease(parent, request, constraints, NOW, options);
    return undefined;
  } catch (error) {
    if (!(error instanceof CodedError)) throw error;
    return error;
  }
}

const PARENT = {
  "fs.read": ["/workspace/**", "/etc/hosts"],
  "net.fetch": ["https://*.x.org/**"],
  "tool.call": ["*"],
  "agent.delegate": ["worker"],
  "model.use": ["tier-fast/*"],
  "cost.budget": ["USD:5.00"],
  "x-acme.db": ["users/*"],
};

describe("a delegated lease [arcp-9.4-subset] [arcp-9.4-violation] [reading-subset-equality]", () => {
  test.each([
    [{ "fs.read": ["/workspace/src/**", "/etc/hosts"] }],
    [{ "net.fetch": ["https://a.x.org/b/*"] }],
    [{ "tool.call": ["search"], "x-acme.db": ["users/1"] }],
    [{ "agent.delegate": ["worker@1.0.0"] }],
    [PARENT],
    [{}],
  ])("may be %j", (request) => {
    const derived = deriveLease(lease(PARENT), request, undefined, NOW);
    expect(derived?.grants).toEqual({ "model.use": ["tier-fast/*"], ...request });
  });

  test.each([
    ["fs.read", "/workspace2"],
    ["fs.read", "/work*/**"],
    ["fs.read", "**"],
    ["fs.write", "/workspace/a"],
    ["net.fetch", "https://x.org/**"],
    ["net.fetch", "http://a.x.org/**"],
    ["agent.delegate", "*"],
    ["agent.delegate", "worker*"],
    ["x-acme.db", "*"],
    ["x-other.db", "users/1"],
    ["constructor", "a"],
  ])("may not have %s: %s", (capability, pattern) => {
    const error = refusal(lease(PARENT), {
      "tool.call": ["a"],
      [capability]: ["/etc/hosts", pattern].slice(capability === "fs.read" ? 0 : 1),
    });
    if (capability === "constructor") return expect(error?.code).toBe("INVALID_REQUEST");
    const parent_patterns = (PARENT as Record<string, string[]>)[capability] ?? [];
    expect(error).toMatchObject({
      code: "LEASE_SUBSET_VIOLATION",
      retryable: false,
      details: { capability, pattern, parent_patterns },
    });
    expect(error?.message).toContain(pattern);
  });

  test("is refused as a submission would be where it is malformed", () => {
    expect(refusal(lease(PARENT), { "fs.read": ["a"] })).toMatchObject({
      code: "INVALID_REQUEST",
      details: { field: 'lease_request["fs.read"][0]' },
    });
    expect(refusal(lease(PARENT), { "fs.raed": ["/a"] })?.code).toBe("INVALID_REQUEST");
    expect(refusal(lease(PARENT), {}, { expires_at: "2020-01-01T00:00:00Z" })?.code).toBe("INVALID_REQUEST");
    expect(refusal(lease(PARENT), { "cost.budget": ["USD:-1"] })?.code).toBe("INVALID_REQUEST");
  });

  test("takes its amounts as they are, in currencies its parent has no counter for as well", () => {
    const derived = deriveLease(lease(PARENT), { "cost.budget": ["USD:900", "EUR:1"] }, { max_budget: "USD:3" }, NOW);
    expect(derived?.budget).toEqual({ USD: "3", EUR: "1" });
    expect(deriveLease(lease(PARENT), {}, undefined, NOW)?.budget).toBeNull();
  });

  test("has none of a parent without one, but may be bound", () => {
    expect(deriveLease(null, undefined, undefined, NOW)).toBeNull();
    expect(deriveLease(null, null, null, NOW)).toBeNull();
    expect(refusal(null, { "tool.call": ["a"] })).toMatchObject({
      code: "LEASE_SUBSET_VIOLATION",
      details: { capability: "tool.call", pattern: "a", parent_patterns: [] },
    });
    expect(deriveLease(null, { "cost.budget": ["USD:1"] }, { expires_at: EARLY }, NOW)).toMatchObject({
      budget: { USD: "1" },
      expiresAtText: EARLY,
    });
  });

  test("never costs more than it may, however the patterns are written", () => {
    const hard = (from: number): string[] =>
      Array.from({ length: 30 }, (_, index) => `*${"a".repeat(1_000)}${from + index}`);
    const parent = lease({ "x-a.b": hard(0) });
    const error = refusal(parent, {
      "x-a.b": hard(100).map((pattern) => `*${"a".repeat(20)}${pattern.slice(1, 1_000)}`),
    });
    expect(error).toMatchObject({ code: "LEASE_SUBSET_VIOLATION", details: { capability: "x-a.b" } });
    expect(error?.message).toContain("takes too long");
  });

  test("of every pattern its parent has, in any order, is its parent's", () => {
    const many = Array.from(
      { length: LEASE_LIMITS.patterns },
      (_, index) => `/workspace/${index}-${"x".repeat(100)}/*/?.ts`,
    );
    const derived = deriveLease(lease({ "fs.write": many }), { "fs.write": many.toReversed() }, undefined, NOW);
    expect(derived?.grants["fs.write"]).toHaveLength(LEASE_LIMITS.patterns);
  });
});

describe("expiry [arcp-9.4-expiry-within-parent] [arcp-9.4-expiry-inherited]", () => {
  test("may be earlier or the same [arcp-9.4-expiry-earlier]", () => {
    for (const expires_at of [EARLY, LATE, "2026-05-13T23:42:00.000Z"]) {
      expect(deriveLease(lease({}, LATE), {}, { expires_at }, NOW)?.expiresAtText).toBe(expires_at);
    }
    expect(deriveLease(lease({}), {}, { expires_at: EARLY }, NOW)?.expiresAt).toBe(Date.parse(EARLY));
  });

  test("may not be later, by a millisecond even", () => {
    const expires_at = "2026-05-13T23:42:00.001Z";
    expect(refusal(lease({}, LATE), {}, { expires_at })).toMatchObject({
      code: "LEASE_SUBSET_VIOLATION",
      details: { expires_at, parent_expires_at: LATE },
    });
  });

  test("is its parent's where none is asked for", () => {
    for (const [request, constraints] of [
      [undefined, undefined],
      [{}, {}],
      [{}, { expires_at: null }],
    ]) {
      const derived = deriveLease(lease({}, LATE), request, constraints, NOW);
      expect(derived).toMatchObject({ expiresAt: Date.parse(LATE), expiresAtText: LATE });
    }
  });
});

describe("model.use [arcp-9.4-models-within-parent]", () => {
  test("is inherited where it is left out, and narrowed where it is not", () => {
    expect(deriveLease(lease(PARENT), undefined, undefined, NOW)?.grants).toEqual({ "model.use": ["tier-fast/*"] });
    expect(deriveLease(lease(PARENT), { "model.use": ["tier-fast/a"] }, undefined, NOW)?.grants).toEqual({
      "model.use": ["tier-fast/a"],
    });
    for (const pattern of ["tier-slow/a", "tier-fast/**", "*"]) {
      expect(refusal(lease(PARENT), { "model.use": [pattern] })?.code).toBe("LEASE_SUBSET_VIOLATION");
    }
  });

  test("may be named under a parent that does not only where it does not have to be", () => {
    const models = { "model.use": ["any"] };
    for (const parent of [null, lease({})]) {
      expect(refusal(parent, models)?.code).toBe("LEASE_SUBSET_VIOLATION");
      expect(refusal(parent, models, undefined, { requireModelUse: false })).toBeUndefined();
    }
    expect(refusal(lease(PARENT), models, undefined, { requireModelUse: false })?.code).toBe("LEASE_SUBSET_VIOLATION");
  });
});

test("whatever a derived lease allows, down a chain of them, the first one does [law-authority-within-parent]", () => {
  const segment = fc.constantFrom("a", "b", "*", "**", "?", "a*");
  const glob = fc.array(segment, { minLength: 1, maxLength: 3 }).map((parts) => `/${parts.join("/")}`);
  const request = fc.record({ "fs.read": fc.array(glob, { minLength: 1, maxLength: 3 }) });
  const targets = ["/a", "/b", "/c", "/a/a", "/a/b", "/ab/c", "/b/a/a", "/a/x/b", "/a/b/c/d", "/aa/bb/cc"];
  let derivations = 0;
  fc.assert(
    fc.property(request, fc.array(request, { maxLength: 4 }), (first, later) => {
      let current: Lease | null = lease(first);
      for (const next of later) {
        if (refusal(current, next) !== undefined) continue;
        current = deriveLease(current, next, undefined, NOW);
        derivations++;
      }
      const [root, last] = [
        compilePatterns("fs.read", first["fs.read"]),
        compilePatterns("fs.read", current?.grants["fs.read"] ?? []),
      ];
      return targets.every((target) => !last.matches(target) || root.matches(target));
    }),
    { numRuns: 500 },
  );
  expect(derivations).toBeGreaterThan(50);
});
