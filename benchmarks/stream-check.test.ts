import { describe, expect, test } from "vitest";
import { rateOf, StreamCheck } from "./stream-check.ts";

describe("StreamCheck", () => {
  test("accepts a stream without gap or repeat, from where it begins", () => {
    const stream = new StreamCheck(41);
    stream.placed(42, 10);
    stream.placed(43, 20);
    expect(stream.lastEventSeq).toBe(43);
  });

  test("names a gap and a repeat", () => {
    const stream = new StreamCheck();
    stream.placed(1, 1);
    expect(() => stream.placed(3, 1)).toThrow("event_seq 3 came after 1: a gap");
    expect(() => stream.placed(1, 1)).toThrow("event_seq 1 came after 1: a repeat");
  });

  test("wants exactly one terminal for each accepted job", () => {
    const stream = new StreamCheck();
    stream.accepted("job_a");
    stream.ended("job_a");
    expect(() => stream.ended("job_a")).toThrow("a second terminal came for job_a");
    expect(() => stream.ended("job_b")).toThrow("not accepted here");
  });

  test("tallies what arrived since it was asked last", () => {
    const stream = new StreamCheck();
    stream.placed(1, 10);
    stream.placed(2, 20);
    expect(stream.take()).toMatchObject({ frames: 2, meanFrameSize: 15 });
    stream.placed(3, 7);
    expect(stream.take()).toMatchObject({ frames: 1, meanFrameSize: 7, milliseconds: 0 });
    expect(stream.take()).toMatchObject({ frames: 0, meanFrameSize: 0 });
  });
});

test("rateOf counts the intervals between frames, not the frames", () => {
  expect(rateOf({ frames: 11, meanFrameSize: 1, milliseconds: 10 })).toBe(1000);
});
