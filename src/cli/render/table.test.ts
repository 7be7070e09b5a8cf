import picocolors from "picocolors";
import { describe, expect, it } from "vitest";
import { shortDuration, tableLines } from "./table.ts";

const colors = picocolors.createColors(false);

describe("tableLines", () => {
  it("lines columns up by what they take on a terminal", () => {
    const lines = tableLines(
      ["A", "B"],
      [
        ["日本", "x"],
        ["a", "\u001b[2J"],
      ],
      { colors, width: undefined },
    );
    expect(lines).toEqual(["A     B", "日本  x", "a     \\x1b[2J"]);
  });

  it("cuts lines to the terminal", () => {
    expect(tableLines(["A"], [["abcdef"]], { colors, width: 4 })[1]).toBe("abc…");
  });
});

describe("shortDuration", () => {
  it.each([
    [-5, "0s"],
    [999, "0s"],
    [59_999, "59s"],
    [60_000, "1m"],
    [7_200_000, "2h"],
    [200_000_000, "2d"],
  ])("of %i ms", (ms, text) => expect(shortDuration(ms)).toBe(text));
});
