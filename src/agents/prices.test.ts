import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { formatAmount } from "../kernel/authority/decimal.ts";
import type { CountedUsage } from "./model-usage.ts";
import { createPriceTable, MAX_PRICES, type ModelPrice, type ModelPrices } from "./prices.ts";

const used = (fresh: number, text = 0, more: { cached?: number; written?: number; reasoning?: number } = {}) =>
  ({
    input: { fresh, cached: more.cached ?? 0, written: more.written ?? 0 },
    output: { text, reasoning: more.reasoning ?? 0 },
    assumed: [],
  }) satisfies CountedUsage;
const PLAIN: ModelPrice = { currency: "USD", input: "2.50", output: "10" };
const costOf = (price: ModelPrice, usage: CountedUsage) => {
  const cost = createPriceTable({ m: price }).find(["m"])?.costOf(usage);
  return cost === undefined ? undefined : formatAmount(cost);
};

describe("a price", () => {
  it("is for 1,000,000 tokens of each kind", () => {
    expect(costOf(PLAIN, used(1_000_000, 1_000_000))).toBe("12.5");
    expect(costOf(PLAIN, used(1, 1))).toBe("0.0000125");
    const whole = { ...PLAIN, cachedInput: "0.25", cacheWrite: "3", reasoning: "20" };
    expect(costOf(whole, used(0, 0, { cached: 1_000_000 }))).toBe("0.25");
    expect(costOf(whole, used(0, 0, { written: 1_000_000 }))).toBe("3");
    expect(costOf(whole, used(0, 0, { reasoning: 1_000_000 }))).toBe("20");
  });

  it("falls back on that of input and output", () => {
    expect(costOf(PLAIN, used(1, 0, { cached: 1, written: 1 }))).toBe("0.0000075");
    expect(costOf(PLAIN, used(0, 0, { reasoning: 1 }))).toBe("0.00001");
  });

  it("adds up exactly, to the last digit, over any number of calls", () => {
    const price = fc.stringMatching(/^\d{1,4}\.\d{1,24}$/);
    fc.assert(
      fc.property(
        price,
        price,
        fc.array(fc.tuple(fc.nat(1e6), fc.nat(1e6)), { maxLength: 20 }),
        (input, output, calls) => {
          const table = createPriceTable({ m: { currency: "USD", input, output } });
          const sum = calls.reduce((total, [i, o]) => total + (table.find(["m"])?.costOf(used(i, o)) ?? 0n), 0n);
          const scale = (decimal: string) => {
            const [integer = "", fraction = ""] = decimal.split(".");
            return BigInt(integer + fraction.padEnd(24, "0"));
          };
          const tokens = (side: 0 | 1) => BigInt(calls.reduce((total, call) => total + call[side], 0));
          expect(sum).toBe(scale(input) * tokens(0) + scale(output) * tokens(1));
        },
      ),
    );
  });
});

describe("the table", () => {
  const table = (prices: ModelPrices) => createPriceTable(prices);
  const named = (currency: string): ModelPrice => ({ currency, input: "1", output: "1" });

  it("knows a model by any of its ids, and an id before a pattern", () => {
    const { find } = table({ "openai/*": named("A"), "openai/gpt-*": named("B"), "gpt-5": named("C") });
    expect(find(["gpt-5", "openai/gpt-5"])?.currency).toBe("C");
    expect(find(["gpt-6", "openai/gpt-6"])?.currency).toBe("A");
    expect(find(["claude"])).toBeUndefined();
    expect(find(["gpt-5-mini"])).toBeUndefined();
  });

  it("takes the first pattern that fits, as they are written", () => {
    const { find } = table({ "gpt-*-mini": named("A"), "gpt-*": named("B"), "*": named("C") });
    expect(find(["gpt-5-mini"])?.currency).toBe("A");
    expect(find(["gpt-5"])?.currency).toBe("B");
    expect(find(["o3/high"])?.currency).toBe("C");
  });

  it("has at most a known number of entries", () => {
    const many = (count: number) =>
      Object.fromEntries(Array.from({ length: count }, (_, index) => [`m${index}`, PLAIN]));
    expect(() => table(many(MAX_PRICES))).not.toThrow();
    expect(() => table(many(MAX_PRICES + 1))).toThrow(RangeError);
  });

  it.each<[string, unknown]>([
    ["prices", []],
    ["prices", "free"],
    ['prices["m"]', { m: null }],
    ['prices["m"].currency', { m: { input: "1", output: "1" } }],
    ['prices["m"].currency', { m: { ...PLAIN, currency: "US D" } }],
    ['prices["m"].output', { m: { currency: "USD", input: "1" } }],
    ['prices["m"].input', { m: { ...PLAIN, input: 2.5 } }],
    ['prices["m"].input', { m: { ...PLAIN, input: "-1" } }],
    ['prices["m"].input', { m: { ...PLAIN, input: "1e3" } }],
    ['prices["m"].input', { m: { ...PLAIN, input: "" } }],
    ['prices["m"].input', { m: { ...PLAIN, input: `0.${"1".repeat(25)}` } }],
    ['prices["m"].reasoning', { m: { ...PLAIN, reasoning: "free" } }],
    ['prices["m"].cached', { m: { ...PLAIN, cached: "1" } }],
    ['prices[""]', { "": PLAIN }],
    ['prices["\\ud800"]', { "\ud800": PLAIN }],
  ])("refuses a wrong %s", (place, prices) => {
    expect(() => table(prices as ModelPrices)).toThrow(RangeError);
    expect(() => table(prices as ModelPrices)).toThrow(place);
  });
});
