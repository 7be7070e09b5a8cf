import { describe, expect, test } from "vitest";
import { atLeast, atMost, judge } from "./results.ts";

describe("judge", () => {
  test("compares medians, not means", () => {
    const verdict = judge({ what: "w", unit: "/s", leasehold: [10, 1000, 20], bare: [40, 40, 1] });
    expect(verdict).toMatchObject({ leasehold: 20, bare: 40, ratio: 0.5, reach: null, attained: null });
  });

  test("says how much of a reach is attained, in either direction", () => {
    expect(judge({ what: "w", unit: "/s", leasehold: [80], reach: atLeast(100) }).attained).toBe(0.8);
    expect(judge({ what: "w", unit: "ms", leasehold: [20], reach: atMost(10) }).attained).toBe(0.5);
    expect(judge({ what: "w", unit: "ms", leasehold: [10], reach: atMost(10) }).attained).toBe(1);
  });

  test("takes no growth as attained, and gives no ratio to it", () => {
    const verdict = judge({ what: "w", unit: "MB", leasehold: [-1], bare: [0], reach: atMost(20) });
    expect(verdict.attained).toBe(Number.POSITIVE_INFINITY);
    expect(verdict.ratio).toBeNull();
  });
});
