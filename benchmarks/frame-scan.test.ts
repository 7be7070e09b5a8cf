import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { acceptedRequestOf, eventSeqOf, isJobEvent, jobIdOf, numberAfter, textAfter } from "./frame-scan.ts";

describe("numberAfter", () => {
  test("reads the digits after the first marker", () => {
    expect(numberAfter("a sent_us:120345 b sent_us:9", "sent_us:")).toBe(120_345);
  });

  test("finds nothing without marker, or without digits after it", () => {
    expect(numberAfter("abc", "x:")).toBeUndefined();
    expect(numberAfter('x:"7"', "x:")).toBeUndefined();
    expect(numberAfter("x:", "x:")).toBeUndefined();
  });
});

describe("textAfter", () => {
  test("reads up to the quote that follows the first marker", () => {
    expect(textAfter('{"a":"one","b":"two","a":"three"}', '"a":"')).toBe("one");
    expect(textAfter('{"a":""}', '"a":"')).toBe("");
  });

  test("finds nothing without marker or quote, nor where something is escaped", () => {
    expect(textAfter('{"b":"one"}', '"a":"')).toBeUndefined();
    expect(textAfter('{"a":"one', '"a":"')).toBeUndefined();
    expect(textAfter('{"a":"o\\"ne"}', '"a":"')).toBeUndefined();
  });

  test("tells the job of a message, and the request of an acceptance alone", () => {
    const accepted = '{"type":"job.accepted","job_id":"job_1","payload":{"job_id":"job_1","request_id":"msg_7"}}';
    expect([jobIdOf(accepted), acceptedRequestOf(accepted)]).toEqual(["job_1", "msg_7"]);
    const refused = '{"type":"session.error","payload":{"request_id":"msg_7"}}';
    expect([jobIdOf(refused), acceptedRequestOf(refused)]).toEqual([undefined, undefined]);
  });
});

describe("scanning an envelope", () => {
  const types = ["job.event", "job.result", "job.error", "session.pong"] as const;

  test("agrees with parsing it, whatever text the payload holds", () => {
    const envelope = fc.record({
      arcp: fc.constant("1.1"),
      type: fc.constantFrom(...types),
      event_seq: fc.option(fc.nat(), { nil: undefined }),
      payload: fc.record({
        kind: fc.string(),
        body: fc.oneof(fc.string(), fc.constant('"event_seq":5,"type":"job.event"')),
      }),
    });
    fc.assert(
      fc.property(envelope, (message) => {
        const frame = JSON.stringify(message);
        expect(eventSeqOf(frame)).toBe(message.event_seq);
        expect(isJobEvent(frame)).toBe(message.type === "job.event");
      }),
    );
  });

  test("does not take last_event_seq for event_seq", () => {
    expect(eventSeqOf('{"type":"session.jobs","payload":{"last_event_seq":4}}')).toBeUndefined();
  });
});
