import { describe, expect, it } from "vitest";
import { findCitations, findManifestProblems, renderConformance } from "./manifest.ts";
import type { Requirement } from "./requirement.ts";
import { REQUIREMENTS } from "./requirements.ts";

/** Put together here, so that this file cites nothing by itself. */
const cite = (id: string): string => `[${id}]`;

function requirement(id: string, status: Requirement["status"], more: Partial<Requirement> = {}): Requirement {
  return { id, section: "1", level: "MUST", side: "both", status, text: "Something holds.", ...more };
}

function citing(...ids: string[]): ReturnType<typeof findCitations> {
  return findCitations([{ path: "src/a.test.ts", text: ids.map((id) => `it("${cite(id)} holds")`).join("\n") }]);
}

describe("citations", () => {
  it("are found in titles, several to a line, each file once", () => {
    const text = `it("${cite("arcp-1-a")}${cite("law-b")} holds")\nit("${cite("arcp-1-a")} again")`;
    expect([...findCitations([{ path: "x.test.ts", text }])]).toEqual([
      ["arcp-1-a", ["x.test.ts"]],
      ["law-b", ["x.test.ts"]],
    ]);
  });

  it("are not found in comments", () => {
    const text = `// "${cite("arcp-1-a")}"\n * "${cite("arcp-1-b")}"\n/** "${cite("arcp-1-c")}" */`;
    expect(findCitations([{ path: "x.test.ts", text }]).size).toBe(0);
  });

  it("are the requirements of the suite's cases as well", () => {
    const text = 'requirement: "arcp-1-a",\nsection: "1",\nrequirement: "law-b",';
    expect([...findCitations([], [{ path: "cases/x.ts", text }])]).toEqual([
      ["arcp-1-a", ["cases/x.ts"]],
      ["law-b", ["cases/x.ts"]],
    ]);
  });
});

describe("the manifest and the tests", () => {
  it("agree when exactly the covered requirements are cited", () => {
    const requirements = [requirement("law-a", "covered"), requirement("law-b", "planned", { level: "SHOULD" })];
    expect(findManifestProblems(requirements, citing("law-a"))).toEqual([]);
  });

  it.each([
    ["a covered requirement that no test cites", [requirement("law-a", "covered")], [], "no test cites it"],
    ["a planned requirement that a test cites", [requirement("law-a", "planned")], ["law-a"], 'status to "covered"'],
    ["a cited id that does not exist", [], ["law-a"], "not in conformance"],
    ["an id given twice", [requirement("law-a", "covered"), requirement("law-a", "covered")], ["law-a"], "twice"],
    ["a declined one that a test cites", [requirement("law-a", "declined", { level: "MAY" })], ["law-a"], "declined"],
    ["a MUST that is declined", [requirement("law-a", "declined")], [], "only a MAY can be declined"],
    ["an uncited MUST", [requirement("law-a", "planned", { section: "6.2" })], [], "later"],
    ["a reason for what is shown", [requirement("law-a", "covered", { later: "soon" })], ["law-a"], "needs no `later`"],
  ])("disagree over %s", (_case, requirements, ids, problem) => {
    expect(findManifestProblems(requirements, citing(...ids))).toEqual([expect.stringContaining(problem)]);
  });
});

describe("an uncited requirement", () => {
  it.each([
    ["MUST with a reason", requirement("law-a", "planned", { section: "14", later: "soon" })],
    ["MUST of a section that comes later", requirement("law-a", "planned", { section: "9.8.2" })],
    ["SHOULD", requirement("law-a", "planned", { section: "6.2", level: "SHOULD" })],
  ])("may be a %s", (_what, planned) => expect(findManifestProblems([planned], citing())).toEqual([]));
});

describe("CONFORMANCE.md", () => {
  it("counts and links what is covered, and marks what is planned", () => {
    const chapters = [
      { title: "One", requirements: [requirement("law-a", "covered"), requirement("law-b", "planned")] },
      { title: "Two", requirements: [requirement("law-c", "planned")] },
    ];
    const page = renderConformance(chapters, citing("law-a"));
    expect(page).toContain("| One | 1 | 1 |");
    expect(page).toContain("| Two | 0 | 1 |");
    expect(page).toContain("| `law-a` | 1 | MUST | both | Something holds. | [a.test.ts](src/a.test.ts) |");
    expect(page).toContain("| `law-b` | 1 | MUST | both | Something holds. | *planned* |");
    expect(page).toContain("| 1 | 1/3 |  |  |  |  |");
  });

  it("counts by section, in the order of the draft", () => {
    const requirements = ["10", "8.3", "8.2.1", "9"].map((section) => requirement("law-a", "planned", { section }));
    const rows = renderConformance([{ title: "One", requirements }], citing()).match(/^\| [\d.]+ \| 0/gm);
    expect(rows).toEqual(["| 8.2.1 | 0", "| 8.3 | 0", "| 9 | 0", "| 10 | 0"]);
  });
});

describe("the requirements", () => {
  it("name their section in the ids that come from the draft", () => {
    const strays = REQUIREMENTS.filter(
      ({ id, section }) => id.startsWith("arcp-") && !id.startsWith(`arcp-${section}-`),
    );
    expect(strays).toEqual([]);
  });

  it("have the level that their id begins with", () => {
    const prefixes = { MUST: "arcp-", SHOULD: "arcp-", MAY: "arcp-", READING: "reading-", LAW: "law-" } as const;
    expect(REQUIREMENTS.filter(({ id, level }) => !id.startsWith(prefixes[level]))).toEqual([]);
  });

  it("have ids that a title can cite", () => {
    const ids = REQUIREMENTS.map(({ id }) => id);
    expect([...citing(...ids).keys()]).toEqual(ids);
  });

  it("are one sentence each, and fit a table", () => {
    expect(REQUIREMENTS.filter(({ text }) => !/^[^|\n]+\.$/.test(text))).toEqual([]);
  });
});
