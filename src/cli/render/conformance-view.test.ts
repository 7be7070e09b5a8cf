import { describe, expect, it } from "vitest";
import type { CaseResult, Outcome, Report } from "../../conformance/suite.ts";
import { createTestOutput } from "../test-io.ts";
import { colorsFor } from "./colors.ts";
import { caseJson, conformanceLines, reportJson } from "./conformance-view.ts";

const plain = colorsFor(createTestOutput());

function result(outcome: Outcome, section: string, because?: string): CaseResult {
  const more = because === undefined ? {} : { because };
  return {
    requirement: "arcp-1-a",
    section,
    level: "MUST",
    title: `it is ${outcome}`,
    outcome,
    durationMs: 7,
    ...more,
  };
}

function report(...results: readonly CaseResult[]): Report {
  return { url: "ws://x/arcp", runtime: "acme 1", features: ["ack"], results, lost: false, durationMs: 1_000 };
}

describe("a conformance report for people", () => {
  it("counts by section in the order of the draft, and shows what did not pass", () => {
    const given = report(
      result("passed", "12"),
      result("broken", "8.3", "the sequence is [1,3]"),
      result("passed", "8.2.1"),
      result("untested", "8.3", "no agent"),
    );
    expect(conformanceLines(given, false, plain)).toEqual([
      "acme 1 at ws://x/arcp",
      "features: ack",
      "§8.2.1  1 passed",
      "§8.3  1 broken, 1 not tested",
      "  BROKEN       MUST     it is broken arcp-1-a",
      "                        the sequence is [1,3]",
      "  not tested   MUST     it is untested arcp-1-a",
      "                        no agent",
      "§12  1 passed",
      "",
      "2 passed, 1 broken, 1 not tested in 1.0 s: a MUST is broken",
    ]);
  });

  it("lists what passed when asked, and clears a runtime of which nothing is broken", () => {
    const lines = conformanceLines(report(result("passed", "4"), result("differs", "4", "so")), true, plain);
    expect(lines).toContain("  passed       MUST     it is passed arcp-1-a");
    expect(lines.at(-1)).toBe("1 passed, 1 differs in 1.0 s: no MUST is broken");
  });

  it("does not clear a runtime that was lost on the way", () => {
    const lines = conformanceLines({ ...report(result("untested", "4", "gone")), lost: true }, false, plain);
    expect(lines.at(-1)).toBe("1 not tested in 1.0 s: the runtime opens no sessions any more");
  });

  it("does not obey what the runtime says", () => {
    const hostile = { ...report(result("broken", "4", "\u001b[2J")), runtime: "\u001b]0;x\u0007" };
    expect(conformanceLines(hostile, false, plain).join("\n")).not.toContain("\u001b");
  });
});

describe("a conformance report for programs", () => {
  it("is one object for each case, and one for the whole", () => {
    expect(JSON.parse(caseJson(result("broken", "4", "so")))).toEqual({
      type: "case",
      requirement: "arcp-1-a",
      section: "4",
      level: "MUST",
      title: "it is broken",
      outcome: "broken",
      because: "so",
      duration_ms: 7,
    });
    const counts = { passed: 1, broken: 0, warning: 0, differs: 0, unsupported: 0, untested: 1 };
    const whole = JSON.parse(reportJson(report(result("passed", "4"), result("untested", "5"))));
    expect(whole).toEqual({
      type: "report",
      url: "ws://x/arcp",
      runtime: "acme 1",
      features: ["ack"],
      counts,
      lost: false,
      duration_ms: 1_000,
    });
  });
});
