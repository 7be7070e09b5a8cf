import fc from "fast-check";
import { expect, test } from "vitest";
import { findTraceContext, parseTraceContext, parseTraceId } from "./trace-id.ts";

const TRACE = "4bf92f3577b34da6a3ce929d0e0e4736";
const SPAN = "00f067aa0ba902b7";

test.each([TRACE, TRACE.toUpperCase(), `00-${TRACE}-${SPAN}-01`, `00-${TRACE.toUpperCase()}-${SPAN}-00`])(
  "reads %s",
  (text) => {
    expect(parseTraceId(text)).toBe(TRACE);
  },
);

test.each([
  "",
  TRACE.slice(1),
  `${TRACE}0`,
  ` ${TRACE}`,
  `${TRACE}\n`,
  "g".repeat(32),
  "0".repeat(32),
  `00-${"0".repeat(32)}-${SPAN}-01`,
  `00-${TRACE}-${"0".repeat(16)}-01`,
  `ff-${TRACE}-${SPAN}-01`,
  `00-${TRACE}-${SPAN}`,
  `00-${TRACE}-${SPAN}-01-extra`,
])("refuses %j", (text) => {
  expect(parseTraceId(text)).toBeUndefined();
});

test("gives 32 lowercase hex digits, or nothing", () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[0-9a-fA-F]{32}$/)), (text) => {
      const traceId = parseTraceId(text);
      expect(traceId ?? TRACE).toMatch(/^[0-9a-f]{32}$/);
    }),
  );
});

test("keeps the span that calls, with its flags", () => {
  expect(parseTraceContext(`00-${TRACE}-${SPAN.toUpperCase()}-0A`)).toEqual({ traceId: TRACE, parent: `${SPAN}-0a` });
  expect(parseTraceContext(TRACE)).toEqual({ traceId: TRACE });
});

test("finds the headers that SDKs of the field send as an extension, and minds nothing else there", () => {
  const key = "x-vendor.opentelemetry.tracecontext";
  const traceparent = `00-${TRACE}-${SPAN}-01`;
  expect(findTraceContext({ [key]: { traceparent, tracestate: "a=1" } })).toEqual({
    traceId: TRACE,
    parent: `${SPAN}-01`,
  });
  for (const extensions of [undefined, null, 1, "x", [], {}, { [key]: null }, { [key]: { traceparent: 7 } }]) {
    expect(findTraceContext(extensions)).toBeUndefined();
  }
});
