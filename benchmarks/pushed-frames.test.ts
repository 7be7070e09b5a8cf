import { Receiver } from "ws";
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

test.each([80, 125, 126, 255, 256, 4000])("a WebSocket receiver reads a frame of %d characters back", async (size) => {
  const texts = [pushedFrame(1, size, 0), pushedFrame(2, size, 0)];
  const received: string[] = [];
  const receiver = new Receiver({ isServer: false });
  receiver.on("message", (data: Buffer) => received.push(data.toString()));
  const finished = new Promise((resolve) => receiver.on("finish", resolve));
  receiver.end(Buffer.from(texts.map(framed).join(""), "latin1"));
  await finished;
  expect(received).toEqual(texts);
});

test("the monotonic clock does not go backwards", () => {
  const earlier = monotonicMicroseconds();
  expect(monotonicMicroseconds()).toBeGreaterThanOrEqual(earlier);
});
