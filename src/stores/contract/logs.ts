/** Logs, idempotency keys and steps, as every store must keep them. */
import { beforeEach, describe, expect, it } from "vitest";
import { LATEST_WITHIN_CHUNKS, PAGE_LENGTH } from "../../kernel/ports.ts";
import { aChunk, aJob } from "./rows.ts";
import type { Subject } from "./subject.ts";

export function describeLogs(subject: Subject): void {
  describe("logs", () => {
    beforeEach(async () => {
      await subject.put({ jobs: [aJob("a"), aJob("b")], chunks: [aChunk("a", 1, 3)] });
      await subject.put({ chunks: [aChunk("a", 4, 1), aChunk("b", 1, 2), aChunk("a", 5, 4)] });
    });

    const firsts = async (query: { after: number; upTo?: number; limit: number }) =>
      (await subject.store.readChunks({ job: "a", ...query })).map(({ firstSeq }) => firstSeq);

    it("reads chunks back whole, in order", async () => {
      expect(await subject.store.readChunks({ job: "a", after: 0, limit: 100 })).toEqual([
        aChunk("a", 1, 3),
        aChunk("a", 4, 1),
        aChunk("a", 5, 4),
      ]);
      expect(await subject.store.readChunks({ job: "nobody", after: 0, limit: 100 })).toEqual([]);
    });

    it("begins with the chunk that holds the entry after `after`", async () => {
      expect(await firsts({ after: 1, limit: 100 })).toEqual([1, 4, 5]);
      expect(await firsts({ after: 2, limit: 100 })).toEqual([1, 4, 5]);
      expect(await firsts({ after: 3, limit: 100 })).toEqual([4, 5]);
      expect(await firsts({ after: 7, limit: 100 })).toEqual([5]);
      expect(await firsts({ after: 8, limit: 100 })).toEqual([]);
    });

    it("ends with the chunk that holds `upTo`", async () => {
      expect(await firsts({ after: 0, upTo: 2, limit: 100 })).toEqual([1]);
      expect(await firsts({ after: 0, upTo: 4, limit: 100 })).toEqual([1, 4]);
      expect(await firsts({ after: 4, upTo: 6, limit: 100 })).toEqual([5]);
      expect(await firsts({ after: 4, upTo: 4, limit: 100 })).toEqual([]);
    });

    it("ends with the chunk that reaches `limit` entries, counted from `after`", async () => {
      expect(await firsts({ after: 0, limit: 3 })).toEqual([1]);
      expect(await firsts({ after: 0, limit: 4 })).toEqual([1, 4]);
      expect(await firsts({ after: 2, limit: 2 })).toEqual([1, 4]);
      expect(await firsts({ after: 0, limit: 0 })).toEqual([]);
    });

    it("ends a page that grows long, whatever its number of entries", async () => {
      const half = JSON.stringify("x".repeat(PAGE_LENGTH / 2));
      const long = (firstSeq: number) => ({ job: "b", firstSeq, kinds: "x", payloads: [half] });
      await subject.put({ chunks: [long(3), long(4), long(5)] });
      const page = await subject.store.readChunks({ job: "b", after: 2, limit: 100 });
      expect(page.map(({ firstSeq }) => firstSeq)).toEqual([3, 4]);
    });

    it("tells how far each log reaches", async () => {
      await subject.put({ jobs: [aJob("empty")] });
      const heads = await subject.store.readHeads(["a", "b", "empty", "nobody"]);
      expect([...heads].toSorted()).toEqual([
        ["a", 8],
        ["b", 2],
        ["empty", 0],
        ["nobody", 0],
      ]);
    });

    it("finds the latest entry of a kind, however many of others came after it", async () => {
      const last = { job: "a", firstSeq: 9, kinds: "pslE", payloads: ["1", "2", "3", "4"] };
      await subject.put({ chunks: [last] });
      expect(await subject.store.readLatest("a", "p")).toEqual({ jobSeq: 9, code: "p", payload: "1" });
      expect(await subject.store.readLatest("a", "RE")).toEqual({ jobSeq: 12, code: "E", payload: "4" });
      expect(await subject.store.readLatest("a", "ps")).toEqual({ jobSeq: 10, code: "s", payload: "2" });
      const [first] = await subject.store.readChunks({ job: "b", after: 0, limit: 1 });
      const code = first?.kinds.at(-1) ?? "";
      expect(await subject.store.readLatest("b", code)).toEqual({ jobSeq: 2, code, payload: first?.payloads.at(-1) });
      expect(await subject.store.readLatest("a", "R")).toBeUndefined();
      expect(await subject.store.readLatest("nobody", "RE")).toBeUndefined();
    });

    it("looks back for it only so far", async () => {
      const entry = (firstSeq: number, kinds: string) => ({ job: "b", firstSeq, kinds, payloads: ["{}"] });
      await subject.put({ chunks: [entry(3, "p"), entry(4, "p")] });
      const later = Array.from({ length: LATEST_WITHIN_CHUNKS - 1 }, (_, index) => entry(5 + index, "s"));
      await subject.put({ chunks: later });
      expect((await subject.store.readLatest("b", "p"))?.jobSeq).toBe(4);
      await subject.put({ chunks: [entry(4 + LATEST_WITHIN_CHUNKS, "s")] });
      expect(await subject.store.readLatest("b", "p")).toBeUndefined();
    });

    it("keeps every character of a payload", async () => {
      const payloads = ['{"text":"é 🦊 \\n \\u0000"}', "", '"\u2028"'];
      await subject.put({ chunks: [{ job: "b", firstSeq: 3, kinds: "xxE", payloads }] });
      expect((await subject.store.readChunks({ job: "b", after: 2, limit: 3 }))[0]).toEqual({
        job: "b",
        firstSeq: 3,
        kinds: "xxE",
        payloads,
      });
    });

    it("rejects a position that is taken and a log of no job", async () => {
      await subject.rejects({ chunks: [aChunk("a", 5, 1)] });
      await subject.rejects({ chunks: [aChunk("nobody", 1, 1)] });
    });
  });

  describe("idempotency keys and steps", () => {
    const row = (job: string, key = "k") => ({ principal: "t/me", key, digest: `digest of ${job}`, job });

    it("finds a key of its principal", async () => {
      await subject.put({ jobs: [aJob("a")], idempotency: [row("a")] });
      expect(await subject.store.readIdempotency("t/me", "k")).toEqual(row("a"));
      expect(await subject.store.readIdempotency("t/you", "k")).toBeUndefined();
      expect(await subject.store.readIdempotency("t/me", "other")).toBeUndefined();
    });

    it("rejects a second use, in one commit or in two", async () => {
      await subject.rejects({ jobs: [aJob("a"), aJob("b")], idempotency: [row("a"), row("b")] });
      expect(await subject.store.readJob("a")).toBeUndefined();
      await subject.put({ jobs: [aJob("a")], idempotency: [row("a")] });
      await subject.rejects({ jobs: [aJob("b")], idempotency: [row("b")] });
      expect(await subject.store.readJob("b")).toBeUndefined();
      expect((await subject.store.readIdempotency("t/me", "k"))?.job).toBe("a");
      await subject.put({
        jobs: [aJob("c", { principal: "t/you" })],
        idempotency: [{ ...row("c"), principal: "t/you" }],
      });
    });

    it("keeps steps by name, the last value of each", async () => {
      await subject.put({ jobs: [aJob("a"), aJob("b")], steps: [{ job: "a", name: "one", value: "1" }] });
      await subject.put({
        steps: [
          { job: "a", name: "two", value: null },
          { job: "b", name: "one", value: "9" },
          { job: "a", name: "one", value: "2" },
        ],
      });
      const steps = (await subject.store.readSteps("a")).toSorted((x, y) => (x.name < y.name ? -1 : 1));
      expect(steps).toEqual([
        { job: "a", name: "one", value: "2" },
        { job: "a", name: "two", value: null },
      ]);
      expect(await subject.store.readSteps("nobody")).toEqual([]);
      await subject.rejects({ steps: [{ job: "nobody", name: "one", value: null }] });
    });
  });
}
