import { expect, test } from "vitest";
import { eventSeqOf, isJobEvent, numberAfter } from "./frame-scan.ts";
import { framed, monotonicMicroseconds, pushedFrame, SENT_MARK } from "./pushed-frames.ts";

test("a pushed frame has the size asked for, a number and a time", () => {
  const frame = pushedFrame(77, 250, 123_456);
  expect(frame).toHaveLength(250);
  expect(JSON.parse(frame)).toMatchObject({ event_seq: 77 });
  expect(eventSeqOf(frame)).toBe(77);
  expect(numberAfter(frame, SENT_MARK)).toBe(123_456);
  expect(isJobEvent(frame)).toBe(true);
});

test("a size too small for its content gives a whole frame all the same", () => {
  expect(JSON.parse(pushedFrame(1, 10, 5))).toMatchObject({ event_seq: 1 });
});

test.each([80, 125, 126, 255, 256, 4000])("a text of %d characters is framed as RFC 6455 has it", (size) => {
  const text = pushedFrame(1, size, 0);
  const bytes = Buffer.from(framed(text), "latin1");
  const [first, second] = bytes;
  expect(first).toBe(0x81); // final, text
  const header = size < 126 ? 2 : 4;
  expect(second).toBe(Math.min(size, 126));
  if (header === 4) expect(bytes.readUInt16BE(2)).toBe(size);
  expect(bytes.toString("latin1", header)).toBe(text);
});

test("the monotonic clock does not go backwards", () => {
  const earlier = monotonicMicroseconds();
  expect(monotonicMicroseconds()).toBeGreaterThanOrEqual(earlier);
});
