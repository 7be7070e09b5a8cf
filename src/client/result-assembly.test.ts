import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ResultAssembly, type ResultChunk } from "./result-assembly.ts";

function chunk(chunkSeq: number, data: string, fields: Partial<ResultChunk> = {}): ResultChunk {
  return { result_id: "res_1", chunk_seq: chunkSeq, data, encoding: "utf8", more: true, ...fields };
}

function assemble(chunks: readonly ResultChunk[], limit = 1_000_000): ResultAssembly {
  const assembly = new ResultAssembly(limit);
  for (const each of chunks) assembly.add(each);
  return assembly;
}

function toBase64(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes));
}

it("joins text, wherever it was cut", () => {
  const whole = fc.string({ unit: "grapheme", maxLength: 200 });
  fc.assert(
    fc.property(whole, fc.array(fc.nat({ max: 200 }), { maxLength: 8 }), (text, cuts) => {
      const at = [0, ...cuts.filter((cut) => cut < text.length).toSorted((a, b) => a - b), text.length];
      const pieces = at.slice(1).map((end, index) => text.slice(at[index], end));
      const chunks = [...pieces, ""].map((data, index) => chunk(index, data, { more: index < pieces.length }));
      const size = new TextEncoder().encode(text).length;
      expect(assemble(chunks).finish("res_1", size)).toBe(text);
    }),
  );
});

it("joins bytes, and takes text among them as UTF-8", () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 50 }), { maxLength: 8 }), (parts) => {
      const chunks = parts.map((part, index) => chunk(index, toBase64(part), { encoding: "base64" }));
      const whole = assemble([...chunks, chunk(parts.length, "é", { more: false })]).finish("res_1", undefined);
      expect(whole).toEqual(
        chunks.length === 0 ? "é" : Uint8Array.from([...parts.flatMap((part) => [...part]), 0xc3, 0xa9]),
      );
    }),
  );
});

it("begins anew with another result_id: the attempt before was lost", () => {
  const again = { result_id: "res_2" };
  const assembly = assemble([chunk(0, "lost"), chunk(0, "new", again), chunk(1, "", { ...again, more: false })]);
  expect(assembly.finish("res_2", 3)).toBe("new");
});

describe("refuses what is not whole", () => {
  const last = { more: false };
  const broken = {
    "a gap": [chunk(0, "a"), chunk(2, "c", last)],
    "a beginning that is missing": [chunk(1, "b", last)],
    "a repeat": [chunk(0, "a"), chunk(0, "a"), chunk(1, "b", last)],
    "no last chunk": [chunk(0, "ab")],
    "a chunk after the last": [chunk(0, "a", last), chunk(1, "b", last)],
    "another size": [chunk(0, "abc", last)],
    "another result": [chunk(0, "ab", { ...last, result_id: "res_2" })],
    "what is not base64": [chunk(0, "%%", { ...last, encoding: "base64" })],
    nothing: [],
  };
  for (const [name, chunks] of Object.entries(broken)) {
    it(name, () => {
      const assembly = assemble(chunks);
      expect(() => assembly.finish("res_1", 2)).toThrow(expect.objectContaining({ code: "RESULT_INCOMPLETE" }));
    });
  }

  it("a chunk that could not be read", () => {
    const assembly = assemble([chunk(0, "a")]);
    assembly.addUnreadable();
    assembly.add(chunk(1, "b", last));
    expect(() => assembly.finish("res_1", 2)).toThrow(expect.objectContaining({ code: "RESULT_INCOMPLETE" }));
  });

  it("more than the limit", () => {
    const assembly = assemble([chunk(0, "abc"), chunk(1, "d", last)], 3);
    expect(() => assembly.finish("res_1", 4)).toThrow(expect.objectContaining({ code: "RESULT_TOO_LARGE" }));
  });
});
