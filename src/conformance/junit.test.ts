import { describe, expect, it } from "vitest";
import { renderJunit } from "./junit.ts";
import type { CaseResult, Outcome } from "./suite.ts";

function result(outcome: Outcome, section: string, because?: string): CaseResult {
  const more = because === undefined ? {} : { because };
  return {
    requirement: "arcp-1-a",
    section,
    level: "MUST",
    title: `it is ${outcome}`,
    outcome,
    durationMs: 1_500,
    ...more,
  };
}

const report = (...results: readonly CaseResult[]) =>
  renderJunit({ url: "ws://x", runtime: "acme 1", features: [], results, lost: false, durationMs: 3_000 });

describe("a JUnit report", () => {
  it("fails for what is broken, and for nothing else", () => {
    const outcomes = ["passed", "broken", "warning", "differs", "unsupported", "untested"] as const;
    const xml = report(...outcomes.map((outcome) => result(outcome, "6.3", "so")));
    expect(xml).toContain('<testsuite name="§6.3" tests="6" failures="1" errors="0" skipped="2" time="9.000">');
    expect(xml.match(/<failure /g)).toHaveLength(1);
    expect(xml).toContain('<failure type="MUST" message="MUST: so"/>');
    expect(xml.match(/<skipped /g)).toHaveLength(2);
  });

  it("has one suite for each section", () => {
    const xml = report(result("passed", "6.3"), result("passed", "8"), result("passed", "6.3"));
    expect(xml.match(/<testsuite /g)).toHaveLength(2);
    expect(xml).toContain('<testsuites name="ARCP conformance of acme 1" tests="3" failures="0"');
  });

  it("holds whatever a runtime says, and stays XML", () => {
    const xml = report(result("broken", "5", '<a b="c">&\u0000\u001b[2J\ud800'));
    expect(xml).toContain("&lt;a b=&quot;c&quot;&gt;&amp;\ufffd\ufffd[2J\ufffd");
  });
});
