import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { UsageScan } from "./usage-scan.ts";

function scan(text: string, pieces = 1): readonly object[] {
  const found = new UsageScan();
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += pieces) found.push(bytes.subarray(at, at + pieces));
  return found.found;
}

describe("usage in an answer", () => {
  it("is found wherever the answer was cut, beside anything", () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), fc.jsonValue(), fc.nat(20), (members, usage, pieces) => {
        const { usage: _, ...others } = members;
        const text = JSON.stringify({ ...others, usage, after: others });
        const expected = typeof usage === "object" && usage !== null ? [JSON.parse(JSON.stringify(usage))] : [];
        expect(scan(text, pieces + 1)).toEqual(expected);
      }),
    );
  });

  it("is not what is called so deeper down, or in a text", () => {
    expect(scan('{"a":{"usage":{"x":1}},"b":[{"usage":{}}],"c":"\\"usage\\":{\\"x\\":1}","usage":null}')).toEqual([]);
  });

  it("is each of several", () => {
    expect(scan('{"usage":{"a":1},"usage":{"a":2} , "z":1}')).toEqual([{ a: 1 }, { a: 2 }]);
  });

  it("is nothing in what is no JSON, cut off, or too long", () => {
    expect(scan('{"usage":{"a":1')).toEqual([]);
    expect(scan('{"usage":{a:1}}')).toEqual([]);
    expect(scan("usage: 5")).toEqual([]);
    expect(scan(`{"usage":{"a":"${"x".repeat(70_000)}"}}`, 1_000)).toEqual([]);
  });
});
