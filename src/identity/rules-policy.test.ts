import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { covers } from "../kernel/authority/covers.ts";
import { LEASE_LIMITS, parseLease } from "../kernel/authority/lease.ts";
import type { PolicyDecision, PolicyRequest } from "../kernel/authority/policy.ts";
import { readDecision } from "../kernel/authority/policy-decision.ts";
import { principalOf } from "../kernel/principal.ts";
import type { PolicyRule } from "./policy-rules.ts";
import { createRulesPolicy } from "./rules-policy.ts";

const NOW = Date.UTC(2026, 0, 1);

interface Ask extends Partial<Omit<PolicyRequest, "lease" | "principal">> {
  readonly who?: string;
  readonly roles?: string;
  readonly lease?: object;
  /** Seconds from now. */
  readonly ends?: number;
}

function requestOf({ who = "acme/ada", roles = "user", lease, ends, ...fields }: Ask): PolicyRequest {
  const constraints = ends === undefined ? undefined : { expires_at: new Date(NOW + ends * 1_000).toISOString() };
  return {
    kind: "submit",
    principal: principalOf(who, roles),
    agent: "report@1.0.0",
    lease: lease === undefined && constraints === undefined ? null : parseLease(lease, constraints, NOW),
    maxRuntimeSec: null,
    anyModel: false,
    inheritedBudget: {},
    at: NOW,
    ...fields,
  };
}

/** What the kernel makes of it: nothing that rules say is ever a fault. */
function decide(rules: readonly PolicyRule[], ask: Ask): PolicyDecision {
  const request = requestOf(ask);
  const { decision, fault } = readDecision(createRulesPolicy({ rules }).decide(request), request);
  expect(fault).toBeUndefined();
  return decision;
}

const ruleFor = (rules: readonly PolicyRule[], ask: Ask): string | undefined => decide(rules, ask).rule;

function granted(rule: Omit<PolicyRule, "name">, ask: Ask) {
  const decision = decide([{ name: "r", ...rule }], ask);
  if (!decision.allowed) throw new Error(decision.reason);
  const { lease, maxRuntimeSec } = decision;
  const ends = lease?.expiresAt == null ? undefined : (lease.expiresAt - NOW) / 1_000;
  return { grants: lease?.grants, ends, maxRuntimeSec };
}

function reasonOf(rule: Omit<PolicyRule, "name">, ask: Ask): string | undefined {
  const decision = decide([{ name: "r", ...rule }], ask);
  return decision.allowed ? undefined : decision.reason;
}

describe("the first rule that fits", () => {
  const rules: readonly PolicyRule[] = [
    { name: "broken", agents: ["report@0.*"], refuse: "it loses files" },
    { name: "operators", roles: ["operator"], agents: ["report"] },
    { name: "ci", principals: ["acme/ci", "other/ci"] },
    { name: "acme", principals: ["acme/*"], roles: ["user"] },
  ];

  it("decides: by principal, tenant, role and agent, all that it names", () => {
    expect(ruleFor(rules, {})).toBe("acme");
    expect(ruleFor(rules, { who: "acme/ci" })).toBe("ci");
    expect(ruleFor(rules, { who: "other/ci", agent: "else@2.0.0" })).toBe("ci");
    expect(ruleFor(rules, { roles: "user operator" })).toBe("operators");
    expect(ruleFor(rules, { roles: "operator", agent: "else@1.0.0", who: "other/x" })).toBeUndefined();
    expect(ruleFor(rules, { roles: "", who: "acme/x" })).toBeUndefined();
  });

  it("may refuse, and says why", () => {
    const ask = { roles: "operator", agent: "report@0.9.0" };
    expect(decide(rules, ask)).toEqual({ allowed: false, rule: "broken", reason: "it loses files" });
  });

  it("is looked for in vain: then it is refused", () => {
    const reason = "no rule of it is for this principal and agent";
    expect(decide(rules, { who: "acmee/ada" })).toEqual({ allowed: false, reason });
    expect(decide([], {})).toEqual({ allowed: false, reason });
  });

  it("allows all that it does not bound", () => {
    const lease = { "fs.read": ["/**"], "model.use": ["*"], "cost.budget": ["USD:1000000"] };
    const decision = decide([{ name: "r" }], { lease, ends: 1e8, maxRuntimeSec: 1e8 });
    expect(decision).toMatchObject({ allowed: true, lease: { grants: lease, expiresAt: NOW + 1e11 } });
  });
});

