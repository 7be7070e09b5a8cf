import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { cut, displayWidth, pad, wrap } from "./display-width.ts";

const text = fc.string({ unit: "grapheme", maxLength: 200 });

describe("displayWidth", () => {
  it.each([
    ["abc", 3],
    ["日本", 4],
    ["e\u0301", 1],
    ["🚀", 2],
  ])("of %s", (shown, width) => {
    expect(displayWidth(shown)).toBe(width);
  });
});

describe("cut", () => {
  it("leaves what fits", () => expect(cut("abcd", 4)).toBe("abcd"));
  it("says that something is missing", () => expect(cut("abcde", 4)).toBe("abc…"));
  it("never splits a wide character", () => expect(cut("日本語", 4)).toBe("日…"));
  it("always fits", () => {
    fc.assert(
      fc.property(
        text,
        fc.nat(100),
        (shown, width) => void expect(displayWidth(cut(shown, width))).toBeLessThanOrEqual(width),
      ),
    );
  });
});

describe("pad", () => {
  it("counts columns, not characters", () => expect(pad("日", 4)).toBe("日  "));
});

describe("wrap", () => {
  it("breaks at spaces", () => expect(wrap("the quick brown fox", 10)).toEqual(["the quick", "brown fox"]));
  it("breaks words that are too long", () => expect(wrap("abcdefgh", 3)).toEqual(["abc", "def", "gh"]));
  it("keeps other white space", () => expect(wrap("\u2028 a", 2)).toEqual(["\u2028", "a"]));
  it("loses nothing but spaces, and fits", () => {
    fc.assert(
      fc.property(text, fc.integer({ min: 2, max: 100 }), (shown, width) => {
        const lines = wrap(shown, width);
        expect(lines.join("").replaceAll(" ", "")).toBe(shown.replaceAll(" ", ""));
        for (const line of lines) expect(displayWidth(line)).toBeLessThanOrEqual(width);
      }),
    );
  });
});
