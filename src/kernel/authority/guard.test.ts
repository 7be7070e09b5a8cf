import { describe, expect, test } from "vitest";
import { CodedError } from "../../protocol/errors.ts";
import { createFakeWorld } from "../../testing/fake-world.ts";
import { parseAmount } from "./decimal.ts";
import { createGuard, type GuardOptions } from "./guard.ts";
import { parseLease } from "./lease.ts";
import { canonicalTarget, MAX_TARGET_LENGTH } from "./targets.ts";

const world = createFakeWorld();
const { clock } = world;

const guardOf = (request: object | null, options: Partial<GuardOptions> = {}) =>
  createGuard({ lease: request && parseLease(request, undefined, clock.now()), expiresAt: null, clock, ...options });

function refusal(guard: ReturnType<typeof createGuard>, namespace: string, target: string) {
  try {
    expect(guard.check({ namespace, target })).toBeUndefined();
    return undefined;
  } catch (error) {
    if (!(error instanceof CodedError)) throw error;
    return error;
  }
}

const spent = { findExhausted: () => ({ currency: "USD", remaining: -parseAmount("0.25", "it") || 0n, job: "job_1" }) };

describe("the guard [arcp-9.1-every-operation-covered] [arcp-9.3-evaluated-first]", () => {
  test.each([
    ["fs.read", ["/workspace/**"], "/workspace/a", "/etc/passwd"],
    ["fs.read", ["/workspace/**"], "/workspace/x/../a", "/workspace/../etc/passwd"],
    ["fs.write", ["/out/*.md"], "/out/a.md", "/out/a/b.md"],
    ["net.fetch", ["https://x.org/a/**"], "https://X.org:443/a/b?q=1", "https://x.org/a/%2e%2e/b"],
    ["tool.call", ["search*"], "search-web", "rm"],
    ["agent.delegate", ["planner"], "planner@2.0.0", "executor@1.0.0"],
    ["model.use", ["tier-fast/*"], "tier-fast/a", "tier-slow/a"],
    ["x-acme.db", ["users"], "users", "groups"],
  ])("lets %s of %j do %j and not %j [arcp-9.3-permission-denied]", (namespace, patterns, allowed, refused) => {
    const guard = guardOf({ [namespace]: patterns });
    expect(refusal(guard, namespace, allowed)).toBeUndefined();
    const error = refusal(guard, namespace, refused);
    expect(error).toMatchObject({
      code: "PERMISSION_DENIED",
      retryable: false,
      details: { capability: namespace, target: canonicalTarget(namespace, refused), patterns },
    });
    expect(error?.message).toContain(String(patterns));
  });

  test("lets nothing through that the lease does not name", () => {
    const guard = guardOf({ "tool.call": ["*"], "cost.budget": ["USD:5"] });
    for (const [namespace, target] of [
      ["fs.read", "/a"],
      ["cost.budget", "USD:5"],
      ["constructor", "a"],
      ["__proto__", "a"],
      ["x-acme.db", "a"],
    ] as const) {
      expect(refusal(guard, namespace, target)).toMatchObject({ code: "PERMISSION_DENIED", details: { patterns: [] } });
    }
  });

  test("lets a job without a lease do nothing", () => {
    const error = refusal(guardOf(null), "tool.call", "search");
    expect(error).toMatchObject({ code: "PERMISSION_DENIED", message: "tool.call on search: the job has no lease" });
  });

  test("refuses what is no target as the mistake it is", () => {
    const guard = guardOf({ "fs.read": ["**"], "net.fetch": ["**"], "tool.call": ["*"] });
    for (const [namespace, target] of [
      ["fs.read", "a"],
      ["net.fetch", "file:///etc/passwd"],
      ["net.fetch", "https://me:secret@x.org/"],
      ["tool.call", ""],
    ] as const) {
      expect(refusal(guard, namespace, target)).toMatchObject({ code: "INVALID_REQUEST" });
    }
  });

  test("refuses a target longer than any may be, not counting a URL's query", () => {
    const guard = guardOf({ "fs.read": ["**"], "net.fetch": ["**"] });
    expect(refusal(guard, "fs.read", `/${"a".repeat(MAX_TARGET_LENGTH - 1)}`)).toBeUndefined();
    const error = refusal(guard, "fs.read", `/${"a".repeat(MAX_TARGET_LENGTH)}`);
    expect(error).toMatchObject({ code: "PERMISSION_DENIED", details: { limit: MAX_TARGET_LENGTH } });
    expect(error?.message.length).toBeLessThan(500);
    expect(refusal(guard, "net.fetch", `https://x.org/?${"a".repeat(MAX_TARGET_LENGTH)}`)).toBeUndefined();
  });

  test("tells nothing of a URL's query or password, since a refusal goes on the log", () => {
    const guard = guardOf({ "net.fetch": ["https://x.org/**"] }, { purse: spent });
    for (const [options, url] of [
      [{}, "https://y.org/a?key=hunter2#hunter2"],
      [{ purse: spent }, "https://x.org/a?key=hunter2"],
      [{ purse: spent }, "https://me:hunter2@x.org/"],
      [{ expiresAt: 0 }, "https://me:hunter2@x.org/"],
      [{}, "https://me:hunter2@x.org/"],
    ] as const) {
      const error = refusal(guardOf({ "net.fetch": ["https://x.org/**"] }, options), "net.fetch", url);
      expect(JSON.stringify(error?.toBody())).not.toContain("hunter2");
    }
    expect(refusal(guard, "net.fetch", "https://x.org/a?b")?.details?.target).toBe("https://x.org/a");
  });

  test("names no more of a long lease than helps", () => {
    const error = refusal(
      guardOf({ "tool.call": Array.from({ length: 50 }, (_, index) => `t${index}`) }),
      "tool.call",
      "x",
    );
    expect(error?.details?.patterns).toHaveLength(20);
  });

  test("refuses with what has remained as soon as a counter has nothing left [arcp-9.6-checked-first]", () => {
    const error = refusal(guardOf({ "tool.call": ["*"] }, { purse: spent }), "tool.call", "search");
    expect(error).toMatchObject({
      code: "BUDGET_EXHAUSTED",
      retryable: false,
      details: { capability: "tool.call", target: "search", currency: "USD", remaining: "-0.25", job_id: "job_1" },
    });
  });

  test("asks for expiry, then budget, then pattern", async () => {
    const at = clock.now() + 1_000;
    const guard = guardOf({ "tool.call": ["search"] }, { expiresAt: at, purse: spent });
    expect(refusal(guard, "tool.call", "rm")?.code).toBe("BUDGET_EXHAUSTED");
    await world.advance(1_000);
    const error = refusal(guard, "tool.call", "rm");
    expect(error).toMatchObject({
      code: "LEASE_EXPIRED",
      details: { expired_at: new Date(at).toISOString(), target: "rm" },
    });
    expect(refusal(guardOf({ "tool.call": ["search"] }), "tool.call", "rm")?.code).toBe("PERMISSION_DENIED");
  });

  test("takes what an old lease has that is no pattern any more for nothing", () => {
    const lease = { grants: { "fs.read": ["a/**", "/b"] }, expiresAt: null, expiresAtText: null, budget: null };
    const guard = createGuard({ lease, expiresAt: null, clock });
    expect(refusal(guard, "fs.read", "/a/b")?.code).toBe("PERMISSION_DENIED");
    expect(refusal(guard, "fs.read", "/b")).toBeUndefined();
  });
});

