import picocolors from "picocolors";
import { describe, expect, it } from "vitest";
import { displayWidth } from "./display-width.ts";
import { createProgressThinner, progressBar, progressText } from "./progress-bar.ts";

const plain = picocolors.createColors(false);

describe("progressText", () => {
  it("says percent, count, units and message", () => {
    const progress = { current: 56, total: 120, units: "files", message: "reading src" };
    expect(progressText(progress)).toBe("46% 56/120 files, reading src");
  });

  it("says 100% only at the end", () => expect(progressText({ current: 999, total: 1000 })).toBe("99% 999/1000"));
  it("needs no total", () => expect(progressText({ current: 3, units: "pages" })).toBe("3 pages"));
  it("takes a total of zero for an unknown one", () => expect(progressText({ current: 0, total: 0 })).toBe("0"));
  it("obeys no escape sequence", () => expect(progressText({ current: 1, message: "\u001b[2J" })).toBe("1, \\x1b[2J"));
});

describe("progressBar", () => {
  it("fills with the progress", () => {
    expect(progressBar({ current: 1, total: 2 }, 40, plain)).toBe(`${"█".repeat(7)}${"░".repeat(6)} 50% 1/2`);
  });

  it("is full beyond its end", () => {
    expect(progressBar({ current: 7, total: 2 }, 40, plain)).toBe(`${"█".repeat(13)} 100% 7/2`);
  });

  it.each([1, 5, 12, 40, 80, 200])("fits %i columns", (width) => {
    const progress = { current: 5, total: 9, message: "日本語 ".repeat(100) };
    expect(displayWidth(progressBar(progress, width, plain))).toBeLessThanOrEqual(width);
    expect(displayWidth(progressBar({ current: 5, message: "x".repeat(300) }, width, plain))).toBeLessThanOrEqual(
      width,
    );
  });
});

describe("createProgressThinner", () => {
  it("lets each tenth of a total through once", () => {
    const isWorthALine = createProgressThinner();
    const shown = Array.from({ length: 101 }, (_, current) => current).filter((current) =>
      isWorthALine({ current, total: 100 }),
    );
    expect(shown).toEqual([0, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100]);
  });

  it("lets new messages through where there is no total", () => {
    const isWorthALine = createProgressThinner();
    const messages = ["a", "a", "b", "b", "a"];
    expect(messages.map((message, current) => isWorthALine({ current, message }))).toEqual([
      true,
      false,
      true,
      false,
      true,
    ]);
  });
});
