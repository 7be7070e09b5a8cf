import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { CodedError } from "../../protocol/errors.ts";
import { LEASE_NAMESPACES } from "../../protocol/lease-fields.ts";
import { budgetAsNumbers, LEASE_LIMITS, type Lease, parseLease } from "./lease.ts";

const NOW = Date.UTC(2026, 4, 13, 19, 30);
const LATER = "2026-05-13T23:42:00Z";

function refusal(request: unknown, constraints?: unknown): unknown {
  try {
    parseLease(request, constraints, NOW);
    return "accepted";
  } catch (error) {
    if (!(error instanceof CodedError)) throw error;
    expect(error.code).toBe("INVALID_REQUEST");
    expect(error.message).toContain(String(error.details?.field));
    return error.details?.field;
  }
}

const budgetOf = (...amounts: string[]): Lease["budget"] =>
  parseLease({ "cost.budget": amounts }, undefined, NOW).budget;

describe("lease_request (§9.2)", () => {
  test("absent grants nothing and bounds nothing", () => {
    const none = { grants: {}, expiresAt: null, expiresAtText: null, budget: null };
    for (const absent of [undefined, null, {}]) expect(parseLease(absent, absent, NOW)).toEqual(none);
  });

  test("keeps every reserved namespace and a vendor's, as it was written", () => {
    const request = {
      ...Object.fromEntries(LEASE_NAMESPACES.map((namespace) => [namespace, ["/a/**", "/b?"]])),
      "net.fetch": ["HTTPS://X.org:443/a/**"],
      "cost.budget": ["USD:5.00", "credits:1000"],
      "x-acme.db": ["users"],
    };
    const lease = parseLease(request, undefined, NOW);
    expect(lease.grants).toEqual(request);
    expect(JSON.parse(JSON.stringify(lease))).toEqual(lease);
  });

  test.each([
    [{ "fs.raed": ["**"] }, 'lease_request["fs.raed"]'],
    [{ fs: ["**"] }, "lease_request.fs"],
    [{ "x-acme": ["**"] }, 'lease_request["x-acme"]'],
    [{ "x-.db": ["**"] }, 'lease_request["x-.db"]'],
    [{ constructor: ["**"] }, "lease_request.constructor"],
    [JSON.parse('{"__proto__":["**"]}'), "lease_request.__proto__"],
    [{ "fs.read": [] }, 'lease_request["fs.read"]'],
    [{ "fs.read": "**" }, 'lease_request["fs.read"]'],
    [{ "fs.read": null }, 'lease_request["fs.read"]'],
    [{ "fs.read": ["/a", ""] }, 'lease_request["fs.read"][1]'],
    [{ "fs.read": ["/a", 1] }, 'lease_request["fs.read"][1]'],
    [{ "fs.read": ["/a", "b"] }, 'lease_request["fs.read"][1]'],
    [{ "fs.write": ["/a/../b"] }, 'lease_request["fs.write"][0]'],
    [{ "net.fetch": ["x.org"] }, 'lease_request["net.fetch"][0]'],
    [{ "tool.call": ["\ud800"] }, 'lease_request["tool.call"][0]'],
    [["fs.read"], "lease_request"],
    ["fs.read", "lease_request"],
  ])("refuses %j", (request, field) => {
    expect(refusal(request)).toBe(field);
  });

  test("is bounded in every length and count", () => {
    const many = (length: number): string[] => Array.from({ length }, (_, index) => `p${index}`);
    const { patterns, patternLength, patternsLength } = LEASE_LIMITS;
    expect(refusal({ "tool.call": many(patterns) })).toBe("accepted");
    expect(refusal({ "tool.call": many(patterns + 1) })).toBe('lease_request["tool.call"]');
    expect(refusal({ "tool.call": ["p".repeat(patternLength)] })).toBe("accepted");
    expect(refusal({ "tool.call": ["p".repeat(patternLength + 1)] })).toBe('lease_request["tool.call"][0]');
    const long = new Array<string>(patternsLength / patternLength).fill("p".repeat(patternLength));
    expect(refusal({ "tool.call": long, "model.use": long })).toBe("accepted");
    expect(refusal({ "tool.call": [...long, "p"] })).toBe('lease_request["tool.call"]');
    const vendors = (count: number): object => Object.fromEntries(many(count).map((name) => [`x-acme.${name}`, ["*"]]));
    expect(refusal(vendors(LEASE_LIMITS.namespaces))).toBe("accepted");
    expect(refusal(vendors(LEASE_LIMITS.namespaces + 1))).toBe("lease_request");
    expect(refusal({ [`x-a.${"b".repeat(LEASE_LIMITS.namespaceLength)}`]: ["*"] })).not.toBe("accepted");
    const currencies = (count: number): string[] => many(count).map((name) => `${name}:1`);
    expect(refusal({ "cost.budget": currencies(LEASE_LIMITS.currencies) })).toBe("accepted");
    expect(refusal({ "cost.budget": currencies(LEASE_LIMITS.currencies + 1) })).toBe('lease_request["cost.budget"]');
  });
});

