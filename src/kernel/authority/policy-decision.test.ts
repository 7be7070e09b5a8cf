import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createCover } from "./covers.ts";
import { parseAmount } from "./decimal.ts";
import { type Lease, parseLease } from "./lease.ts";
import type { PolicyRequest } from "./policy.ts";
import { readDecision } from "./policy-decision.ts";

const NOW = Date.UTC(2026, 0, 1);
const HOUR = 3_600_000;

const asked = parseLease(
  { "fs.read": ["/a/**", "/b/*"], "model.use": ["mini/*"], "cost.budget": ["USD:5.00"] },
  { expires_at: new Date(NOW + HOUR).toISOString() },
  NOW,
);

function request(fields: Partial<PolicyRequest> = {}): PolicyRequest {
  return {
    kind: "submit",
    principal: { id: "ada", tenant: "t", roles: ["user"] },
    agent: "report@1.0.0",
    lease: asked,
    maxRuntimeSec: null,
    anyModel: false,
    inheritedBudget: {},
    at: NOW,
    ...fields,
  };
}

const allow = (lease: unknown, more: object = {}): unknown => ({ allowed: true, lease, ...more });
const grantedBy = (answer: unknown, fields?: Partial<PolicyRequest>): Lease | null => {
  const { decision, fault } = readDecision(answer, request(fields));
  if (!decision.allowed) throw new Error(fault ?? decision.reason);
  return decision.lease;
};
const faultOf = (answer: unknown, fields?: Partial<PolicyRequest>): string | undefined =>
  readDecision(answer, request(fields)).fault;

describe("a decision that takes nothing", () => {
  it("is the very lease that was asked for, also when it is a copy", () => {
    expect(grantedBy(allow(asked))).toBe(asked);
    expect(grantedBy(allow(structuredClone(asked)))).toBe(asked);
    expect(grantedBy(allow(null), { lease: null })).toBeNull();
    expect(grantedBy(allow({ grants: {}, budget: null, expiresAt: null }), { lease: null })).toBeNull();
  });

  it("keeps its bounds for others to read", () => {
    const { decision } = readDecision(allow(asked, { maxRuntimeSec: 60, maxJobs: 3, rule: "team" }), request());
    expect(decision).toEqual({ allowed: true, lease: asked, maxRuntimeSec: 60, maxJobs: 3, rule: "team" });
  });
});

describe("a decision that takes something", () => {
  it("is echoed with the amounts that are in force", () => {
    const lease = grantedBy(allow({ ...asked, budget: { USD: "2", EUR: "1.50" } }));
    expect(lease?.budget).toEqual({ USD: "2", EUR: "1.5" });
    expect(lease?.grants["cost.budget"]).toEqual(["USD:2", "EUR:1.5"]);
  });

  it("keeps the amounts as they were written where they are the same", () => {
    const lease = grantedBy(allow({ ...asked, grants: { "fs.read": ["/b/c"] } }));
    expect(lease?.grants).toEqual({ "fs.read": ["/b/c"], "cost.budget": ["USD:5.00"] });
  });

  it("may end earlier, and where nothing was asked for at all", () => {
    const lease = grantedBy(allow({ ...asked, expiresAt: NOW + 1_000 }));
    expect(lease).toMatchObject({ expiresAt: NOW + 1_000, expiresAtText: "2026-01-01T00:00:01.000Z" });
    const bounds = { grants: {}, expiresAt: NOW + 1_000, budget: { USD: "1" } };
    expect(grantedBy(allow(bounds), { lease: null })).toMatchObject({
      grants: { "cost.budget": ["USD:1"] },
      expiresAt: NOW + 1_000,
    });
  });

  it("may name models where every model was allowed", () => {
    const lease = { ...asked, grants: { "fs.read": ["/a/**"] } };
    const left = { ...lease, grants: { ...lease.grants, "model.use": ["mini/x"] } };
    expect(grantedBy(allow(left), { lease, anyModel: true })?.grants["model.use"]).toEqual(["mini/x"]);
    const none = { ...lease, grants: { ...lease.grants, "model.use": [] } };
    expect(grantedBy(allow(none), { lease, anyModel: true })?.grants["model.use"]).toEqual([]);
  });

  it("is about the end alone for a permission", () => {
    const lease: Lease = { grants: {}, budget: null, expiresAt: NOW + HOUR, expiresAtText: null };
    const earlier = { ...lease, grants: { "fs.read": ["/**"] }, expiresAt: NOW + 5 };
    expect(grantedBy(allow(earlier), { kind: "permission", lease })).toMatchObject({ grants: {}, expiresAt: NOW + 5 });
    expect(grantedBy(allow(lease), { kind: "permission", lease })).toBe(lease);
    expect(faultOf(allow({ ...lease, expiresAt: NOW + HOUR + 1 }), { kind: "permission", lease })).toContain("end");
  });
});

