import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createFakeWorld } from "../testing/fake-world.ts";
import { createContext } from "./context.ts";
import { MAX_STREAMED_BYTES, type ResultEncoding } from "./result-stream.ts";
import { createTestHost, type TestHost } from "./test-host.ts";

interface Chunk {
  readonly result_id: string;
  readonly chunk_seq: number;
  readonly data: string;
  readonly encoding: ResultEncoding;
  readonly more: boolean;
}

function open<Encoding extends ResultEncoding>(encoding: Encoding, host = createTestHost()) {
  const { ctx } = createContext(host, {}, createFakeWorld().ids, (run, ...args) => run(...args));
  return { host, ctx, stream: ctx.streamResult({ encoding }) };
}

const chunksOf = (host: TestHost) => host.bodies("result_chunk") as unknown as readonly Chunk[];

function assembled(host: TestHost): Buffer {
  const chunks = chunksOf(host);
  expect(chunks.map((chunk) => chunk.chunk_seq)).toEqual(chunks.map((_, index) => index));
  expect(chunks.map((chunk) => chunk.more)).toEqual(chunks.map((_, index) => index < chunks.length - 1));
  expect(new Set(chunks.map((chunk) => chunk.result_id)).size).toBe(1);
  return Buffer.concat(chunks.map(({ data, encoding }) => Buffer.from(data, encoding)));
}

/** Cuts `whole` at random places, also inside a character. */
function cut<Data extends string | Uint8Array>(whole: Data, places: readonly number[]): Data[] {
  const at = [...new Set(places.map((place) => place % (whole.length + 1)))].sort((a, b) => a - b);
  return [0, ...at].map((from, index) => whole.slice(from, at[index]) as Data);
}

const text = fc.string({ unit: "grapheme", maxLength: 60 });
const places = fc.array(fc.nat(200), { maxLength: 6 });