describe("a ceiling on patterns", () => {
  const lease = { "fs.read": ["/w/**", "/x/a?"], "tool.call": ["look", "list-*"] };

  it("leaves what lies within", () => {
    const asked = { "fs.read": ["/w/a/*", "/x/ab"], "tool.call": ["list-a*"] };
    expect(granted({ lease }, { lease: asked }).grants).toEqual(asked);
    expect(granted({ lease }, {}).grants).toBeUndefined();
  });

  it("refuses what lies beyond, and names it", () => {
    expect(reasonOf({ lease }, { lease: { "fs.read": ["/w/a", "/**"] } })).toBe(
      "fs.read /** lies beyond what may be granted, /w/**, /x/a?",
    );
    expect(reasonOf({ lease }, { lease: { "net.fetch": ["https://a.example/"] } })).toContain("nothing of it");
  });

  it.each([
    ["to what it covers", { "fs.read": ["/**"] }, { "fs.read": ["/w/**", "/x/a?"] }],
    ["to those within", { "fs.read": ["/w/b", "/y/**"] }, { "fs.read": ["/w/b"] }],
    ["to each once", { "fs.read": ["/w/**", "/**", "**"] }, { "fs.read": ["/w/**", "/x/a?"] }],
    ["to nothing where both merely overlap", { "fs.read": ["/*/ab"] }, {}],
    ["by namespace", { "fs.write": ["/w/**"], "tool.call": ["*"] }, { "tool.call": ["look", "list-*"] }],
  ])("cuts, where it says so, %s", (_what, asked, left) => {
    expect(granted({ lease, beyond: "cut" }, { lease: asked }).grants).toEqual(left);
  });

  it("cuts no more than it has time for", () => {
    const many = (prefix: string) =>
      Array.from({ length: LEASE_LIMITS.patterns }, (_, each) => `/${prefix}${each}/*/**`);
    const rule = { lease: { "fs.read": many("**/a") }, beyond: "cut" } as const;
    expect(reasonOf(rule, { lease: { "fs.read": many("**/b") } })).toContain("takes too long to be cut");
  });

  it("[arcp-9.7-absence-forbids] is for models as well where a lease need not name them", () => {
    const models = { lease: { "model.use": ["mini/*"] } };
    expect(granted(models, { anyModel: true }).grants).toEqual({ "model.use": ["mini/*"] });
    expect(granted(models, { anyModel: false }).grants).toBeUndefined();
    expect(granted({ lease }, { anyModel: true, lease: { "tool.call": ["look"] } }).grants).toEqual({
      "tool.call": ["look"],
      "model.use": [],
    });
    const cut = granted({ ...models, beyond: "cut" }, { anyModel: true, lease: { "model.use": ["maxi/*"] } });
    expect(cut.grants).toEqual({ "model.use": [] });
  });

  it("never leaves more than was asked for, nor more than itself", () => {
    const pattern = fc
      .array(fc.constantFrom("a", "b", "*", "**", "?", "a*"), { minLength: 1, maxLength: 3 })
      .map((segments) => `/${segments.join("/")}`);
    const patterns = fc.uniqueArray(pattern, { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(patterns, patterns, (own, asked) => {
        const { grants } = granted({ lease: { "fs.read": own }, beyond: "cut" }, { lease: { "fs.read": asked } });
        for (const left of grants?.["fs.read"] ?? []) {
          expect(covers("fs.read", own, left)).toBe("yes");
          expect(covers("fs.read", asked, left)).toBe("yes");
        }
      }),
      { numRuns: 500 },
    );
  });
});

describe("[arcp-14-bounds-sized] bounds on money and time", () => {
  const rule = { budget: { USD: "5.00" }, maxLeaseSec: 60, maxRuntimeSec: 30 };
  const cut = { ...rule, beyond: "cut" } as const;

  it("are set where the request leaves them open", () => {
    const left = { grants: { "cost.budget": ["USD:5"] }, ends: 60, maxRuntimeSec: 30 };
    expect(granted(rule, {})).toEqual(left);
    expect(granted(cut, {})).toEqual(left);
  });

  it("leave what is within, and other currencies", () => {
    const ask = { lease: { "cost.budget": ["USD:4.99", "EUR:100"] }, ends: 59, maxRuntimeSec: 29 };
    expect(granted(rule, ask)).toEqual({ grants: ask.lease, ends: 59, maxRuntimeSec: 29 });
  });

  it("refuse what is more", () => {
    expect(reasonOf(rule, { lease: { "cost.budget": ["USD:5.01"] } })).toBe("a budget of USD:5.01 is more than USD:5");
    expect(reasonOf(rule, { ends: 61 })).toBe(
      "expires_at 2026-01-01T00:01:01.000Z lies beyond 2026-01-01T00:01:00.000Z",
    );
    expect(reasonOf(rule, { maxRuntimeSec: 31 })).toBe("max_runtime_sec 31 lies beyond 30");
  });

  it("cut what is more, where they say so", () => {
    const ask = { lease: { "cost.budget": ["USD:5.01"] }, ends: 61, maxRuntimeSec: 31 };
    expect(granted(cut, ask)).toEqual({ grants: { "cost.budget": ["USD:5"] }, ends: 60, maxRuntimeSec: 30 });
  });

  it("refuse where the currencies that they bound would be too many", () => {
    const many = Array.from({ length: LEASE_LIMITS.currencies }, (_, each) => `C${each}:1`);
    expect(reasonOf(rule, { lease: { "cost.budget": many } })).toContain("more than 16");
  });

  it("leave a child the counter above it, unless that has more left", () => {
    const child = (left: string) => granted(rule, { kind: "delegate", inheritedBudget: { USD: left } }).grants;
    expect(child("5")).toEqual({});
    expect(child("-0.5")).toEqual({});
    expect(child("5.01")).toEqual({ "cost.budget": ["USD:5"] });
  });
});

describe("a permission", () => {
  const rule = { lease: { "fs.write": ["/w/**"], "tool.call": ["refund"] }, maxLeaseSec: 60 };
  const ask = (permission: string, resource: string, ends?: number): Ask => ({
    kind: "permission",
    permission: { permission, resource, operation: "x" },
    ...(ends !== undefined && { ends }),
  });

  it("has to be within the ceiling, whatever its operation", () => {
    expect(reasonOf(rule, ask("fs.write", "/w/a"))).toBeUndefined();
    expect(reasonOf(rule, ask("fs.write", "/x"))).toBe("fs.write on /x lies beyond what may be granted, /w/**");
    expect(reasonOf(rule, ask("net.fetch", "https://a.example/"))).toContain("nothing of it");
    expect(reasonOf({}, ask("fs.write", "/x"))).toBeUndefined();
    expect(reasonOf({ refuse: "never" }, ask("fs.write", "/w/a"))).toBe("never");
  });

  it("is for a name as it is, and no pattern", () => {
    expect(reasonOf(rule, ask("tool.call", "*"))).toContain("lies beyond");
  });

  it("ends in time", () => {
    expect(reasonOf(rule, ask("fs.write", "/w/a", 61))).toContain("expires_at");
    expect(granted({ ...rule, beyond: "cut" }, ask("fs.write", "/w/a", 61)).ends).toBe(60);
  });
});
