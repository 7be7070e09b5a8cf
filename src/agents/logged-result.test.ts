import { expect, it } from "vitest";
import { loggedResult, MAX_LOGGED_RESULT_LENGTH } from "./logged-result.ts";

/** Fails when somebody goes on to the end of it. */
function endless(): unknown[] {
  let looked = 0;
  return new Proxy(new Array(50_000_000), {
    get(target, key) {
      if (key === "length" || typeof key === "symbol") return Reflect.get(target, key);
      if (typeof key === "string" && /^\d+$/.test(key) && ++looked > 1_000_000) throw new Error("looked at too much");
      return /^\d+$/.test(String(key)) ? { row: Number(key) } : Reflect.get(target, key);
    },
  });
}

it("is the result itself, as long as that is short enough", () => {
  const result = { text: "a".repeat(MAX_LOGGED_RESULT_LENGTH - '{"text":""}'.length) };
  expect(loggedResult(result)).toBe(result);
  expect(loggedResult(undefined)).toBeUndefined();
});

it("is how the result begins, and how long it is", () => {
  const text = "a".repeat(MAX_LOGGED_RESULT_LENGTH);
  expect(loggedResult({ text })).toEqual({
    truncated: true,
    length: text.length + '{"text":""}'.length,
    beginning: `{"text":"${"a".repeat(4_096 - '{"text":"'.length)}`,
  });
});

it.each([
  ["a long text", () => ({ text: "ab".repeat(25_000_000) }), '{"text":"ababab'],
  ["many members", () => endless(), '[{"row":0},{"row":1},'],
  ["bytes", () => ({ file: Buffer.alloc(50_000_000) }), '{"file":{"type":"Buffer","data":[0,0,'],
  ["holes", () => new Array(50_000_000), "[null,null,"],
  ["many lists in lists", () => [endless(), endless()], '[[{"row":0},{"row":1},'],
  ["many texts", () => Array.from({ length: 2_000 }, () => ({ text: "ab".repeat(2_000) })), '[{"text":"abab'],
])("is how it begins alone, where to write all of it out would take long: %s", (_, make, beginning) => {
  const told = loggedResult(make()) as { readonly beginning: string };
  expect(told).toEqual({ truncated: true, beginning: expect.any(String) });
  expect(told.beginning.slice(0, beginning.length)).toBe(beginning);
  expect(told.beginning.length).toBeLessThanOrEqual(4_096);
});

it("is as good with what JSON cannot hold, and leaves its error to others", () => {
  const cycle: Record<string, unknown> = {};
  cycle.itself = cycle;
  expect(loggedResult(cycle)).toBe(cycle);
  const value = { big: 1n };
  expect(loggedResult(value)).toBe(value);
  expect(loggedResult({ toJSON: () => "b".repeat(100_000) })).toMatchObject({ truncated: true, length: 100_002 });
});
