import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { completeUsage, readUsage, sizeOf, usageRecord } from "./model-usage.ts";

const UNTOLD = { input: undefined, output: undefined };

describe("usage of specification v3 and v4", () => {
  const read = (inputTokens: object, outputTokens: object = {}) => readUsage({ inputTokens, outputTokens });

  it("is divided so that each token is counted once", () => {
    const input = { total: 100, noCache: 60, cacheRead: 30, cacheWrite: 10 };
    expect(read(input, { total: 50, text: 20, reasoning: 30 })).toEqual({
      input: { fresh: 60, cached: 30, written: 10 },
      output: { text: 20, reasoning: 30 },
    });
  });

  it("is divided by what is there", () => {
    expect(read({ total: 100 }, { total: 5 })).toEqual({
      input: { fresh: 100, cached: 0, written: 0 },
      output: { text: 5, reasoning: 0 },
    });
    expect(read({ total: 100, cacheRead: 30 }, { total: 5, reasoning: 2 })).toMatchObject({
      input: { fresh: 70, cached: 30 },
      output: { text: 3, reasoning: 2 },
    });
    expect(read({ noCache: 7, cacheRead: 3 }, { text: 4 })).toMatchObject({
      input: { fresh: 7, cached: 3 },
      output: { text: 4 },
    });
  });

  it("counts parts on top of a total that they exceed, as it cannot have them in it", () => {
    expect(read({ total: 10, cacheRead: 5_000 }, { total: 3, reasoning: 400 })).toMatchObject({
      input: { fresh: 10, cached: 5_000 },
      output: { text: 3, reasoning: 400 },
    });
  });

  it.each([
    ["nothing", undefined],
    ["null", null],
    ["no numbers", { inputTokens: { total: undefined }, outputTokens: { total: undefined } }],
    ["negative numbers", { inputTokens: { total: -5 }, outputTokens: { total: -1, reasoning: -7 } }],
    ["fractions", { inputTokens: { total: 0.5 }, outputTokens: { total: Number.NaN } }],
    ["numbers beyond counting", { inputTokens: { total: 2 ** 60 }, outputTokens: { total: Infinity } }],
    ["texts", { inputTokens: { total: "5" }, outputTokens: { total: "5" } }],
  ])("is not told by %s", (_, usage) => expect(readUsage(usage)).toEqual(UNTOLD));

  it("is not told by a prompt of no tokens", () => {
    expect(read({ total: 0, noCache: 0 }, { total: 0 })).toEqual({
      input: undefined,
      output: { text: 0, reasoning: 0 },
    });
  });

  it("is never less than any number that was told", () => {
    const told = fc.option(fc.nat(10_000), { nil: undefined });
    const side = fc.record({
      total: told,
      noCache: told,
      cacheRead: told,
      cacheWrite: told,
      text: told,
      reasoning: told,
    });
    fc.assert(
      fc.property(side, side, (inputTokens, outputTokens) => {
        const { input, output } = readUsage({ inputTokens, outputTokens });
        if (input !== undefined) {
          const all = input.fresh + input.cached + input.written;
          expect(all).toBeGreaterThanOrEqual(inputTokens.total ?? 0);
          expect(input.fresh).toBeGreaterThanOrEqual(inputTokens.noCache ?? 0);
        }
        if (output !== undefined) {
          expect(output.text + output.reasoning).toBeGreaterThanOrEqual(outputTokens.total ?? 0);
          expect(output.text).toBeGreaterThanOrEqual(outputTokens.text ?? 0);
        }
      }),
    );
  });
});

describe("usage of specification v2", () => {
  it("does not tell whether cached tokens are among the others, and is never counted too low", () => {
    const usage = { inputTokens: 100, cachedInputTokens: 40, outputTokens: 10, reasoningTokens: 4, totalTokens: 110 };
    expect(readUsage(usage)).toEqual({
      input: { fresh: 100, cached: 40, written: 0 },
      output: { text: 6, reasoning: 4 },
    });
  });

  it("may be missing on either side", () => {
    expect(readUsage({ inputTokens: undefined, outputTokens: 3 })).toEqual({
      input: undefined,
      output: { text: 3, reasoning: 0 },
    });
    expect(readUsage({ inputTokens: 3, outputTokens: undefined }).output).toBeUndefined();
  });
});

describe("usage that was not told", () => {
  it("is taken for a token for each byte", () => {
    const counted = completeUsage(UNTOLD, 120, 30);
    expect(counted).toMatchObject({ input: { fresh: 120 }, output: { text: 30 }, assumed: ["input", "output"] });
    expect(usageRecord(counted)).toEqual({ input_tokens: 120, output_tokens: 30, assumed: ["input", "output"] });
  });

  it("keeps the side that was told", () => {
    const counted = completeUsage({ input: { fresh: 9, cached: 2, written: 1 }, output: undefined }, 120, 30);
    expect(usageRecord(counted)).toEqual({
      input_tokens: 12,
      cached_input_tokens: 2,
      cache_write_tokens: 1,
      output_tokens: 30,
      assumed: ["output"],
    });
  });

  it("includes an answer of which there is something to see, and which is said to have cost nothing", () => {
    const input = { fresh: 9, cached: 0, written: 0 };
    const output = { text: 0, reasoning: 0 };
    expect(completeUsage({ input, output }, 120, 30)).toMatchObject({ output: { text: 30 }, assumed: ["output"] });
    expect(completeUsage({ input, output }, 120, 0)).toMatchObject({ output: { text: 0 }, assumed: [] });
  });
});

describe("the size of content", () => {
  it("is that of its texts, data and addresses", () => {
    const prompt = [
      { role: "system", content: "é" },
      { role: "user", content: [{ type: "file", data: new Uint8Array(10), url: new URL("http://a.b/") }] },
    ];
    expect(sizeOf(prompt)).toBe(Buffer.byteLength("system" + "é" + "user" + "file" + "http://a.b/") + 10);
  });

  it("ends where nothing sensible goes on", () => {
    const endless: { next?: object; text: string } = { text: "x" };
    endless.next = endless;
    expect(sizeOf(endless)).toBeLessThan(100);
    expect(sizeOf([1, true, null, undefined])).toBe(0);
  });
});
