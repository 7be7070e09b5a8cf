/** Artifacts are found by their ids, counted by job, and keep their contents from being swept. */
import { describe, expect, it } from "vitest";
import { aJob, anArtifact } from "./rows.ts";
import type { Subject } from "./subject.ts";

export function describeArtifactRows(subject: Subject): void {
  describe("artifacts", () => {
    it("are read back as they were written, after a restart too where anything is kept", async () => {
      const named = anArtifact("art_1", "a");
      const unnamed = anArtifact("art_2", "a", { name: null, size: 5_000_000_000 });
      await subject.put({ jobs: [aJob("a")], artifacts: [named] });
      await subject.put({ artifacts: [unnamed] });
      expect(await subject.store.readArtifact("art_1")).toEqual(named);
      expect(await subject.store.readArtifact("art_2")).toEqual(unnamed);
      expect(await subject.store.readArtifact("art_3")).toBeUndefined();
      expect(await (await subject.reopen()).readArtifact("art_2")).toEqual(unnamed);
    });

    it("are counted in bytes, each job's by itself", async () => {
      await subject.put({ jobs: [aJob("a"), aJob("b")] });
      await subject.put({
        artifacts: [anArtifact("1", "a"), anArtifact("2", "a", { size: 4_000_000_000 }), anArtifact("3", "b")],
      });
      expect(await subject.store.sumArtifacts("a")).toBe(4_000_000_003);
      expect(await subject.store.sumArtifacts("b")).toBe(3);
      expect(await subject.store.sumArtifacts("c")).toBe(0);
    });

    it("keep the first row of an id, and need a job that is there; neither fails the commit", async () => {
      await subject.put({ jobs: [aJob("a"), aJob("b")], artifacts: [anArtifact("1", "a")] });
      await subject.put({
        jobs: [aJob("c")],
        artifacts: [anArtifact("1", "b", { size: 9 }), anArtifact("2", "nobody")],
      });
      expect(await subject.store.readArtifact("1")).toEqual(anArtifact("1", "a"));
      expect(await subject.store.readArtifact("2")).toBeUndefined();
      expect(await subject.store.readJob("c")).toBeDefined();
    });

    it("tell which contents are still named", async () => {
      const digests = ["1", "2", "3"].map((digit) => digit.repeat(64));
      const [one, two, three] = digests as [string, string, string];
      await subject.put({ jobs: [aJob("a"), aJob("b")] });
      await subject.put({
        artifacts: [
          anArtifact("1", "a", { sha256: one }),
          anArtifact("2", "b", { sha256: one }),
          anArtifact("3", "b", { sha256: three }),
        ],
      });
      expect(await subject.store.findNamedContents(digests)).toEqual(new Set([one, three]));
      expect(await subject.store.findNamedContents([two])).toEqual(new Set());
      expect(await subject.store.findNamedContents([])).toEqual(new Set());
    });
  });
}
