/** Commits are whole or nothing, and outlive the store that took them. */
import { describe, expect, it } from "vitest";
import { aDecision } from "./audit.ts";
import { aBudget, aChunk, aCommand, aFollow, aHold, aJob, anUpdate, aSegment, aSession } from "./rows.ts";
import { COMMITTED, type Subject } from "./subject.ts";

export function describeLifetime(subject: Subject): void {
  describe("atomicity", () => {
    it("writes nothing of a batch whose last row does not fit", async () => {
      await subject.put({ sessions: [aSession("old")], jobs: [aJob("a")], chunks: [aChunk("a", 1, 2)] });
      await subject.put({
        segments: [aSegment("old", 1, 2, "a", 1)],
        follows: [aFollow("old", "a", 0)],
        commands: [aCommand("c1", "a")],
      });
      const before = await everything();
      await subject.rejects({
        jobs: [aJob("b")],
        jobUpdates: [anUpdate("a", { status: "running" })],
        idempotency: [{ principal: "t/me", key: "k", digest: "d", job: "b" }],
        chunks: [aChunk("a", 3, 2), aChunk("b", 1, 2)],
        steps: [{ job: "a", name: "one", value: "1" }],
        sessions: [aSession("new"), aSession("old", { newestToken: "x" })],
        follows: [aFollow("new", "b", 0), aFollow("old", "a", 5)],
        segments: [aSegment("old", 3, 4, "a", 3), aSegment("new", 1, 1, "b", 1)],
        releases: [{ session: "old", upTo: 4 }],
        endedSessions: ["new"],
        commands: [aCommand("c2", "b")],
        commandOutcomes: [
          { id: "c1", outcome: "{}" },
          { id: "nobody", outcome: "{}" },
        ],
        audit: [aDecision()],
      });
      expect(await everything()).toEqual(before);
      // What the failed batch tried to write can be written: nothing of it lingers, not even in a cache.
      await subject.put({
        jobs: [aJob("b")],
        chunks: [aChunk("b", 1, 1), aChunk("a", 3, 1)],
        sessions: [aSession("new")],
      });
      await subject.put({ follows: [aFollow("new", "b", 0)], segments: [aSegment("new", 1, 1, "b", 1)] });
      expect(await subject.store.readHeads(["a", "b"])).toEqual(
        new Map([
          ["a", 3],
          ["b", 1],
        ]),
      );
    });

    async function everything() {
      return {
        jobs: await subject.store.listJobs({ principals: ["t/me"], limit: 100 }),
        chunks: [
          await subject.store.readChunks({ job: "a", after: 0, limit: 100 }),
          await subject.store.readChunks({ job: "b", after: 0, limit: 100 }),
        ],
        key: await subject.store.readIdempotency("t/me", "k"),
        steps: await subject.store.readSteps("a"),
        sessions: [await subject.store.readSession("old"), await subject.store.readSession("new")],
        segments: await subject.store.readSegments("old", 0, 100),
        audit: await subject.store.listAudit({ scopes: ["t/*"], limit: 9 }),
        commands: await subject.store.readCommands("n1"),
      };
    }
  });

  describe("closing", () => {
    it("closes once, twice, and rejects everything afterwards", async () => {
      await subject.store.close();
      await subject.store.close();
      await subject.rejects({ jobs: [aJob("a")] });
      await expect(subject.store.claimTrees("n1")).rejects.toThrow("closed");
      await expect(subject.store.readJob("a")).rejects.toThrow("closed");
      await expect(subject.store.readHeads([])).rejects.toThrow("closed");
      await expect(subject.store.listJobs({ principals: ["t/me"], limit: 1 })).rejects.toThrow("closed");
      await expect(subject.store.readChunks({ job: "a", after: 0, limit: 1 })).rejects.toThrow("closed");
      await expect(subject.store.readIdempotency("t/me", "k")).rejects.toThrow("closed");
      await expect(subject.store.readSteps("a")).rejects.toThrow("closed");
      await expect(subject.store.readBudgets(["a"])).rejects.toThrow("closed");
      await expect(subject.store.readHolds("a")).rejects.toThrow("closed");
      await expect(subject.store.readPermission("p")).rejects.toThrow("closed");
      await expect(subject.store.readPermissionsOf("a")).rejects.toThrow("closed");
      await expect(subject.store.listPermissions({ principals: ["t/me"], limit: 1 })).rejects.toThrow("closed");
      await expect(subject.store.readSession("s")).rejects.toThrow("closed");
      await expect(subject.store.readSegments("s", 0, 1)).rejects.toThrow("closed");
      await expect(subject.store.listSessions()).rejects.toThrow("closed");
      await expect(subject.store.readCommands("n1")).rejects.toThrow("closed");
      await expect(subject.store.readCommandOutcome("x")).rejects.toThrow("closed");
    });

    it("finds everything again, where it keeps anything", async () => {
      const job = aJob("a", { outcome: { status: "success", result: "1" } });
      await subject.put({
        sessions: [aSession("s")],
        jobs: [job, aJob("b")],
        chunks: [aChunk("a", 1, 5)],
        commands: [aCommand("x", "a")],
      });
      await subject.put({
        follows: [aFollow("s", "a", 0, true)],
        segments: [aSegment("s", 1, 2, "a", 1), aSegment("s", 3, 5, "a", 3)],
      });
      await subject.put({ releases: [{ session: "s", upTo: 2 }], steps: [{ job: "a", name: "one", value: null }] });
      await subject.put({ budgets: [aBudget("a", "1.5")], holds: [aHold("a", "h")] });
      await subject.store.claimTrees("n1");
      const reopened = await subject.reopen();
      expect(await reopened.readJob("a")).toEqual(job);
      expect(await reopened.readChunks({ job: "a", after: 0, limit: 9 })).toEqual([aChunk("a", 1, 5)]);
      expect(await reopened.readSession("s")).toEqual({
        ...aSession("s"),
        head: 5,
        released: 2,
        follows: [aFollow("s", "a", 5, true)],
      });
      expect(await reopened.readSteps("a")).toEqual([{ job: "a", name: "one", value: null }]);
      expect((await reopened.readBudgets(["a"])).get("a")).toEqual(aBudget("a", "1.5"));
      expect(await reopened.readHolds("a")).toEqual([aHold("a", "h")]);
      expect(await reopened.readCommands("n1")).toEqual([aCommand("x", "a")]);
      expect(await reopened.commit({ claims: [{ root: "a", epoch: 1 }], rows: {} })).toEqual({
        committed: false,
        refused: ["a"],
      });
      expect(
        await reopened.commit({
          claims: [{ root: "a", epoch: 2 }],
          rows: { jobs: [aJob("c")], chunks: [aChunk("a", 6, 1)] },
        }),
      ).toEqual(COMMITTED);
      expect((await reopened.listJobs({ principals: ["t/me"], limit: 9 })).jobs.map(({ id }) => id)).toEqual([
        "c",
        "b",
        "a",
      ]);
    });
  });
}
