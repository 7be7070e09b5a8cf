import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { aJob } from "../../stores/contract/rows.ts";
import type { Outcome } from "../job/job-state.ts";
import { EntryBuffer, eventPayload, formatTime, lastSeqOf, terminalPayload } from "./entry.ts";

const AT = Date.UTC(2026, 0, 2, 3, 4, 5, 6);

describe("a job's entry", () => {
  it("[reading-job-seq] carries kind, time and position beside its body", () => {
    expect(JSON.parse(eventPayload("progress", AT, 7, '{"current":1}'))).toEqual({
      kind: "progress",
      ts: "2026-01-02T03:04:05.006Z",
      job_seq: 7,
      body: { current: 1 },
    });
  });

  it("has the time it was given, whichever was asked for before", () => {
    expect([AT, AT, AT + 1, AT].map(formatTime).map((text) => Date.parse(text))).toEqual([AT, AT, AT + 1, AT]);
  });
});

describe("a terminal entry", () => {
  const ended = (outcome: Outcome) => aJob("job_1", { status: outcome.status, endedAt: AT, outcome });
  const common = { job_id: "job_1", completed_at: "2026-01-02T03:04:05.006Z", job_seq: 9 };
  const payloadOf = (outcome: Outcome) => JSON.parse(terminalPayload(ended(outcome), 9));

  it("[reading-inline-result] holds an inline result, exactly as the agent gave it", () => {
    const text = terminalPayload(ended({ status: "success", result: '{"n":1.0}', summary: "done" }), 9);
    expect(text).toContain('"result":{"n":1.0}');
    expect(JSON.parse(text)).toEqual({ ...common, final_status: "success", summary: "done", result: { n: 1 } });
  });

  it("[reading-job-seq] has its place in the job's log, be it a result or an error", () => {
    const error = { code: "TIMEOUT", message: "late", retryable: true } as const;
    expect([payloadOf({ status: "success" }).job_seq, payloadOf({ status: "timed_out", error }).job_seq]).toEqual([
      9, 9,
    ]);
  });

  it("leaves out a result that is undefined", () => {
    expect(payloadOf({ status: "success" })).toEqual({ ...common, final_status: "success" });
  });

  it("[arcp-8.4-terminal-result-id] names a streamed result and its size", () => {
    expect(payloadOf({ status: "success", stream: { resultId: "res_1", size: 12 } })).toEqual({
      ...common,
      final_status: "success",
      result_id: "res_1",
      result_size: 12,
    });
  });

  it("holds an error's code, message, retryable and details", () => {
    const error = { code: "CANCELLED", message: "a\nb\u2028c", retryable: false, details: { by: "me" } } as const;
    expect(payloadOf({ status: "cancelled", error })).toEqual({ ...common, final_status: "cancelled", ...error });
  });

  it("cannot be made for a job that has not ended", () => {
    expect(() => terminalPayload(aJob("job_1"), 1)).toThrow("job_1 has no outcome");
  });

  it("is one line, whatever an error or a summary holds", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), fc.jsonValue(), (text, details) => {
        const error = { code: "INTERNAL_ERROR", message: text, retryable: true, details: { text, details } } as const;
        const failed = terminalPayload(ended({ status: "error", error }), 9);
        const succeeded = terminalPayload(ended({ status: "success", summary: text }), 9);
        expect(failed + succeeded).not.toMatch(/[\r\n]/);
        expect(JSON.parse(failed).message).toBe(text);
      }),
    );
  });
});

describe("the buffer of entries that wait for their commit", () => {
  it("gives nothing when nothing waits", () => {
    const buffer = new EntryBuffer(4);
    expect([buffer.take("job_1"), buffer.count, buffer.bytes, buffer.nextSeq]).toEqual([[], 0, 0, 5]);
  });

  it("goes on from the head it was given, and from where it was last emptied", () => {
    const buffer = new EntryBuffer(4);
    buffer.push("log", "{}");
    buffer.push("status", "{}");
    expect(buffer.take("job_1")).toEqual([{ job: "job_1", firstSeq: 5, kinds: "ls", payloads: ["{}", "{}"] }]);
    buffer.push("result", "{}");
    expect(buffer.take("job_1")).toEqual([{ job: "job_1", firstSeq: 7, kinds: "R", payloads: ["{}"] }]);
  });

  it("starts another chunk after 256 entries", () => {
    const buffer = new EntryBuffer(0);
    for (let entry = 0; entry < 513; entry++) buffer.push("log", "{}");
    expect(buffer.take("job_1").map((chunk) => [chunk.firstSeq, chunk.kinds.length])).toEqual([
      [1, 256],
      [257, 256],
      [513, 1],
    ]);
  });

  it("starts another chunk before one would pass 64 KiB", () => {
    const buffer = new EntryBuffer(0);
    for (const length of [65_535, 1, 1, 65_536, 1]) buffer.push("log", "x".repeat(length));
    expect(buffer.take("job_1").map((chunk) => chunk.payloads.map((text) => text.length))).toEqual([
      [65_535, 1],
      [1],
      [65_536],
      [1],
    ]);
  });

  it("gives an entry of more than 64 KiB a chunk to itself", () => {
    const buffer = new EntryBuffer(0);
    for (const length of [10, 200_000, 10]) buffer.push("log", "x".repeat(length));
    expect(buffer.take("job_1").map((chunk) => chunk.payloads.map((text) => text.length))).toEqual([
      [10],
      [200_000],
      [10],
    ]);
  });

  it("[law-no-gap-or-repeat] gives every entry once, in order, at consecutive positions, within the limits", () => {
    const lengths = fc.array(fc.oneof(fc.integer({ min: 1, max: 50 }), fc.integer({ min: 1, max: 90_000 })), {
      maxLength: 700,
    });
    fc.assert(
      fc.property(fc.nat(1_000), lengths, fc.integer({ min: 1, max: 300 }), (head, sizes, takeEvery) => {
        const buffer = new EntryBuffer(head);
        const chunks = sizes.flatMap((size, index) => {
          buffer.push("log", String(index).padEnd(size, " "));
          return (index + 1) % takeEvery === 0 ? buffer.take("job_1") : [];
        });
        chunks.push(...buffer.take("job_1"));
        let last = head;
        for (const chunk of chunks) {
          expect(chunk.firstSeq).toBe(last + 1);
          expect(chunk.kinds.length).toBe(chunk.payloads.length);
          expect(chunk.payloads.length).toBeLessThanOrEqual(256);
          const bytes = chunk.payloads.reduce((sum, text) => sum + text.length, 0);
          if (chunk.payloads.length > 1) expect(bytes).toBeLessThanOrEqual(65_536);
          last = lastSeqOf(chunk);
        }
        expect(chunks.flatMap((chunk) => chunk.payloads.map((text) => Number(text)))).toEqual(
          sizes.map((_, index) => index),
        );
      }),
      { numRuns: 50 },
    );
  });
});