describe("streamResult", () => {
  it.each([
    ["a bigint", 10n],
    ["an object", {}],
    ["too long a text", "x".repeat(65_537)],
  ])("takes no summary that is %s: it would not fit the terminal", async (_, summary) => {
    const { stream } = open("utf8");
    await expect(stream.end({ summary: summary as string })).rejects.toMatchObject({
      code: "INVALID_REQUEST",
      details: { field: "streamResult.end.summary" },
    });
    expect(await stream.end({ summary: "x".repeat(65_536) })).toMatchObject({ size: 0 });
  });

  it("assembles to what was written, wherever text or bytes were cut [arcp-8.4-result-id] [arcp-8.4-chunk-seq] [arcp-8.4-chunk-order] [arcp-8.4-data] [arcp-8.4-encoding] [arcp-8.4-more]", async () => {
    await fc.assert(
      fc.asyncProperty(
        text,
        places,
        fc.constantFrom("utf8", "base64"),
        fc.boolean(),
        async (whole, cuts, encoding, asBytes) => {
          const { host, stream } = open(encoding);
          const pieces = asBytes ? cut(Buffer.from(whole) as Uint8Array, cuts) : cut(whole, cuts);
          for (const piece of pieces) void stream.write(piece);
          const { size, resultId } = await stream.end();
          expect(assembled(host).toString()).toBe(whole);
          expect(size).toBe(Buffer.byteLength(whole));
          expect(resultId).toBe(chunksOf(host)[0]?.result_id);
          for (const { data } of chunksOf(host)) expect(data.isWellFormed()).toBe(true);
        },
      ),
    );
  });

  it("cuts a long write into events, never inside a character [arcp-14-chunk-cap]", async () => {
    const { host, stream } = open("utf8");
    const long = `x${"😀".repeat(100_000)}`;
    await stream.write(long);
    await stream.end();
    expect(chunksOf(host).length).toBe(5);
    for (const { data } of chunksOf(host)) {
      expect(data.length).toBeLessThanOrEqual(65_536);
      expect(data.isWellFormed()).toBe(true);
    }
    expect(assembled(host).toString()).toBe(long);

    const binary = open("base64");
    const bytes = Uint8Array.from({ length: 150_000 }, (_, index) => index % 251);
    await binary.stream.write(bytes);
    await binary.stream.end();
    expect(chunksOf(binary.host).length).toBe(5);
    expect(assembled(binary.host).equals(bytes)).toBe(true);
  });

  it("says on the first chunk that there is one, for later attempts to know", async () => {
    const { host, stream } = open("utf8");
    expect(host.trace).toEqual([]);
    await stream.write("a");
    await stream.write("b");
    expect(host.trace.filter((what) => what.startsWith("step"))).toEqual(["step:"]);
    expect(host.steps.get("")).toBe(stream.resultId);
    await expect(open("utf8").ctx.step("", () => 1)).rejects.toThrow("step.name");
  });

  it("can be bounded tighter", async () => {
    const { ctx } = createContext(createTestHost(), {}, createFakeWorld().ids, (run, ...args) => run(...args), {
      maxResultBytes: 4,
    });
    const stream = ctx.streamResult();
    await stream.write("éé");
    await expect(stream.write("x")).rejects.toThrow("more than 4 bytes (maxResultBytes)");
  });

  it("turns half a character that nothing completes into U+FFFD", async () => {
    const { host, stream } = open("utf8");
    await stream.write("a\ud83d");
    await stream.write("b");
    await stream.write("c\ud83d");
    const { size } = await stream.end();
    expect(assembled(host).toString()).toBe("a\ufffdbc\ufffd");
    expect(size).toBe(9);
  });

  it("refuses bytes that are not UTF-8, and has no end after a failure", async () => {
    const { stream } = open("utf8");
    await expect(stream.write(Uint8Array.of(0xff))).rejects.toMatchObject({ code: "INVALID_REQUEST" });
    await expect(stream.write("fine")).rejects.toMatchObject({ code: "INVALID_REQUEST" });
    await expect(stream.end()).rejects.toThrow("not UTF-8");
    const cutOff = open("utf8").stream;
    await cutOff.write(Buffer.from("é").subarray(0, 1));
    await expect(cutOff.end()).rejects.toThrow("not UTF-8");
  });

  it("is bounded: beyond 256 MiB it fails with INTERNAL_ERROR [arcp-14-result-cap] [arcp-14-cap-exceeded]", async () => {
    const host = createTestHost();
    // The entries themselves are not kept: a quarter of a gigabyte of them is not what this is about.
    const { stream } = open("base64", { ...host, append: () => undefined });
    const part = new Uint8Array(MAX_STREAMED_BYTES / 8);
    for (let index = 0; index < 8; index++) await stream.write(part);
    await expect(stream.write("x")).rejects.toMatchObject({
      code: "INTERNAL_ERROR",
      retryable: false,
      details: { limit: "maxResultBytes", bytes: MAX_STREAMED_BYTES },
    });
    await expect(stream.end()).rejects.toMatchObject({ code: "INTERNAL_ERROR" });
  });

  it("takes nothing after the end, ends once, and is one for a job [reading-result-finalised-once]", async () => {
    const { host, ctx, stream } = open("utf8");
    const ending = stream.end({ summary: "none" });
    await expect(stream.end()).rejects.toThrow("already finalised");
    expect(await ending).toMatchObject({ size: 0, summary: "none" });
    await expect(stream.end()).rejects.toMatchObject({ code: "INVALID_REQUEST" });
    await expect(stream.write("x")).rejects.toThrow("after end()");
    await expect(open("utf8").stream.write(7 as never)).rejects.toThrow("takes a string or a Uint8Array");
    expect(chunksOf(host)).toHaveLength(1);
    expect(() => ctx.streamResult()).toThrow("called twice");
    expect(() => open("hex" as never)).toThrow("streamResult.encoding");
  });
});
