import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { median, percentile } from "./statistics.ts";

const someValues = fc.array(fc.integer({ min: -1_000_000, max: 1_000_000 }), { minLength: 1, maxLength: 200 });

describe("median", () => {
  test("is the middle value, whatever the order", () => {
    expect(median([30, 10, 20])).toBe(20);
    expect(median([7])).toBe(7);
  });

  test("is the mean of the two middle values when their number is even", () => {
    expect(median([4, 1, 3, 2])).toBe(2.5);
  });

  test("has as many values below as above", () => {
    fc.assert(
      fc.property(someValues, (values) => {
        const middle = median(values);
        const below = values.filter((value) => value < middle).length;
        const above = values.filter((value) => value > middle).length;
        expect(Math.max(below, above)).toBeLessThanOrEqual(values.length / 2);
      }),
    );
  });

  test("refuses an empty list", () => {
    expect(() => median([])).toThrow(RangeError);
  });
});

describe("percentile", () => {
  test("is the nearest rank", () => {
    const hundred = Array.from({ length: 100 }, (_, index) => 100 - index);
    expect(percentile(hundred, 50)).toBe(50);
    expect(percentile(hundred, 99)).toBe(99);
    expect(percentile(hundred, 100)).toBe(100);
  });

  test("is the smallest value that enough values do not exceed", () => {
    fc.assert(
      fc.property(someValues, fc.integer({ min: 1, max: 100 }), (values, percent) => {
        const found = percentile(values, percent);
        const share = (limit: (value: number) => boolean): number =>
          (100 * values.filter(limit).length) / values.length;
        expect(values).toContain(found);
        expect(share((value) => value <= found)).toBeGreaterThanOrEqual(percent);
        expect(share((value) => value < found)).toBeLessThan(percent);
      }),
    );
  });

  test("refuses an empty list and a percentage out of range", () => {
    expect(() => percentile([], 50)).toThrow(RangeError);
    expect(() => percentile([1], 0)).toThrow(RangeError);
    expect(() => percentile([1], 101)).toThrow(RangeError);
  });
});
