import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { CodedError } from "../../protocol/errors.ts";
import { formatAmount, parseAmount, parseSum } from "./decimal.ts";

const UNIT = 10n ** 30n;

function refusal(value: unknown): unknown {
  try {
    return parseAmount(value as string, "it");
  } catch (error) {
    if (!(error instanceof CodedError)) throw error;
    expect(error.code).toBe("INVALID_REQUEST");
    return error.details?.field;
  }
}

describe("an amount", () => {
  test.each<[string | number, string]>([
    ["0", "0"],
    ["5.00", "5"],
    ["005.10", "5.1"],
    ["0.0234", "0.0234"],
    ["1e3", "1000"],
    ["1.5e-7", "0.00000015"],
    ["25E-1", "2.5"],
    ["100e-2", "1"],
    ["0.000e99", "0"],
    [0.1, "0.1"],
    [0.1 + 0.2, "0.30000000000000004"],
    [1e21, "1000000000000000000000"],
    [1.5e-9, "0.0000000015"],
    [-0, "0"],
    [`${"9".repeat(30)}.${"9".repeat(30)}`, `${"9".repeat(30)}.${"9".repeat(30)}`],
    [`${"0".repeat(60)}1.5${"0".repeat(60)}`, "1.5"],
    ["1e-30", `0.${"0".repeat(29)}1`],
    ["1e29", `1${"0".repeat(29)}`],
  ])("%s is read as %s", (value, decimal) => {
    expect(formatAmount(parseAmount(value, "it"))).toBe(decimal);
  });

  test.each([
    "",
    "-1",
    "+1",
    ".5",
    "5.",
    " 5",
    "5 ",
    "5\n",
    "1,5",
    "0x10",
    "1_000",
    "NaN",
    "Infinity",
    "1e",
    "1e1000",
    "١",
    -1,
    -0.5,
    Number.NaN,
    Number.POSITIVE_INFINITY,
    "1e30",
    "1e-31",
    `1${"0".repeat(30)}`,
    `0.${"0".repeat(30)}1`,
    1e30,
    5e-324,
    "1".repeat(200),
    null,
    undefined,
    {},
    [1],
    1n,
    true,
  ])("refuses %s", (value) => {
    expect(refusal(value)).toBe("it");
  });

  test("is whatever decimal it was written as, and comes back as that", () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 10n ** 60n - 1n }), (amount) => {
        expect(parseAmount(formatAmount(amount), "it")).toBe(amount);
      }),
    );
  });

  test("adds up to the last digit where floating point does not", () => {
    const cents = fc.integer({ min: 0, max: 1_000_000 });
    fc.assert(
      fc.property(fc.array(cents), (amounts) => {
        const sum = amounts.reduce((total, each) => total + parseAmount(each / 100, "it"), 0n);
        expect(sum).toBe((BigInt(amounts.reduce((total, each) => total + each, 0)) * UNIT) / 100n);
        expect(parseSum(formatAmount(sum))).toBe(sum);
      }),
    );
    expect(0.1 + 0.1 + 0.1).not.toBe(0.3);
  });

  test("may be below zero once it is a sum", () => {
    expect(formatAmount(-UNIT / 4n)).toBe("-0.25");
    expect(formatAmount(-1n)).toBe(`-0.${"0".repeat(29)}1`);
    expect(formatAmount(0n)).toBe("0");
    expect(formatAmount(-(10n ** 40n) * UNIT)).toBe(`-1${"0".repeat(40)}`);
  });

  test("is a JSON number as it is written", () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(10n ** 62n), max: 10n ** 62n }), (amount) => {
        const text = formatAmount(amount);
        expect(text).toMatch(/^-?(0|[1-9]\d*)(\.\d*[1-9])?$/);
        expect(Number.isFinite(JSON.parse(text))).toBe(true);
      }),
    );
  });
});
