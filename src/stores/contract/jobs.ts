/** Jobs and their listings, as every store must keep them. */
import { beforeEach, describe, expect, it } from "vitest";
import { CLOCK_SLACK_MS, JOBS_LOOKED_AT } from "../../kernel/job/list.ts";
import { PAGE_LENGTH, type Store } from "../../kernel/ports.ts";
import { aJob, anUpdate } from "./rows.ts";
import type { Subject } from "./subject.ts";

export function describeJobs(subject: Subject): void {
  describe("jobs", () => {
    it("reads back every field as it was written", async () => {
      const root = aJob("root", {
        session: "s1",
        roles: "user operator",
        deadlineAt: 1_800_000_000_123,
        expiresAt: 1_900_000_000_456,
        traceParent: "00f067aa0ba902b7-01",
        startedAt: 7,
      });
      const child = aJob("child", { root: "root", parent: "root", lease: '{"grants":{"fs.read":["é 🦊 \\n"]}}' });
      await subject.put({ jobs: [root, child] });
      expect(await subject.store.readJob("root")).toEqual(root);
      expect(await subject.store.readJob("child")).toEqual(child);
      expect(await subject.store.readJob("other")).toBeUndefined();
    });

    it("keeps inputs beside the jobs", async () => {
      const text = '{"text":"é 🦊 \\n"}';
      await subject.put({ jobs: [aJob("a"), aJob("b")], inputs: [{ job: "a", text }] });
      expect(await subject.store.readInput("a")).toBe(text);
      expect(await subject.store.readInput("b")).toBeUndefined();
      expect(await subject.store.readInput("nobody")).toBeUndefined();
    });

    it("updates what changes and leaves the rest", async () => {
      const job = aJob("a");
      await subject.put({ jobs: [job] });
      const outcome = { status: "success", result: '{"answer":42}', summary: "done" } as const;
      const update = anUpdate("a", { status: "success", attempt: 2, startedAt: 5, endedAt: 9, outcome });
      await subject.put({ jobUpdates: [update] });
      expect(await subject.store.readJob("a")).toEqual({ ...job, ...update });
    });

    it("keeps an error outcome with its details", async () => {
      const error = {
        code: "TIMEOUT",
        message: "too long",
        retryable: true,
        details: { after_ms: [1, { a: null }] },
      } as const;
      await subject.put({
        jobs: [aJob("a")],
        jobUpdates: [anUpdate("a", { status: "ending", outcome: { status: "timed_out", error } })],
      });
      expect((await subject.store.readJob("a"))?.outcome).toEqual({ status: "timed_out", error });
    });

    it("rejects a second job with the same id, an update or a relative of an unknown job", async () => {
      await subject.put({ jobs: [aJob("a")] });
      await subject.rejects({ jobs: [aJob("a")] });
      await subject.rejects({ jobUpdates: [anUpdate("b", { status: "running" })] });
      await subject.rejects({ jobs: [aJob("c", { root: "nobody" })] });
      await subject.rejects({ jobs: [aJob("c", { root: "a", parent: "nobody" })] });
      await subject.put({ jobs: [aJob("child", { root: "a", parent: "a" })] });
      await subject.rejects({ jobs: [aJob("c", { root: "child", parent: "child" })] });
      expect(await subject.store.readJob("c")).toBeUndefined();
    });

    it("is not changed by what callers do to rows they passed or were given", async () => {
      const job = aJob("a", { outcome: { status: "success", result: "1" } });
      const payloads = ["1", "2"];
      await subject.put({ jobs: [job], chunks: [{ job: "a", firstSeq: 1, kinds: "ll", payloads }] });
      payloads[0] = "changed";
      const read = await subject.store.readChunks({ job: "a", after: 0, limit: 10 });
      try {
        (read[0]?.payloads as string[])[1] = "changed";
      } catch {
        // A frozen row is as good as a copy.
      }
      expect((await subject.store.readChunks({ job: "a", after: 0, limit: 10 }))[0]?.payloads).toEqual(["1", "2"]);
    });
  });

  describe("listings", () => {
    const ids = async (query: Partial<Parameters<Store["listJobs"]>[0]>) =>
      (await subject.store.listJobs({ principals: ["t/me"], limit: 100, ...query })).jobs.map(({ id }) => id);

    beforeEach(async () => {
      await subject.put({
        jobs: [
          aJob("a", { createdAt: 10, agent: "x", version: "1.0.0" }),
          aJob("theirs", { createdAt: 11, principal: "t/you" }),
          aJob("b", { createdAt: 20, agent: "x", version: "2.0.0", status: "running" }),
          aJob("c", { createdAt: 30, agent: "y", version: "1.0.0", status: "error" }),
        ],
      });
      await subject.put({ jobs: [aJob("d", { createdAt: 40, agent: "x", version: "1.0.0", status: "success" })] });
    });

    it("lists a principal's own jobs, newest first", async () => {
      expect(await ids({})).toEqual(["d", "c", "b", "a"]);
      expect(await ids({ principals: ["t/you"] })).toEqual(["theirs"]);
      expect(await ids({ principals: ["t/nobody"] })).toEqual([]);
    });

    it("lists the jobs of several principals, and of everyone of a tenant", async () => {
      await subject.put({
        jobs: [aJob("other", { principal: "tt/me" }), aJob("e", { principal: "t/you", status: "error" })],
      });
      expect(await ids({ principals: ["t/you", "t/me"] })).toEqual(["e", "d", "c", "b", "theirs", "a"]);
      expect(await ids({ principals: ["t/*"] })).toEqual(["e", "d", "c", "b", "theirs", "a"]);
      expect(await ids({ principals: ["tt/*", "t/you"] })).toEqual(["e", "other", "theirs"]);
      expect(await ids({ principals: ["t/*"], status: ["error"] })).toEqual(["e", "c"]);
      expect(await ids({ principals: ["t/*"], status: ["running", "pending"] })).toEqual(["b", "theirs", "a"]);
      expect(await ids({ principals: ["t/*"], after: "b", limit: 1 })).toEqual(["theirs"]);
      expect(await ids({ principals: ["t/*"], after: "other" })).toEqual([]);
      expect(await ids({ principals: [] })).toEqual([]);
      expect(await ids({ principals: ["t", "*", "t/", "*/*", "_/*"] })).toEqual([]);
    });

    it("filters by status, agent, version and time", async () => {
      expect(await ids({ status: ["running", "error"] })).toEqual(["c", "b"]);
      expect(await ids({ status: [] })).toEqual([]);
      expect(await ids({ agent: "x" })).toEqual(["d", "b", "a"]);
      expect(await ids({ agent: "x@1.0.0" })).toEqual(["d", "a"]);
      expect(await ids({ agent: "x@3.0.0" })).toEqual([]);
      expect(await ids({ createdAfter: 10, createdBefore: 40 })).toEqual(["c", "b"]);
      expect(await ids({ agent: "x", status: ["pending"], createdBefore: 30 })).toEqual(["a"]);
    });

    it("pages: after a job, at most `limit`", async () => {
      expect(await ids({ limit: 2 })).toEqual(["d", "c"]);
      expect(await ids({ limit: 2, after: "c" })).toEqual(["b", "a"]);
      expect(await ids({ limit: 2, after: "a" })).toEqual([]);
      expect(await ids({ limit: 1, after: "d", agent: "x" })).toEqual(["b"]);
      expect(await ids({ limit: 0 })).toEqual([]);
    });

    it("finds what is rare among very many, over several pages that go on where the last ended", async () => {
      const many = Array.from({ length: 2 * JOBS_LOOKED_AT }, (_, index) =>
        aJob(`many-${index}`, { createdAt: 50, status: "success", principal: index % 2 === 0 ? "t/me" : "t/you" }),
      );
      await subject.put({ jobs: many });
      for (const principals of [["t/me"], ["t/*"], ["t/me", "t/you"]]) {
        const found: string[] = [];
        let page = await subject.store.listJobs({ principals, agent: "y", limit: 9 });
        for (let pages = 1; page.next !== undefined; pages++) {
          expect(pages).toBeLessThan(9);
          found.push(...page.jobs.map(({ id }) => id));
          page = await subject.store.listJobs({ principals, agent: "y", limit: 9, from: page.next });
        }
        expect([...found, ...page.jobs.map(({ id }) => id)]).toEqual(["c"]);
      }
      const recent = await subject.store.listJobs({
        principals: ["t/me"],
        createdAfter: 50 + 2 * CLOCK_SLACK_MS,
        limit: 9,
      });
      expect(recent).toEqual({ jobs: [], next: undefined });
    });

    it("ends a page once the leases in it reach `PAGE_LENGTH`", async () => {
      const lease = JSON.stringify({ grants: { "fs.read": ["x".repeat(PAGE_LENGTH / 2)] } });
      await subject.put({ jobs: ["e", "f", "g"].map((id) => aJob(id, { lease })) });
      expect(await ids({})).toEqual(["g", "f"]);
      expect(await ids({ after: "f" })).toEqual(["e", "d", "c", "b", "a"]);
    });

    it("lists the children of a job, and a whole tree", async () => {
      const child = (id: string, parent: string) => ({ ...aJob(id), principal: "t/me", root: "top", parent });
      await subject.put({ jobs: [{ ...aJob("top"), principal: "t/me" }, child("left", "top"), child("right", "top")] });
      await subject.put({ jobs: [{ ...aJob("lone"), principal: "t/me" }, child("leaf", "left")] });
      await subject.put({ jobs: [{ ...child("foreign", "left"), principal: "t/you" }] });
      expect(await ids({ parent: "top" })).toEqual(["right", "left"]);
      expect(await ids({ parent: "left" })).toEqual(["leaf"]);
      expect(await ids({ principals: ["t/*"], parent: "left" })).toEqual(["foreign", "leaf"]);
      expect(await ids({ root: "top" })).toEqual(["leaf", "right", "left", "top"]);
      expect(await ids({ root: "top", after: "right", limit: 1 })).toEqual(["left"]);
      expect(await ids({ root: "top", status: ["success"] })).toEqual([]);
      expect(await ids({ root: "lone" })).toEqual(["lone"]);
      expect(await ids({ root: "lone", parent: "top" })).toEqual([]);
      expect(await ids({ root: "left" })).toEqual([]);
      expect(await ids({ parent: "nobody" })).toEqual([]);
    });

    it("lists nothing after a job that is not the principal's, or not there", async () => {
      expect(await ids({ after: "theirs" })).toEqual([]);
      expect(await ids({ after: "nobody" })).toEqual([]);
    });
  });
}
