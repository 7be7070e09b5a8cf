import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { jsonLine, safeLine, safeText } from "./sanitize.ts";

const INVISIBLE = [
  [0x200b, 0x200f],
  [0x2028, 0x202e],
  [0x2060, 0x2069],
  [0xfeff, 0xfeff],
  [0xe0000, 0xe007f],
] as const;

/** What a terminal obeys or does not show, or what makes text read other than it is. */
function obeyed(text: string): readonly string[] {
  return [...text].filter((character) => {
    const code = character.codePointAt(0) ?? 0;
    const isControl = code < 0x20 || (code >= 0x7f && code <= 0x9f);
    return isControl || INVISIBLE.some(([first, last]) => code >= first && code <= last);
  });
}

/** Text with more than its share of controls. */
const hostile = fc
  .array(
    fc.oneof(
      fc.string({ unit: "binary" }),
      fc.integer({ min: 0, max: 0x9f }).map((code) => String.fromCharCode(code)),
      fc.integer({ min: 0x2000, max: 0x2070 }).map((code) => String.fromCharCode(code)),
      fc.integer({ min: 0xe0000, max: 0xe007f }).map((code) => String.fromCodePoint(code)),
      fc.constantFrom("\ufeff", "\u200d", "👩", "\ufe0f"),
    ),
  )
  .map((parts) => parts.join(""));

describe("safeLine", () => {
  it("makes escape sequences visible", () => {
    expect(safeLine("\u001b[2J\u001b]0;title\u0007gone")).toBe("\\x1b[2J\\x1b]0;title\\x07gone");
  });

  it("makes eight-bit controls, bidirectional overrides and line breaks visible", () => {
    expect(safeLine("\u009b2J \u202egpj.exe\na\r\tb\u2028")).toBe("\\x9b2J \\u202egpj.exe\\na\\x0d b\\u2028");
  });

  it("leaves other text as it is", () => {
    expect(safeLine("Größe 日本語 e\u0301 🚀 ❤️ ✓")).toBe("Größe 日本語 e\u0301 🚀 ❤️ ✓");
  });

  it("shows what has no shape, and takes joined emoji apart", () => {
    expect(safeLine("a\u200bb\ufeff\u2066x\u{e0041}\u00ad")).toBe("a\\u200bb\\ufeff\\u2066x\\u{e0041}\\xad");
    expect(safeLine("👩\u200d👩\u200d👧 ❤️\u200d🔥 a\u200db")).toBe("👩👩👧 ❤️🔥 a\\u200db");
  });

  it("leaves nothing that a terminal obeys", () => {
    fc.assert(fc.property(hostile, (text) => void expect(obeyed(safeLine(text))).toEqual([])));
  });
});

describe("safeText", () => {
  it("keeps lines and tabs", () => {
    expect(safeText("a\tb\r\nc\u001b[31m\n")).toBe("a\tb\nc\\x1b[31m\n");
  });

  it("leaves nothing else that a terminal obeys", () => {
    fc.assert(fc.property(hostile, (text) => void expect(obeyed(safeText(text).replace(/[\n\t]/g, ""))).toEqual([])));
  });
});

describe("jsonLine", () => {
  it("is one line, safe to print, of the same value", () => {
    fc.assert(
      fc.property(hostile, (text) => {
        const line = jsonLine({ text });
        expect(obeyed(line)).toEqual(["\n"]);
        expect(JSON.parse(line)).toEqual({ text });
      }),
    );
  });
});
