import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { aJob } from "../../stores/contract/rows.ts";
import { createMemoryStore } from "../../stores/memory/memory-store.ts";
import { createFakeWorld } from "../../testing/fake-world.ts";
import type { Outcome } from "../job/job-state.ts";
import { EntryBuffer, eventPayload, terminalPayload } from "./entry.ts";
import { type ResultPiece, readStreamedResult, streamedTerminal } from "./streamed-result.ts";

async function collected(pieces: AsyncIterable<ResultPiece>): Promise<ResultPiece[]> {
  const all: ResultPiece[] = [];
  for await (const piece of pieces) all.push(piece);
  return all;
}

const payloadOf = (outcome: Outcome): string => terminalPayload({ ...aJob("job_1"), outcome, endedAt: 1_000 }, 7);

describe("the terminal of a streamed result", () => {
  it("is read back, whatever its summary says", () => {
    fc.assert(
      fc.property(fc.option(fc.string({ unit: "binary" })), fc.nat(), (summary, size) => {
        const stream = { resultId: "res_1", size };
        const payload = payloadOf({ status: "success", stream, ...(summary === null ? {} : { summary }) });
        const read = streamedTerminal(payload);
        expect(read).toEqual(JSON.parse(payload));
        expect(read).toMatchObject({ job_id: "job_1", result_id: "res_1", result_size: size });
      }),
    );
  });

  it("is no other's, however much that looks like one", () => {
    const lookalike = fc.constantFrom('{"result_id":"res_1"}', '","result_id":"x', '"a","result_id":', "plain");
    const value = fc.oneof(fc.jsonValue(), lookalike, fc.record({ result_id: fc.string(), result_size: fc.nat() }));
    fc.assert(
      fc.property(value, fc.option(fc.oneof(fc.string(), lookalike)), (result, summary) => {
        const more = summary === null ? {} : { summary };
        expect(
          streamedTerminal(payloadOf({ status: "success", result: JSON.stringify(result), ...more })),
        ).toBeUndefined();
      }),
    );
    expect(streamedTerminal(payloadOf({ status: "success" }))).toBeUndefined();
    const error = { code: "INTERNAL_ERROR", message: '"result_id":', retryable: true } as const;
    expect(streamedTerminal(payloadOf({ status: "error", error }))).toBeUndefined();
  });
});

describe("reading a streamed result", () => {
  /** A log of chunks of `first`, then of `second`, with other entries in between. */
  async function aLog(first: number, second: number) {
    const store = createMemoryStore();
    const log = new EntryBuffer(0);
    const chunk = (id: string, seq: number, more: boolean): void => {
      const body = { result_id: id, chunk_seq: seq, data: `${id} ${seq};`, encoding: "utf8", more };
      log.push("log", eventPayload("log", 0, log.nextSeq, '{"level":"info","message":"result_chunk"}'));
      log.push("result_chunk", eventPayload("result_chunk", 0, log.nextSeq, JSON.stringify(body)));
    };
    for (let seq = 0; seq < first; seq++) chunk("lost", seq, true);
    for (let seq = 0; seq < second; seq++) chunk("kept", seq, seq < second - 1);
    await store.commit({ claims: [], rows: { jobs: [aJob("job")], chunks: log.take("job") } });
    return store;
  }

  it.each([
    [0, 1],
    [3, 2],
    [700, 1_500],
  ])("finds its chunks among others, page by page (%i lost, %i kept)", async (lost, kept) => {
    const world = createFakeWorld();
    const store = await aLog(lost, kept);
    const reading = collected(readStreamedResult(store, world.timers, "job", "kept"));
    for (let round = 0; round < 200; round++) await world.settle();
    const pieces = await reading;
    expect(pieces.map(({ data }) => data)).toEqual(Array.from({ length: kept }, (_, seq) => `kept ${seq};`));
  });

  it("finds nothing of a result that is not on the log", async () => {
    const world = createFakeWorld();
    const reading = collected(readStreamedResult(await aLog(2, 2), world.timers, "job", "other"));
    await world.settle();
    expect(await reading).toEqual([]);
  });
});
