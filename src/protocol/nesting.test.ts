import { describe, expect, test } from "vitest";
import { cutDeepText, nestsDeeper } from "./nesting.ts";

const long = (text: string) => text.padEnd(20_000);

describe("long JSON text", () => {
  test.each([
    ["arrays", "[".repeat(100)],
    ["objects", '{"a":'.repeat(100)],
    ["both", '[{"a":'.repeat(50)],
    ["what goes up and down again", `[${"[[]],".repeat(1_000)}${"[".repeat(99)}`],
    ["what begins after strings with quotes and brackets in them", `["\\"[","\\\\",${"[".repeat(99)}`],
  ])("nests deeper: %s", (_, text) => {
    expect(cutDeepText(long(text), 99)).toBeDefined();
    expect(cutDeepText(long(text), 100)).toBeUndefined();
  });

  test.each([
    ["brackets in a string", `["${"[".repeat(1_000)}"]`],
    ["brackets after an escaped quote", `["\\"${"[".repeat(1_000)}"]`],
    ["a string that does not end", `["${"[".repeat(1_000)}\\"`],
    ["many side by side", `[${"[],{},".repeat(1_000)}1]`],
  ])("does not: %s", (_, text) => {
    expect(cutDeepText(long(text), 10)).toBeUndefined();
  });

  test("is cut where it nests deeper, and can be parsed then", () => {
    const cut = cutDeepText(long(`{"id":"a","of":[{}],"in":[1,{"x":[{"y":[[1]]}]}],"after":1}`), 4);
    expect(JSON.parse(cut ?? "")).toEqual({ id: "a", of: [{}], in: [1, { x: [0] }] });
  });

  test("is all that is looked at: what is short costs nothing either way", () => {
    expect(cutDeepText("[".repeat(1_000), 10)).toBeUndefined();
  });

  test("of backslashes is looked through as fast as any", () => {
    expect(cutDeepText(`"${"\\".repeat(500_000)}"${'\\"'.repeat(250_000)}`, 10)).toBeUndefined();
  });
});

test("a parsed value nests deeper where its own level is one too many", () => {
  const nested = JSON.parse(`[1,${'{"a":'.repeat(9)}0${"}".repeat(9)}]`);
  expect(nestsDeeper(nested, 9)).toBe(true);
  expect(nestsDeeper(nested, 10)).toBe(false);
});
