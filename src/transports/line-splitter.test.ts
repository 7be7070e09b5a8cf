import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { LineError, LineSplitter } from "./line-splitter.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const split = (splitter: LineSplitter, piece: Uint8Array | string): string[] => [
  ...splitter.split(typeof piece === "string" ? bytes(piece) : piece),
];

describe("lines", () => {
  test("come out whole, however their bytes were cut", () => {
    const line = fc.string({ unit: "grapheme", maxLength: 40 }).filter((text) => !/[\r\n]/.test(text) && text !== "");
    fc.assert(
      fc.property(fc.array(line), fc.array(fc.nat({ max: 200 })), fc.boolean(), (lines, cuts, windows) => {
        const all = bytes(lines.map((text) => `${text}${windows ? "\r\n" : "\n"}`).join(""));
        const places = [0, ...cuts.map((cut) => Math.min(cut, all.length)).toSorted((a, b) => a - b), all.length];
        const splitter = new LineSplitter(10_000);
        const out = places.slice(1).flatMap((end, index) => split(splitter, all.subarray(places[index], end)));
        expect(out).toEqual(lines);
      }),
    );
  });

  test("that are empty are passed over, and one that has not ended is kept back", () => {
    const splitter = new LineSplitter(10);
    expect(split(splitter, "\n\r\n a\n\nb")).toEqual([" a"]);
    expect(split(splitter, "c\n")).toEqual(["bc"]);
  });

  test("do not change with the buffer that they came in", () => {
    const splitter = new LineSplitter(10);
    const buffer = bytes("abc");
    expect(split(splitter, buffer)).toEqual([]);
    buffer.fill(0x78);
    expect(split(splitter, "\n")).toEqual(["abc"]);
  });

  test.each([
    ["in one piece", ["12345\n"]],
    ["in many", ["1", "2", "34", "5"]],
    ["before it ends", ["1234567"]],
    ["with a carriage return", ["12345\r\n"]],
  ])("longer than the limit are an error, %s", (_, pieces) => {
    const splitter = new LineSplitter(4);
    const error = () => pieces.concat("\n").flatMap((piece) => split(splitter, piece));
    expect(error).toThrow(LineError);
    expect(split(new LineSplitter(5), `${pieces.join("").slice(0, 5)}\r\n`)).toHaveLength(1);
  });

  test("that are no UTF-8 are an error with a code of their own", () => {
    expect(() => split(new LineSplitter(9), Uint8Array.of(0xc3, 0x28, 0x0a))).toThrow(
      expect.objectContaining({ closeCode: 1007 }),
    );
    expect(() => split(new LineSplitter(0), "x\n")).toThrow(expect.objectContaining({ closeCode: 1009 }));
  });
});
