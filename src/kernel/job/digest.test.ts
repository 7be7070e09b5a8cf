import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { CodedError } from "../../protocol/errors.ts";
import { digestOf, MAX_DIGESTED_NESTING } from "./digest.ts";

const nested = (levels: number): unknown => (levels === 0 ? 1 : [nested(levels - 1)]);

/** The same JSON with the keys of every object in the opposite order. */
function reversed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(reversed);
  if (typeof value !== "object" || value === null) return value;
  const members = Object.entries(value).map(([key, member]) => [key, reversed(member)] as const);
  return Object.fromEntries(members.toReversed());
}

describe("the digest of a submission's parameters", () => {
  it("does not depend on the order of keys, at any depth", () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 5 }), (value) => {
        expect(digestOf(reversed(value))).toBe(digestOf(value));
      }),
    );
  });

  it("tells different values apart", () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), (one, other) => {
        // Through JSON both ways, where −0 is 0, as it is for whoever receives it.
        const [a, b] = [JSON.parse(JSON.stringify(one)), JSON.parse(JSON.stringify(other))];
        fc.pre(JSON.stringify(sorted(a)) !== JSON.stringify(sorted(b)));
        expect(digestOf(a)).not.toBe(digestOf(b));
      }),
    );
  });

  it("minds the order of lists, and what is text and what a number", () => {
    expect(new Set([[1, 2], [2, 1], ["1", 2], [[1], 2], { 0: 1, 1: 2 }].map(digestOf)).size).toBe(5);
  });

  it("takes a member that is undefined for one that is absent", () => {
    expect(digestOf({ a: 1, b: undefined })).toBe(digestOf({ a: 1 }));
  });

  it("takes what nests as deep as is allowed, and refuses what nests deeper without exhausting the stack", () => {
    expect(digestOf(nested(MAX_DIGESTED_NESTING))).toMatch(/^[0-9a-f]{64}$/);
    for (const levels of [MAX_DIGESTED_NESTING + 1, 5_000]) {
      expect(() => digestOf(nested(levels))).toThrow(expect.objectContaining({ code: "INVALID_REQUEST" }));
    }
    expect(() => digestOf(nested(MAX_DIGESTED_NESTING + 1))).toThrow(CodedError);
  });
});

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== "object" || value === null) return value;
  return Object.entries(value)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, member]) => [key, sorted(member)]);
}
