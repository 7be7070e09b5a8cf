import { describe, expect, it } from "vitest";
import { treeLines } from "./job-tree.ts";

const job = (job_id: string, parent_job_id?: string) => ({
  job_id,
  agent: "a@1",
  status: "running",
  ...(parent_job_id === undefined ? {} : { parent_job_id }),
});

describe("a tree of jobs", () => {
  it("has each job under its parent, the oldest first", () => {
    const newestFirst = [job("four", "two"), job("three", "one"), job("two", "one"), job("one")];
    expect(treeLines(newestFirst, "two")).toEqual([
      "a@1 one running",
      "  a@1 two running ← this job",
      "    a@1 four running",
      "  a@1 three running",
    ]);
  });

  it("shows jobs whose parents are missing, and is not deceived by jobs that name each other", () => {
    expect(treeLines([job("two", "gone"), job("one")], "one")).toEqual([
      "a@1 one running ← this job",
      "a@1 two running",
    ]);
    expect(treeLines([job("two", "one"), job("one", "two")], "one")).toEqual([]);
  });
});
