import fc from "fast-check";
import { expect, it } from "vitest";
import { findJsonProblem, MAX_NESTING, MAX_VALUES } from "./json-bounds.ts";

const look = (text: string): string | undefined => findJsonProblem(Buffer.from(text));
const nested = (times: number): string => `${"[".repeat(times)}${"]".repeat(times)}`;

it("takes what is neither deep nor much, whatever its texts hold", () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 5 }), fc.string(), (value, text) => {
      expect(look(JSON.stringify({ value, text, brackets: '\\"[[['.repeat(100) }))).toBeUndefined();
    }),
  );
});

it("refuses what is deeper, or more, by one", () => {
  expect(look(nested(MAX_NESTING))).toBeUndefined();
  expect(look(nested(MAX_NESTING + 1))).toContain("nested deeper");
  expect(look(`{"\\\\":${nested(MAX_NESTING)}}`)).toContain("nested deeper");
  const list = (length: number): string => `[${Array.from({ length }, () => 1).join(",")}]`;
  expect(look(list(MAX_VALUES))).toBeUndefined();
  expect(look(list(MAX_VALUES + 1))).toContain("values");
  expect(look(`[${"[],".repeat(MAX_VALUES)}1]`)).toContain("values");
});
