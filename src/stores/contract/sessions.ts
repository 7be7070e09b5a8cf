/** Sessions, their segments and follows, as every store must keep them. */
import { beforeEach, describe, expect, it } from "vitest";
import type { Chunk, Segment } from "../../kernel/ports.ts";
import { aChunk, aFollow, aJob, anUpdate, aSegment, aSession } from "./rows.ts";
import type { Subject } from "./subject.ts";

export function describeSessions(subject: Subject): void {
  describe("sessions", () => {
    beforeEach(() => subject.put({ sessions: [aSession("s")], jobs: [aJob("a"), aJob("b")] }));

    it("reads a session back, and replaces it by id", async () => {
      const untouched = { head: 0, released: 0, follows: [] };
      expect(await subject.store.readSession("s")).toEqual({ ...aSession("s"), ...untouched });
      expect(await subject.store.readSession("nobody")).toBeUndefined();
      const rotated = { ...aSession("s"), newestToken: "new", presentedToken: "old" };
      await subject.put({ sessions: [rotated] });
      expect(await subject.store.readSession("s")).toEqual({ ...rotated, ...untouched });
    });

    it("lists all sessions", async () => {
      await subject.put({
        sessions: [aSession("later", { createdAt: 2000 }), aSession("latest", { createdAt: 3000 })],
      });
      expect(await subject.store.listSessions()).toEqual(
        ["s", "later", "latest"].map((id) => ({ id, principal: "t/me" })),
      );
    });

    it("reads segments with places after a position, in order, at most `limit`", async () => {
      const segments = [aSegment("s", 1, 3, "a", 1), aSegment("s", 4, 4, "b", 1), aSegment("s", 5, 9, "a", 4)];
      await subject.put({ segments });
      expect(await subject.store.readSegments("s", 0, 100)).toEqual(segments);
      expect(await subject.store.readSegments("s", 2, 100)).toEqual(segments);
      expect(await subject.store.readSegments("s", 3, 100)).toEqual(segments.slice(1));
      expect(await subject.store.readSegments("s", 7, 100)).toEqual(segments.slice(2));
      expect(await subject.store.readSegments("s", 9, 100)).toEqual([]);
      expect(await subject.store.readSegments("s", 2, 2)).toEqual(segments.slice(0, 2));
      expect(await subject.store.readSegments("s", 2, 0)).toEqual([]);
      expect(await subject.store.readSegments("nobody", 0, 100)).toEqual([]);
      expect((await subject.store.readSession("s"))?.head).toBe(9);
    });

    it("tells exact cursors: what was stored, or what remaining segments reach", async () => {
      await subject.put({
        follows: [aFollow("s", "a", 2), aFollow("s", "b", 0, true)],
        segments: [aSegment("s", 1, 3, "b", 1)],
      });
      expect(await subject.followsOf("s")).toEqual([aFollow("s", "a", 2), aFollow("s", "b", 3, true)]);
      await subject.put({ segments: [aSegment("s", 4, 5, "a", 3)], follows: [aFollow("s", "b", 0, false)] });
      expect(await subject.followsOf("s")).toEqual([aFollow("s", "a", 4), aFollow("s", "b", 3, false)]);
    });

    it("begins a follow anew, whatever places an earlier one has left", async () => {
      await subject.put({
        follows: [aFollow("s", "a", 0)],
        segments: [aSegment("s", 1, 5, "a", 1)],
      });
      await subject.put({ follows: [aFollow("s", "a", 0, false, 5)] });
      expect(await subject.followsOf("s")).toEqual([aFollow("s", "a", 0, false, 5)]);
      await subject.put({ segments: [aSegment("s", 6, 7, "a", 1)] });
      expect(await subject.followsOf("s")).toEqual([aFollow("s", "a", 2, false, 5)]);
      await subject.put({ releases: [{ session: "s", upTo: 5 }] });
      expect(await subject.followsOf("s")).toEqual([aFollow("s", "a", 2, false, 5)]);
      await subject.put({ releases: [{ session: "s", upTo: 7 }] });
      expect(await subject.followsOf("s")).toEqual([aFollow("s", "a", 2, false, 5)]);
    });

    it("forgets a follow, and leaves the others", async () => {
      await subject.put({ follows: [aFollow("s", "a", 0), aFollow("s", "b", 0)] });
      await subject.put({ unfollows: [{ session: "s", job: "a" }] });
      expect(await subject.followsOf("s")).toEqual([aFollow("s", "b", 0)]);
    });

    it("takes the end of a follow for done when its job is gone, and writes the rest of the batch", async () => {
      await subject.put({ follows: [aFollow("s", "a", 0), aFollow("s", "b", 0)] });
      await subject.put({
        unfollows: [
          { session: "s", job: "nobody" },
          { session: "s", job: "a" },
        ],
      });
      expect(await subject.followsOf("s")).toEqual([aFollow("s", "b", 0)]);
    });

    it("frees segments up to a place, and keeps their cursors", async () => {
      await subject.put({
        follows: [aFollow("s", "a", 0), aFollow("s", "b", 0)],
        segments: [aSegment("s", 1, 3, "a", 1), aSegment("s", 4, 5, "b", 1), aSegment("s", 6, 9, "a", 4)],
      });
      await subject.put({ releases: [{ session: "s", upTo: 8 }] });
      expect(await subject.store.readSegments("s", 0, 100)).toEqual([aSegment("s", 6, 9, "a", 4)]);
      expect(await subject.store.readSession("s")).toMatchObject({ head: 9, released: 5 });
      expect(await subject.followsOf("s")).toEqual([aFollow("s", "a", 7), aFollow("s", "b", 2)]);

      await subject.put({ releases: [{ session: "s", upTo: 1000 }] });
      expect(await subject.store.readSegments("s", 0, 100)).toEqual([]);
      expect(await subject.store.readSession("s")).toMatchObject({ head: 9, released: 9 });
      expect(await subject.followsOf("s")).toEqual([aFollow("s", "a", 7), aFollow("s", "b", 2)]);

      await subject.put({ releases: [{ session: "s", upTo: 3 }], sessions: [aSession("s", { newestToken: "x" })] });
      expect(await subject.store.readSession("s")).toMatchObject({ head: 9, released: 9 });
      await subject.put({ releases: [{ session: "nobody", upTo: 3 }] });
    });

    it("frees what the same commit places", async () => {
      await subject.put({
        follows: [aFollow("s", "a", 0)],
        segments: [aSegment("s", 1, 3, "a", 1), aSegment("s", 4, 6, "a", 4)],
        releases: [{ session: "s", upTo: 3 }],
      });
      expect(await subject.store.readSession("s")).toMatchObject({
        head: 6,
        released: 3,
        follows: [aFollow("s", "a", 6)],
      });
    });

    it("leaves out follows of ended jobs that have been placed to the end", async () => {
      await subject.put({
        chunks: [aChunk("a", 1, 4), aChunk("b", 1, 4)],
        follows: [aFollow("s", "a", 0), aFollow("s", "b", 0)],
        segments: [aSegment("s", 1, 4, "a", 1), aSegment("s", 5, 7, "b", 1)],
      });
      expect(await subject.followsOf("s")).toEqual([aFollow("s", "a", 4), aFollow("s", "b", 3)]);
      await subject.put({ jobUpdates: [anUpdate("a", { status: "success" }), anUpdate("b", { status: "error" })] });
      expect(await subject.followsOf("s")).toEqual([aFollow("s", "b", 3)]);
      await subject.put({ releases: [{ session: "s", upTo: 7 }] });
      expect(await subject.followsOf("s")).toEqual([aFollow("s", "b", 3)]);
      await subject.put({ segments: [aSegment("s", 8, 8, "b", 4)] });
      expect(await subject.followsOf("s")).toEqual([]);
      await subject.put({ releases: [{ session: "s", upTo: 8 }], follows: [aFollow("s", "a", 1)] });
      expect(await subject.followsOf("s")).toEqual([aFollow("s", "a", 1)]);
    });

    it("keeps a frame that is no entry of a log in its place, and moves no cursor by it", async () => {
      const frame: Segment = {
        ...aSegment("s", 4, 4, "a", 0),
        frame: '{"type":"job.event","event_seq":4,"payload":{"x":"é"}}',
      };
      const segments = [aSegment("s", 1, 3, "a", 1), frame, aSegment("s", 5, 6, "a", 4)];
      await subject.put({ chunks: [aChunk("a", 1, 9)], follows: [aFollow("s", "a", 0)] });
      await subject.put({ segments: segments.slice(0, 2) });
      expect(await subject.followsOf("s")).toEqual([aFollow("s", "a", 3)]);
      expect(await subject.store.readSession("s")).toMatchObject({ head: 4 });
      await subject.put({ segments: segments.slice(2) });
      expect(await subject.store.readSegments("s", 0, 100)).toEqual(segments);
      await subject.put({ releases: [{ session: "s", upTo: 4 }] });
      expect(await subject.followsOf("s")).toEqual([aFollow("s", "a", 5)]);
      expect(await subject.store.readSession("s")).toMatchObject({ head: 6, released: 4 });
      await subject.rejects({ segments: [{ ...aSegment("s", 7, 8, "a", 0), frame: "{}" }] });
      await subject.rejects({ segments: [{ ...aSegment("s", 7, 7, "a", 6), frame: "{}" }] });
    });

    it("measures what a session keeps of logs: whole chunks, each once, and what it has yet to be given", async () => {
      const bytes = (...chunks: Chunk[]): number =>
        chunks.reduce((sum, { payloads }) => sum + Buffer.byteLength(payloads.join("\n")), 0);
      const [one, two, three] = [aChunk("a", 1, 4), aChunk("a", 5, 2), aChunk("a", 7, 3)];
      const other: Chunk = { ...aChunk("b", 1, 1), payloads: ['{"text":"größer 😀"}'] };
      await subject.put({ chunks: [one, two, three, other] });
      expect(await subject.store.measureSession("s")).toBe(0);
      expect(await subject.store.measureSession("nobody")).toBe(0);
      await subject.put({ segments: [aSegment("s", 1, 2, "a", 3)] });
      expect(await subject.store.measureSession("s")).toBe(bytes(one));
      await subject.put({ segments: [aSegment("s", 3, 4, "a", 5)] });
      expect(await subject.store.measureSession("s")).toBe(bytes(one, two));
      await subject.put({ follows: [aFollow("s", "a", 2), aFollow("s", "b", 0)] });
      expect(await subject.store.measureSession("s")).toBe(bytes(one, two, three, other));
      await subject.put({ releases: [{ session: "s", upTo: 2 }] });
      expect(await subject.store.measureSession("s")).toBe(bytes(two, three, other));
      await subject.put({ releases: [{ session: "s", upTo: 4 }], unfollows: [{ session: "s", job: "b" }] });
      expect(await subject.store.measureSession("s")).toBe(bytes(three));
    });

    it("forgets ended sessions, their segments and follows", async () => {
      await subject.put({ sessions: [aSession("other")], follows: [aFollow("s", "a", 0), aFollow("other", "a", 0)] });
      await subject.put({ segments: [aSegment("s", 1, 3, "a", 1), aSegment("other", 1, 2, "a", 1)] });
      await subject.put({ endedSessions: ["s", "nobody"], segments: [aSegment("s", 4, 5, "a", 4)] });
      expect(await subject.store.readSession("s")).toBeUndefined();
      expect(await subject.store.readSegments("s", 0, 100)).toEqual([]);
      expect(await subject.store.readSession("other")).toMatchObject({ head: 2, follows: [aFollow("other", "a", 2)] });
      await subject.put({ sessions: [aSession("s")] });
      expect(await subject.store.readSession("s")).toMatchObject({ head: 0, released: 0, follows: [] });
      expect(await subject.store.readSegments("s", 0, 100)).toEqual([]);
    });

    it("rejects places that are taken or empty, and rows of unknown sessions or jobs", async () => {
      await subject.put({ segments: [aSegment("s", 1, 3, "a", 1)] });
      await subject.rejects({ segments: [aSegment("s", 1, 2, "b", 1)] });
      await subject.rejects({ segments: [aSegment("s", 4, 3, "b", 1)] });
      await subject.rejects({ segments: [aSegment("nobody", 1, 3, "a", 1)] });
      await subject.rejects({ segments: [aSegment("s", 4, 5, "nobody", 1)] });
      await subject.rejects({ follows: [aFollow("nobody", "a", 0)] });
      await subject.rejects({ follows: [aFollow("s", "nobody", 0)] });
    });
  });
}
