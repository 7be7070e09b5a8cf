/** Removing the history of ended jobs, as every store must do it. */
import { beforeEach, describe, expect, it } from "vitest";
import type { JobRecord } from "../../kernel/job/job-record.ts";
import type { JobPlace } from "../../kernel/ports.ts";
import { aBudget, aChunk, aCommand, aFollow, aHold, aJob, aPermission, aSegment, aSession } from "./rows.ts";
import type { Subject } from "./subject.ts";

const ended = (id: string, endedAt: number, fields: Partial<JobRecord> = {}): JobRecord =>
  aJob(id, { status: "success", createdAt: endedAt - 1, endedAt, ...fields });

export function describeRetention(subject: Subject): void {
  const removable = async (endedBefore: number, limit = 100) => {
    const roots: string[] = [];
    let from: JobPlace | undefined;
    do {
      const page = await subject.store.findRemovable({ endedBefore, limit, ...(from === undefined ? {} : { from }) });
      expect(page.roots.length).toBeLessThanOrEqual(limit);
      roots.push(...page.roots);
      from = page.next;
    } while (from !== undefined);
    return roots;
  };
  const remove = async (...roots: string[]) => {
    let { removed, more } = await subject.store.removeTrees(roots);
    while (more) {
      const step = await subject.store.removeTrees([]);
      removed += step.removed;
      more = step.more;
    }
    return removed;
  };

  describe("trees that may be removed", () => {
    it("have ended before a time, all of them, and come oldest first", async () => {
      await subject.put({
        jobs: [
          ended("a", 10),
          ended("b", 20),
          ended("c", 30),
          aJob("d", { createdAt: 5, status: "running" }),
          ended("e", 12),
          ended("e2", 40, { root: "e", parent: "e", createdAt: 12 }),
          ended("f", 12),
          aJob("f2", { root: "f", parent: "f", status: "pending" }),
        ],
      });
      expect(await removable(21)).toEqual(["a", "b"]);
      expect(await removable(20)).toEqual(["a"]);
      expect(await removable(100)).toEqual(["a", "b", "c", "e"]);
      expect(await removable(100, 1)).toEqual(["a", "b", "c", "e"]);
      expect(await removable(0)).toEqual([]);
    });

    it("are needed by no session's stream", async () => {
      await subject.put({ jobs: [ended("a", 10), ended("b", 10), ended("c", 10)], sessions: [aSession("s")] });
      await subject.put({ follows: [aFollow("s", "a", 0)], segments: [aSegment("s", 1, 1, "b", 1)] });
      expect(await removable(100)).toEqual(["c"]);
      expect(await remove("a", "b", "c")).toBe(1);
      expect(await subject.store.readJob("a")).toBeDefined();
      await subject.put({ endedSessions: ["s"] });
      expect(await removable(100)).toEqual(["a", "b"]);
      expect(await remove("a", "b")).toBe(2);
    });
  });

  describe("removing trees", () => {
    beforeEach(async () => {
      await subject.put({
        jobs: [ended("a", 10), ended("a2", 10, { root: "a", parent: "a" }), ended("b", 10)],
        chunks: [aChunk("a", 1, 300), aChunk("a2", 1, 3), aChunk("b", 1, 2)],
        steps: [{ job: "a", name: "one", value: "1" }],
        inputs: [{ job: "a", text: "1" }],
        idempotency: [
          { principal: "t/me", key: "a", digest: "d", job: "a" },
          { principal: "t/me", key: "b", digest: "d", job: "b" },
        ],
        artifacts: [
          { id: "art", job: "a", name: null, contentType: "x", size: 1, sha256: "0".repeat(64), createdAt: 1 },
        ],
        commands: [aCommand("x", "a")],
        budgets: [aBudget("a", "1"), aBudget("b", "2")],
        holds: [aHold("a", "h"), aHold("a2", "h"), aHold("b", "h")],
        permissions: [aPermission("a", "p"), aPermission("a2", "q", { state: "denied" }), aPermission("b", "r")],
      });
    });

    it("leaves nothing of them, and everything of the others", async () => {
      const size = await subject.store.readSize();
      expect(size).toBeGreaterThan(0);
      expect(await remove("a", "a", "nobody")).toBe(1);
      const { store } = subject;
      expect(await Promise.all(["a", "a2", "b"].map((id) => store.readJob(id)))).toEqual([
        undefined,
        undefined,
        ended("b", 10),
      ]);
      expect((await store.listJobs({ principals: ["t/me"], limit: 9 })).jobs.map(({ id }) => id)).toEqual(["b"]);
      expect(await store.readHeads(["a", "a2", "b"])).toEqual(
        new Map([
          ["a", 0],
          ["a2", 0],
          ["b", 2],
        ]),
      );
      expect(await store.readChunks({ job: "a", after: 0, limit: 9 })).toEqual([]);
      expect([await store.readSteps("a"), await store.readInput("a"), await store.readArtifact("art")]).toEqual([
        [],
        undefined,
        undefined,
      ]);
      expect(await store.readBudgets(["a", "b"])).toEqual(new Map([["b", aBudget("b", "2")]]));
      expect([await store.readHolds("a"), await store.readHolds("a2"), await store.readHolds("b")]).toEqual([
        [],
        [],
        [aHold("b", "h")],
      ]);
      expect((await store.listPermissions({ principals: ["t/*"], limit: 9 })).permissions).toEqual([
        aPermission("b", "r"),
      ]);
      expect([await store.readPermission("p"), await store.readPermissionsOf("a2")]).toEqual([undefined, []]);
      expect(await store.readIdempotency("t/me", "a")).toBeUndefined();
      expect(await store.readIdempotency("t/me", "b")).toMatchObject({ job: "b" });
      expect(await store.readCommands("n1")).toEqual([]);
      expect(await store.readLogBytes("a")).toBe(0);
    });

    it("frees the key: another job may have it, once", async () => {
      await remove("a");
      await subject.put({
        jobs: [aJob("new")],
        idempotency: [{ principal: "t/me", key: "a", digest: "e", job: "new" }],
      });
      expect(await subject.store.readIdempotency("t/me", "a")).toMatchObject({ job: "new", digest: "e" });
      await subject.rejects({ idempotency: [{ principal: "t/me", key: "a", digest: "f", job: "b" }] });
    });

    it("removes no tree that is unfinished, nor by a child", async () => {
      await subject.put({ jobs: [aJob("c"), ended("d", 10), aJob("d2", { root: "d", parent: "d" })] });
      expect(await remove("c", "d", "a2")).toBe(0);
      expect(await subject.store.readJob("a2")).toBeDefined();
    });

    it("goes on after a restart, and gives nothing of what was removed to a later job", async () => {
      await subject.put({ jobs: [ended("last", 10)], chunks: [aChunk("last", 1, 5)] });
      await subject.put({ idempotency: [{ principal: "t/me", key: "last", digest: "d", job: "last" }] });
      await remove("a", "b", "last");
      const reopened = await subject.reopen();
      await reopened.commit({ claims: [], rows: { jobs: [aJob("next")] } });
      expect(await reopened.readHeads(["next"])).toEqual(new Map([["next", 0]]));
      expect(await reopened.readIdempotency("t/me", "last")).toBeUndefined();
    });
  });

  describe("the size of a log", () => {
    it("is that of its payloads and its steps, in bytes", async () => {
      await subject.put({
        jobs: [aJob("a")],
        chunks: [
          { job: "a", firstSeq: 1, kinds: "ll", payloads: ['"é"', "12"] },
          { job: "a", firstSeq: 3, kinds: "l", payloads: ["345"] },
        ],
        steps: [
          { job: "a", name: "one", value: '"€"' },
          { job: "a", name: "two", value: null },
        ],
      });
      expect(await subject.store.readLogBytes("a")).toBe(4 + 1 + 2 + 3 + 5);
      expect(await subject.store.readLogBytes("nobody")).toBe(0);
    });
  });

  describe("chunks that hold an entry of some kind", () => {
    it("are read by themselves, whole", async () => {
      const chunk = (firstSeq: number, kinds: string) => ({ ...aChunk("a", firstSeq, kinds.length), kinds });
      await subject.put({
        jobs: [aJob("a")],
        chunks: [chunk(1, "lll"), chunk(4, "lcl"), chunk(7, "l"), chunk(8, "r")],
      });
      const read = async (after: number, limit = 100) =>
        (await subject.store.readChunks({ job: "a", after, limit, holding: "cr" })).map(({ kinds }) => kinds);
      expect([await read(0), await read(5), await read(6), await read(8), await read(0, 1)]).toEqual([
        ["lcl", "r"],
        ["lcl", "r"],
        ["r"],
        [],
        ["lcl"],
      ]);
    });
  });

  describe("old commands", () => {
    it("go, answered or not, oldest first", async () => {
      await subject.put({ jobs: [aJob("a")] });
      const commands = [10, 20, 30].map((createdAt) => ({ ...aCommand(`c${createdAt}`, "a"), createdAt }));
      await subject.put({ commands });
      await subject.put({ commandOutcomes: [{ id: "c20", outcome: "1" }] });
      expect(await subject.store.removeCommands(30, 1)).toBe(1);
      expect((await subject.store.readCommands("n")).map(({ id }) => id)).toEqual(["c30"]);
      expect(await subject.store.removeCommands(30, 10)).toBe(1);
      expect(await subject.store.readCommandOutcome("c20")).toBeUndefined();
      expect(await subject.store.removeCommands(30, 10)).toBe(0);
    });
  });
}
