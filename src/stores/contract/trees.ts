/** Ownership of job trees and commands to their owners, as every store must keep them. */
import { beforeEach, describe, expect, it } from "vitest";
import { aChunk, aCommand, aJob, anUpdate, microtasks } from "./rows.ts";
import { COMMITTED, type Subject } from "./subject.ts";

export function describeTrees(subject: Subject): void {
  describe("epochs", () => {
    beforeEach(() =>
      subject.put({
        jobs: [aJob("a"), aJob("a2", { root: "a", parent: "a" }), aJob("b"), aJob("c", { status: "success" })],
      }),
    );

    it("commits under the epoch a tree was inserted with, and raises it at each claim", async () => {
      expect(
        await subject.store.commit({ claims: [{ root: "a", epoch: 1 }], rows: { chunks: [aChunk("a2", 1, 1)] } }),
      ).toEqual(COMMITTED);
      const claimed = await subject.store.claimTrees("n2");
      expect(claimed.map(({ claim }) => claim).toSorted((x, y) => (x.root < y.root ? -1 : 1))).toEqual([
        { root: "a", epoch: 2 },
        { root: "b", epoch: 2 },
      ]);
      expect(
        await subject.store.commit({ claims: [{ root: "a", epoch: 2 }], rows: { chunks: [aChunk("a2", 2, 1)] } }),
      ).toEqual(COMMITTED);
    });

    it("names every tree whose epoch has moved on, and writes nothing then", async () => {
      await subject.store.claimTrees("n2");
      await subject.put({ jobs: [aJob("new")] });
      const refused = await subject.store.commit({
        claims: [
          { root: "a", epoch: 1 },
          { root: "new", epoch: 1 },
          { root: "nobody", epoch: 1 },
          { root: "b", epoch: 1 },
        ],
        rows: { chunks: [aChunk("new", 1, 1)], jobs: [aJob("more")] },
      });
      expect(refused).toEqual({ committed: false, refused: ["a", "nobody", "b"] });
      expect(await subject.store.readHeads(["new"])).toEqual(new Map([["new", 0]]));
      expect(await subject.store.readJob("more")).toBeUndefined();
    });

    it("reads the unfinished jobs of one tree, root first", async () => {
      await subject.put({
        jobs: [
          aJob("a3", { root: "a", parent: "a2", delegateId: "del_3" }),
          aJob("a4", { root: "a", parent: "a", status: "success" }),
        ],
      });
      const tree = await subject.store.readTree("a");
      expect(tree).toEqual([
        aJob("a"),
        aJob("a2", { root: "a", parent: "a" }),
        aJob("a3", { root: "a", parent: "a2", delegateId: "del_3" }),
      ]);
      expect(await subject.store.readTree("c")).toEqual([]);
      expect(await subject.store.readTree("nobody")).toEqual([]);
      expect(await subject.store.readTree("a2")).toEqual([]);
    });

    it("claims trees with any unfinished job, and returns those jobs, root first", async () => {
      await subject.put({ jobUpdates: [anUpdate("a", { status: "success" }), anUpdate("b", { status: "ending" })] });
      await subject.put({
        jobs: [aJob("b2", { root: "b", parent: "b" }), aJob("b3", { root: "b", parent: "b2", status: "error" })],
      });
      const trees = new Map((await subject.store.claimTrees("n1")).map(({ claim, jobs }) => [claim.root, jobs]));
      expect([...trees.keys()].toSorted()).toEqual(["a", "b"]);
      expect(trees.get("a")).toEqual([aJob("a2", { root: "a", parent: "a" })]);
      expect(trees.get("b")?.map(({ id, status }) => [id, status])).toEqual([
        ["b", "ending"],
        ["b2", "pending"],
      ]);
      await subject.put({
        jobUpdates: [
          anUpdate("a2", { status: "error" }),
          anUpdate("b", { status: "error" }),
          anUpdate("b2", { status: "error" }),
        ],
      });
      expect(await subject.store.claimTrees("n1")).toEqual([]);
    });
  });

  describe("commands", () => {
    beforeEach(() => subject.put({ jobs: [aJob("a"), aJob("b")] }));

    it("lists commands without an outcome, oldest first, and answers from the outcome", async () => {
      await subject.put({ commands: [aCommand("z", "a"), aCommand("y", "b")] });
      await subject.put({ commands: [aCommand("x", "a")] });
      expect(await subject.store.readCommands("n1")).toEqual([
        aCommand("z", "a"),
        aCommand("y", "b"),
        aCommand("x", "a"),
      ]);
      expect(await subject.store.readCommandOutcome("z")).toBeUndefined();
      expect(await subject.store.readCommandOutcome("nobody")).toBeUndefined();
      await subject.put({ commandOutcomes: [{ id: "z", outcome: '{"ok":true}' }] });
      expect(await subject.store.readCommandOutcome("z")).toBe('{"ok":true}');
      expect((await subject.store.readCommands("n1")).map(({ id }) => id)).toEqual(["y", "x"]);
    });

    it("lists a claimed tree's commands for the node that claimed it", async () => {
      await subject.put({ commands: [aCommand("x", "a")] });
      await subject.store.claimTrees("n2");
      expect(await subject.store.readCommands("n1")).toEqual([]);
      expect((await subject.store.readCommands("n2")).map(({ id }) => id)).toEqual(["x"]);
    });

    it("rejects a command twice, an outcome twice, and what belongs to nothing", async () => {
      await subject.put({ commands: [aCommand("x", "a")], commandOutcomes: [{ id: "x", outcome: "1" }] });
      await subject.rejects({ commands: [aCommand("x", "a")] });
      await subject.rejects({ commandOutcomes: [{ id: "x", outcome: "2" }] });
      await subject.rejects({ commandOutcomes: [{ id: "nobody", outcome: "2" }] });
      await subject.rejects({ commands: [{ ...aCommand("y", "a"), root: "nobody" }] });
      await subject.rejects({ commands: [{ ...aCommand("y", "a"), job: "nobody" }] });
      expect(await subject.store.readCommandOutcome("x")).toBe("1");
    });

    it("wakes listeners after a commit with commands or outcomes, and only then", async () => {
      const heard: string[] = [];
      const stop = subject.store.onWake(() => heard.push("wake"));
      subject.store.onWake(() => {
        throw new Error("a listener of somebody else");
      });
      subject.store.onWake(() => heard.push("other"));
      await subject.put({ chunks: [aChunk("a", 1, 1)] });
      await subject.rejects({ commands: [aCommand("x", "nobody")] });
      await microtasks();
      expect(heard).toEqual([]);

      const committing = subject.store.commit({ claims: [], rows: { commands: [aCommand("x", "a")] } });
      expect(heard).toEqual([]);
      await committing;
      await microtasks();
      expect(heard).toEqual(["wake", "other"]);

      stop();
      stop();
      await subject.put({ commandOutcomes: [{ id: "x", outcome: "1" }] });
      await microtasks();
      expect(heard).toEqual(["wake", "other", "other"]);
    });
  });
}