describe("model.use [arcp-9.7-model-refused] [arcp-9.7-permission-denied]", () => {
  test("is refused where no pattern matches", () => {
    const guard = guardOf({ "model.use": ["tier-fast/*", "anthropic/claude-3-haiku-*"] });
    expect(refusal(guard, "model.use", "anthropic/claude-3-haiku-20240307")).toBeUndefined();
    expect(refusal(guard, "model.use", "anthropic/claude-3-opus-20240229")?.code).toBe("PERMISSION_DENIED");
  });

  test("has to be named, unless the runtime does not ask for it [arcp-9.7-absence-forbids] [arcp-9.7-any-model-by-policy]", () => {
    for (const request of [null, { "tool.call": ["*"] }]) {
      expect(refusal(guardOf(request), "model.use", "any")?.code).toBe("PERMISSION_DENIED");
      expect(refusal(guardOf(request, { requireModelUse: false }), "model.use", "any")).toBeUndefined();
    }
    const named = guardOf({ "model.use": ["one"] }, { requireModelUse: false });
    expect(refusal(named, "model.use", "other")?.code).toBe("PERMISSION_DENIED");
  });
});

describe("grants beside the lease", () => {
  const asked: unknown[] = [];
  const grants = {
    covers: ({ namespace, operation }: { readonly namespace: string; readonly operation?: string }, target: string) => {
      asked.push([namespace, target, operation]);
      return target === "https://x.org/a";
    },
  };
  const lease = { "tool.call": ["look"] };

  test("allow what the lease does not, told in canonical form, and are asked about nothing else", () => {
    const guard = guardOf(lease, { grants });
    expect(refusal(guard, "tool.call", "look")).toBeUndefined();
    expect(asked).toEqual([]);
    expect(refusal(guard, "net.fetch", "HTTPS://X.org:443/b/../a?q=1")).toBeUndefined();
    expect(refusal(guard, "net.fetch", "https://x.org/b")).toMatchObject({ code: "PERMISSION_DENIED" });
    expect(asked).toEqual([
      ["net.fetch", "https://x.org/a", undefined],
      ["net.fetch", "https://x.org/b", undefined],
    ]);
  });

  test("are no way around expiry and an empty counter, and need no lease", () => {
    const url = "https://x.org/a";
    expect(refusal(guardOf(lease, { grants, expiresAt: 0 }), "net.fetch", url)).toMatchObject({
      code: "LEASE_EXPIRED",
    });
    expect(refusal(guardOf(lease, { grants, purse: spent }), "net.fetch", url)).toMatchObject({
      code: "BUDGET_EXHAUSTED",
    });
    expect(refusal(guardOf(null, { grants }), "net.fetch", url)).toBeUndefined();
  });
});
