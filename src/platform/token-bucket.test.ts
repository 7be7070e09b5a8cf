import { expect, it } from "vitest";
import { TokenBucket } from "./token-bucket.ts";

it("allows its burst at once, then as many as come back", () => {
  const bucket = new TokenBucket(10, 20, 0);
  for (let count = 0; count < 20; count++) expect(bucket.take(0)).toBe(0);
  expect(bucket.take(0)).toBe(100);
  expect(bucket.take(99)).toBe(1);
  expect(bucket.take(100)).toBe(0);
  expect(bucket.take(100)).toBeGreaterThan(0);
});

it("saves up no more than that", () => {
  const bucket = new TokenBucket(1, 2, 0);
  expect([1, 2, 3].map(() => bucket.take(1_000_000))).toEqual([0, 0, 1000]);
});

it("says when to come again: then one is there, and no earlier", () => {
  const bucket = new TokenBucket(3, 6, 0);
  let now = 0;
  for (let count = 0; count < 50; count++) {
    const wait = bucket.take(now);
    if (wait === 0) continue;
    expect(bucket.take(now + wait - 1)).toBeGreaterThan(0);
    now += wait;
    expect(bucket.take(now)).toBe(0);
  }
});

it("of less than one a second allows one after the other", () => {
  const bucket = new TokenBucket(0.1, 0.2, 0);
  expect([0, 0, 9_999, 10_000].map((now) => bucket.take(now))).toEqual([0, 10_000, 1, 0]);
});

it("knows no limit when there is none", () => {
  const bucket = new TokenBucket(Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY, 0);
  for (let count = 0; count < 1_000; count++) expect(bucket.take(0)).toBe(0);
});
