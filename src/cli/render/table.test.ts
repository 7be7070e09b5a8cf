import fc from "fast-check";
import picocolors from "picocolors";
import { describe, expect, it } from "vitest";
import { displayWidth } from "./display-width.ts";
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

  it("cuts the last column to the terminal", () => {
    const lines = tableLines(["A", "B"], [["a", "a long story"]], { colors, width: 12 });
    expect(lines).toEqual(["A  B", "a  a long s…"]);
  });

  it("stacks the cells of a row where columns do not fit, and loses nothing of them", () => {
    const rows = [
      ["job_0123456789ABCDEF", "running"],
      ["job_1", "a story of many words"],
    ];
    expect(tableLines(["JOB", "STATUS"], rows, { colors, width: 20 })).toEqual([
      ...["JOB     job_01234567", "        89ABCDEF", "STATUS  running", ""],
      ...["JOB     job_1", "STATUS  a story of", "        many words"],
    ]);
    expect(tableLines(["JOB", "STATUS"], rows.slice(0, 1), { colors, width: 10 })).toEqual([
      ...["job_012345", "6789ABCDEF", "running"],
    ]);
  });

  it("fits whatever it shows", () => {
    const cell = fc.string({ unit: "grapheme", maxLength: 40 });
    const rows = fc.array(fc.tuple(cell, cell, cell), { maxLength: 5 });
    fc.assert(
      fc.property(rows, fc.integer({ min: 2, max: 120 }), (shown, width) => {
        for (const line of tableLines(["ID", "STATUS", "AGENT"], shown, { colors, width })) {
          expect(displayWidth(line)).toBeLessThanOrEqual(width);
        }
      }),
    );
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
