import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { encodeTextFrame } from "./text-frame.ts";

/** Reads one unmasked frame, as RFC 6455 §5.2 lays it out. */
function decodeFrame(bytes: Buffer): { firstByte: number; text: string; rest: Buffer; headerSize: number } {
  const short = bytes.readUInt8(1);
  const [headerSize, size] =
    short < 126 ? [2, short] : short === 126 ? [4, bytes.readUInt16BE(2)] : [10, Number(bytes.readBigUInt64BE(2))];
  const text = bytes.toString("utf8", headerSize, headerSize + size);
  return { firstByte: bytes.readUInt8(0), text, rest: bytes.subarray(headerSize + size), headerSize };
}

const bytesOf = (encoded: string): Buffer => Buffer.from(encoded, "latin1");

describe("encodeTextFrame", () => {
  test.each([
    [0, 2],
    [125, 2],
    [126, 4],
    [65_535, 4],
    [65_536, 10],
    [1_048_576, 10],
  ])("%i bytes have a header of %i", (size, headerSize) => {
    const text = "x".repeat(size);
    expect(decodeFrame(bytesOf(encodeTextFrame(text)))).toEqual({
      firstByte: 0x81,
      text,
      rest: Buffer.alloc(0),
      headerSize,
    });
  });

  test("any frames joined come apart again, in order", () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: "binary", maxLength: 200 })), (texts) => {
        let rest = bytesOf(texts.map(encodeTextFrame).join(""));
        for (const text of texts) {
          const frame = decodeFrame(rest);
          expect(frame.firstByte).toBe(0x81);
          expect(frame.text).toBe(text);
          rest = frame.rest;
        }
        expect(rest.length).toBe(0);
      }),
    );
  });

  test("the header counts bytes, not characters", () => {
    const text = "é".repeat(63);
    expect(decodeFrame(bytesOf(encodeTextFrame(text)))).toMatchObject({ headerSize: 4, text });
  });

  test("a lone surrogate becomes U+FFFD", () => {
    expect(decodeFrame(bytesOf(encodeTextFrame("a\ud800b"))).text).toBe("a\ufffdb");
  });
});