describe("cost.budget [arcp-9.6-amounts]", () => {
  test.each([
    ["USD:5.00", "5"],
    ["USD:0", "0"],
    ["USD:00.10", "0.1"],
    ["USD:100000000000.000000000000000001", "100000000000.000000000000000001"],
  ])("%s is %s", (amount, decimal) => {
    expect(budgetOf(amount)).toEqual({ USD: decimal });
  });

  test.each([
    "5.00",
    "USD",
    "USD:",
    "USD:-1",
    "USD:+1",
    "USD:1e3",
    "USD:.5",
    "USD:5.",
    "USD: 5",
    "USD:5,00",
    "USD:Infinity",
    "USD:0x10",
    ":5",
    "USD:5\n",
    "US D:5",
    "__proto__:5",
    `USD:${"1".repeat(31)}`,
    `USD:1.${"1".repeat(30)}`,
  ])("refuses %j", (amount) => {
    expect(refusal({ "cost.budget": ["EUR:1", amount] })).toBe('lease_request["cost.budget"][1]');
  });

  test("has one counter per currency", () => {
    expect(budgetOf("USD:5.00", "credits:1000")).toEqual({ USD: "5", credits: "1000" });
    expect(refusal({ "cost.budget": ["USD:5", "USD:5.0"] })).toBe('lease_request["cost.budget"][1]');
  });

  test("keeps the value exactly, whatever zeros surround it", () => {
    const digits = fc.stringMatching(/^\d{1,12}$/);
    fc.assert(
      fc.property(digits, digits, (whole, fraction) => {
        const decimal = budgetOf(`USD:${whole}.${fraction}`)?.USD ?? "";
        expect(decimal).toMatch(/^(0|[1-9]\d*)(\.\d*[1-9])?$/);
        const [integer = "", rest = ""] = decimal.split(".");
        expect(BigInt(integer + rest.padEnd(12, "0"))).toBe(BigInt(whole + fraction.padEnd(12, "0")));
      }),
    );
  });

  test("is shown as JSON numbers", () => {
    expect(budgetAsNumbers({ USD: "5", credits: "0.1" })).toEqual({ USD: 5, credits: 0.1 });
  });
});

describe("max_budget", () => {
  const under = (request: object, max_budget: unknown): Lease => parseLease(request, { max_budget }, NOW);

  test("lowers a budget above it, and is what the lease says from then on", () => {
    const lease = under({ "cost.budget": ["USD:5.00", "credits:10"] }, "USD:3.50");
    expect(lease.budget).toEqual({ USD: "3.5", credits: "10" });
    expect(lease.grants["cost.budget"]).toEqual(["USD:3.5", "credits:10"]);
  });

  test("leaves a budget below it alone", () => {
    expect(under({ "cost.budget": ["USD:9.99"] }, ["USD:10"]).budget).toEqual({ USD: "9.99" });
  });

  test("bounds a currency that was not budgeted", () => {
    const lease = under({}, ["USD:3"]);
    expect(lease.budget).toEqual({ USD: "3" });
    expect(lease.grants).toEqual({ "cost.budget": ["USD:3"] });
  });

  test("compares exactly where floating point could not", () => {
    const asked = "USD:0.100000000000000000000000001";
    expect(under({ "cost.budget": [asked] }, "USD:0.1").budget).toEqual({ USD: "0.1" });
  });

  test.each([["USD:-1"], ["USD"], [[]], [[1]], [5], [{ USD: 5 }], [["USD:1", "USD:2"]]])("refuses %j", (max_budget) => {
    expect(String(refusal({}, { max_budget }))).toMatch(/^lease_constraints\.max_budget/);
  });
});

describe("lease_constraints [arcp-9.5-utc]", () => {
  test("reads a time, and keeps it as it was written", () => {
    for (const text of [LATER, "2026-05-13T23:42Z", "2026-05-13T23:42:00.000Z"]) {
      const { expiresAt, expiresAtText } = parseLease({}, { expires_at: text }, NOW);
      expect({ expiresAt, expiresAtText }).toEqual({ expiresAt: Date.parse(LATER), expiresAtText: text });
    }
  });

  test.each([
    "2026-05-13T19:30:00Z",
    "2026-05-13T19:29:59.999Z",
    "2026-05-13T23:42:00",
    "2026-05-13T23:42:00+00:00",
    "2026-05-13T23:42:00z",
    "2026-05-13 23:42:00Z",
    "2026-05-13",
    "2027-02-29T00:00:00Z",
    "2026-06-31T00:00:00Z",
    "2026-13-01T00:00:00Z",
    "2026-05-13T24:00:00Z",
    "2026-05-13T23:60:00Z",
    "2026-05-13T23:42:60Z",
    "tomorrow",
    "",
    1_800_000_000_000,
  ])("refuses %j", (expires_at) => {
    expect(refusal({}, { expires_at })).toBe("lease_constraints.expires_at");
  });

  test("begins to be refused at this very moment", () => {
    expect(parseLease({}, { expires_at: "2026-05-13T19:30:00.001Z" }, NOW).expiresAt).toBe(NOW + 1);
  });

  test.each([{ expires: LATER }, { expiresAt: LATER }, { constructor: 1 }, JSON.parse('{"__proto__":1}')])(
    "refuses %j, which would be a bound dropped",
    (constraints) => {
      expect(refusal({}, constraints)).toBe(`lease_constraints.${Object.keys(constraints)[0]}`);
    },
  );

  test("reads null as absent", () => {
    expect(parseLease({}, { expires_at: null, max_budget: null }, NOW).expiresAt).toBeNull();
    expect(refusal({}, [])).toBe("lease_constraints");
  });
});

test("refuses or accepts any JSON, and throws nothing else", () => {
  fc.assert(
    fc.property(
      fc.jsonValue(),
      fc.jsonValue(),
      (request, constraints) => typeof refusal(request, constraints) === "string",
    ),
  );
  const near = fc.dictionary(
    fc.constantFrom("fs.read", "cost.budget", "x-a.b"),
    fc.array(fc.oneof(fc.string(), fc.integer())),
  );
  fc.assert(fc.property(near, (request) => typeof refusal(request) === "string"));
});