describe("a decision that gives more than was asked for", () => {
  const { "model.use": _models, ...modelless } = asked.grants;
  const gifts: readonly (readonly [string, unknown, Partial<PolicyRequest>?])[] = [
    ["a wider pattern", { ...asked, grants: { "fs.read": ["/a/**", "/b/**"] } }],
    ["another namespace", { ...asked, grants: { ...asked.grants, "fs.write": ["/a/**"] } }],
    ["a model", { ...asked, grants: { ...asked.grants, "model.use": ["**"] } }],
    ["models that were not asked for", { ...asked, grants: { "model.use": ["mini/*"] } }, { lease: null }],
    ["every model", { ...asked, grants: modelless }, { anyModel: true }],
    ["a later end", { ...asked, expiresAt: NOW + HOUR + 1 }],
    ["no end", { ...asked, expiresAt: null }],
    ["more money", { ...asked, budget: { USD: "5.000000000000000001" } }],
    ["money without a bound", { ...asked, budget: null }],
    ["nothing of the lease, bounds included", null],
    ["patterns to a job without a lease", asked, { lease: null }],
  ];
  it.each(gifts.map(([what, ...gift]) => [what, gift] as const))("is a refusal: %s", (_what, [lease, fields]) => {
    const { decision, fault } = readDecision(allow(lease, { rule: "r" }), request(fields));
    expect(decision).toMatchObject({ allowed: false, rule: "r" });
    expect(fault).toContain("more than was asked for");
  });

  it("never gets through, whatever the policy says", () => {
    const PATTERNS = ["/**", "/a/**", "/a/*", "/a/?", "/*/x", "/b/*", "/b/c", "**"];
    const MODELS = ["*", "mini/*", "mini/a", "m*/?"];
    const amount = fc.integer({ min: 0, max: 9 }).map(String);
    const leases = fc.record({
      grants: fc.record(
        {
          "fs.read": fc.uniqueArray(fc.constantFrom(...PATTERNS), { minLength: 1, maxLength: 3 }),
          "model.use": fc.uniqueArray(fc.constantFrom(...MODELS), { minLength: 1, maxLength: 2 }),
        },
        { requiredKeys: [] },
      ),
      expiresAt: fc.option(fc.integer({ min: NOW + 1, max: NOW + 5 })),
      budget: fc.record({ USD: amount, EUR: amount }, { requiredKeys: [] }),
    });
    fc.assert(
      fc.property(fc.option(leases), fc.option(leases), fc.boolean(), (wanted, given, anyModel) => {
        const before = wanted && leaseFrom(wanted);
        const { decision } = readDecision(allow(given), request({ lease: before, anyModel }));
        if (!decision.allowed) return;
        const { lease } = decision;
        for (const [namespace, patterns] of Object.entries(lease?.grants ?? {})) {
          if (namespace === "cost.budget") continue;
          const free = namespace === "model.use" && anyModel && before?.grants[namespace] === undefined;
          const cover = createCover(namespace, free ? ["**"] : (before?.grants[namespace] ?? []));
          expect(patterns.every((pattern) => cover.covers(pattern) === "yes")).toBe(true);
        }
        if (anyModel && before?.grants["model.use"] !== undefined) expect(lease?.grants["model.use"]).toBeDefined();
        expect(lease?.expiresAt ?? Infinity).toBeLessThanOrEqual(before?.expiresAt ?? Infinity);
        for (const [currency, most] of Object.entries(before?.budget ?? {})) {
          expect(parseAmount(lease?.budget?.[currency] ?? "99", currency) <= parseAmount(most, currency)).toBe(true);
        }
        const texts = Object.entries(lease?.budget ?? {}).map(([currency, each]) => `${currency}:${each}`);
        expect(lease?.grants["cost.budget"] ?? []).toEqual(texts);
      }),
      { numRuns: 2_000 },
    );
  });
});

function leaseFrom(fields: {
  grants: object;
  expiresAt: number | null;
  budget: Readonly<Record<string, string>>;
}): Lease {
  const amounts = Object.entries(fields.budget).map(([currency, amount]) => `${currency}:${amount}`);
  const constraints = fields.expiresAt === null ? {} : { expires_at: new Date(fields.expiresAt).toISOString() };
  const grants = { ...fields.grants, ...(amounts.length > 0 && { "cost.budget": amounts }) };
  return parseLease(grants, constraints, NOW);
}

describe("what is no decision", () => {
  it.each<readonly [string, unknown]>([
    ["nothing", undefined],
    ["null", null],
    ["a yes", true],
    ["a list", []],
    ["nothing decided", {}],
    ["a yes in words", { allowed: "true", lease: null }],
    ["a refusal without a reason", { allowed: false }],
    ["no lease named", { allowed: true }],
    ["a lease in words", allow("/**")],
    ["no grants", allow({ expiresAt: null, budget: null })],
    ["a pattern that is none", allow({ ...asked, grants: { "fs.read": ["a/b"] } })],
    ["a namespace that is none", allow({ ...asked, grants: { "fs.exec": ["/a"] } })],
    ["patterns in words", allow({ ...asked, grants: { "fs.read": "/a/b" } })],
    ["an amount that is none", allow({ ...asked, budget: { USD: "-1" } })],
    ["an end that is none", allow({ ...asked, expiresAt: "soon" })],
    ["an end that is no time", allow({ ...asked, expiresAt: Number.MAX_SAFE_INTEGER })],
    ["an end that has passed", allow({ ...asked, expiresAt: NOW })],
    ["a run of no length", allow(asked, { maxRuntimeSec: 0 })],
    ["a run without end, nearly", allow(asked, { maxRuntimeSec: 1e12 })],
    ["jobs below zero", allow(asked, { maxJobs: -1 })],
    ["a rule that is no text", allow(asked, { rule: 7 })],
  ])("is told as such: %s", (_what, answer) => {
    expect(() => readDecision(answer, request())).toThrow();
  });
});
