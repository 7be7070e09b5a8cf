import { expect, test } from "vitest";
import { CodedError } from "../../protocol/errors.ts";
import { type Amounts, amountsText, parseAmounts, readAmounts } from "./amounts.ts";

test("amounts in several currencies are read, and read back", () => {
  const amounts = parseAmounts({ USD: "0.30", credits: 2 }, "it");
  expect(amountsText(amounts)).toBe('{"USD":"0.3","credits":"2"}');
  expect(readAmounts(amountsText(amounts))).toEqual(amounts);
});

test.each<[unknown, string]>([
  [undefined, "it"],
  [null, "it"],
  ["USD:1", "it"],
  [["USD"], "it"],
  [{}, "it"],
  [Object.fromEntries(Array.from({ length: 17 }, (_, index) => [`C${index}`, 1])), "it"],
  [{ USD: -1 }, "it.USD"],
  [{ EUR: 1, USD: "x" }, "it.USD"],
  [{ "US D": 1 }, "it.US D"],
  [JSON.parse('{"__proto__":1}'), "it.__proto__"],
])("%j is refused, naming what is wrong", (amounts, field) => {
  try {
    parseAmounts(amounts as Amounts, "it");
    expect.unreachable();
  } catch (error) {
    expect(error).toBeInstanceOf(CodedError);
    expect(error).toMatchObject({ code: "INVALID_REQUEST", details: { field } });
  }
});
