import { describe, expect, test } from "vitest";
import { atLeast, atMost, judge } from "./results.ts";
import { formatFigure, renderTable } from "./table.ts";

describe("formatFigure", () => {
  test.each([
    [152_340.4, "/s", "152,340/s"],
    [0.4567, "ms", "0.457 ms"],
    [12.34, "ms", "12.3 ms"],
    [312.6, "ms", "313 ms"],
    [-0.5, "MB", "-0.500 MB"],
  ] as const)("%d in %s is %s", (value, unit, text) => {
    expect(formatFigure(value, unit)).toBe(text);
  });
});

describe("renderTable", () => {
  test("has one aligned line per row, with ratio, reach and verdict", () => {
    const table = renderTable([
      judge({ what: "events", unit: "/s", leasehold: [120_000], bare: [240_000], reach: atLeast(150_000) }),
      judge({ what: "a longer name", unit: "ms", leasehold: [0.5], reach: atMost(1) }),
      judge({ what: "extra", unit: "MB", leasehold: [3] }),
    ]);
    expect(table).toBe(
      [
        "what           Leasehold  bare ws echo  ratio        reach  met?",
        "-------------  ---------  ------------  -----  -----------  ----",
        "events         120,000/s     240,000/s  0.50×  ≥ 150,000/s   80%",
        "a longer name   0.500 ms             –      –     ≤ 1.0 ms   yes",
        "extra             3.0 MB             –      –            –     –",
      ].join("\n"),
    );
  });

  test("does not round a miss up to the whole reach", () => {
    expect(renderTable([judge({ what: "w", unit: "/s", leasehold: [999], reach: atLeast(1000) })])).toContain("99%");
  });
});
