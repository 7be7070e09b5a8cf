import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { cutBytes, cutText, Pairs } from "./characters.ts";

const units = fc.string({ unit: fc.constantFrom("a", "é", "\u{1f600}", "\ud83d", "\ude00"), maxLength: 40 });

describe("text in pieces", () => {
  it("is cut within the length, never inside a character, and loses nothing", () => {
    fc.assert(
      fc.property(units, fc.integer({ min: 2, max: 9 }), (text, length) => {
        const pieces = [...cutText(text, length)];
        expect(pieces.join("")).toBe(text.toWellFormed());
        for (const piece of pieces) {
          expect(piece.isWellFormed()).toBe(true);
          expect(piece.length).toBeGreaterThan(0);
          expect(piece.length).toBeLessThanOrEqual(length);
        }
        // Not even where half a pair at the seam would be made whole by its neighbour.
        expect(Buffer.concat(pieces.map((piece) => Buffer.from(piece))).toString()).toBe(text.toWellFormed());
      }),
    );
  });

  it("joins what was cut inside a character", () => {
    fc.assert(
      fc.property(units, fc.array(fc.nat(40), { maxLength: 6 }), (text, places) => {
        const at = [...new Set(places.map((place) => place % (text.length + 1)))].sort((a, b) => a - b);
        const pairs = new Pairs();
        const joined = [0, ...at].map((from, index) => pairs.join(text.slice(from, at[index])));
        expect([...joined, pairs.takeHalf()].map((piece) => piece.toWellFormed()).join("")).toBe(text.toWellFormed());
        expect(pairs.takeHalf()).toBe("");
      }),
    );
  });

  it("cuts bytes within the length", () => {
    const bytes = Uint8Array.from({ length: 10 }, (_, index) => index);
    expect([...cutBytes(bytes, 4)].map((piece) => [...piece])).toEqual([
      [0, 1, 2, 3],
      [4, 5, 6, 7],
      [8, 9],
    ]);
    expect([...cutBytes(new Uint8Array(0), 4)]).toEqual([]);
  });
});
