import fc from "fast-check";
import { expect, it } from "vitest";
import { askedDelay, DEFAULT_RECONNECT, reconnectDelay } from "./reconnect.ts";

it("doubles the delay up to the longest", () => {
  const policy = { firstDelayMs: 100, maxDelayMs: 500, maxAttempts: 10 };
  const longest = [1, 2, 3, 4, 5].map((attempt) => (reconnectDelay(policy, attempt, 0) ?? 0) * 2);
  expect(longest).toEqual([100, 200, 400, 500, 500]);
});

it("gives up after the last attempt", () => {
  const policy = { ...DEFAULT_RECONNECT, maxAttempts: 2 };
  expect(reconnectDelay(policy, 2, 0.5)).toBeGreaterThan(0);
  expect(reconnectDelay(policy, 3, 0.5)).toBeUndefined();
});

it("stays between half and all of the longest, however many attempts", () => {
  const attempts = fc.integer({ min: 1, max: DEFAULT_RECONNECT.maxAttempts });
  fc.assert(
    fc.property(attempts, fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), (attempt, draw) => {
      const longest = (reconnectDelay(DEFAULT_RECONNECT, attempt, 0) ?? 0) * 2;
      const delay = reconnectDelay(DEFAULT_RECONNECT, attempt, draw) ?? Number.NaN;
      expect(longest).toBeLessThanOrEqual(DEFAULT_RECONNECT.maxDelayMs);
      expect(delay).toBeGreaterThanOrEqual(longest / 2);
      expect(delay).toBeLessThanOrEqual(longest);
    }),
  );
});

it.each([
  [{ retry_after_ms: 5_000 }, 5_000],
  [{ retry_after_ms: 1e18 }, 600_000],
  [{ retry_after_ms: -1 }, 0],
  [{ retry_after_ms: "soon" }, 0],
  [undefined, 0],
])("heeds what a runtime asks for, within reason: %o", (details, delay) => {
  expect(askedDelay(details)).toBe(delay);
});
