import { describe, expect, it } from "vitest";
import { addTallies, formatTally, tallyTests } from "./tally.ts";

function report(...files: { status: string; tests: string[] }[]): Parameters<typeof tallyTests>[0] {
  return {
    testResults: files.map(({ status, tests }) => ({
      status,
      assertionResults: tests.map((test) => ({ status: test })),
    })),
  };
}

describe("the count of tests", () => {
  it.each([
    ["tests", report({ status: "passed", tests: ["passed", "passed"] }), 0, { passed: 2, failed: 0 }],
    ["failed tests", report({ status: "failed", tests: ["passed", "failed"] }), 1, { passed: 1, failed: 1 }],
    [
      "skipped tests as failed",
      report({ status: "passed", tests: ["passed", "skipped"] }),
      0,
      { passed: 1, failed: 1 },
    ],
    ["a file that could not be loaded", report({ status: "failed", tests: [] }), 1, { passed: 0, failed: 1 }],
    ["a hook that failed", report({ status: "failed", tests: ["passed"] }), 1, { passed: 1, failed: 1 }],
    ["an error outside of tests", report({ status: "passed", tests: ["passed"] }), 1, { passed: 1, failed: 1 }],
    ["a crash", undefined, null, { passed: 0, failed: 1 }],
    ["that nothing ran", report(), 0, { passed: 0, failed: 1 }],
  ])("knows %s", (_case, given, exitCode, tally) => {
    expect(tallyTests(given, exitCode)).toEqual(tally);
  });

  it("adds up to one line", () => {
    expect(
      formatTally(
        addTallies([
          { passed: 1, failed: 2 },
          { passed: 3, failed: 4 },
        ]),
      ),
    ).toBe("4 passed, 6 failed");
  });
});
