/** The suite itself: right of our own runtime, and able to name what is wrong with another. */
import { describe, expect, it } from "vitest";
import { CASES } from "../../src/conformance/cases.ts";
import type { CaseResult, Report } from "../../src/conformance/suite.ts";
import { REQUIREMENTS } from "../requirements.ts";
import { FAULTS } from "./faults.ts";
import { runStage, type Tampering } from "./stage.ts";

const honest: Promise<Report> = runStage();

const titled = (results: readonly CaseResult[], isMeant: (result: CaseResult) => boolean): readonly string[] =>
  results
    .filter(isMeant)
    .map(({ title }) => title)
    .toSorted();

const changed = async (report: Report): Promise<readonly CaseResult[]> => {
  const before = new Map((await honest).results.map(({ title, outcome }) => [title, outcome]));
  return report.results.filter(({ title, outcome }) => before.get(title) !== outcome);
};

describe("every case", () => {
  it("agrees with the manifest in section and level", () => {
    const manifest = new Map(REQUIREMENTS.map((requirement) => [requirement.id, requirement]));
    for (const { requirement, section, level } of CASES) {
      const { id, ...entry } = manifest.get(requirement) ?? { id: "not in conformance/requirements/" };
      expect({ id, ...entry }).toMatchObject({ id: requirement, section, level });
    }
  });

  it("has a title of its own", () => {
    expect(new Set(CASES.map(({ title }) => title)).size).toBe(CASES.length);
  });
});

describe("our own runtime", () => {
  it.each(CASES.map(({ requirement, title }) => [requirement, title]))("%s: %s", async (_requirement, title) => {
    const result = (await honest).results.find((candidate) => candidate.title === title);
    expect(result).toMatchObject({ outcome: "passed" });
  });

  it("does not offer keys that it could not revoke [arcp-14-no-guarantee-no-feature]", async () => {
    expect((await honest).features).not.toContain("provisioned_credentials");
  });

  it("takes less than a minute of its own time", async () => {
    expect((await honest).durationMs).toBeLessThan(60_000);
  });
});

describe("a runtime that", () => {
  it.each(FAULTS)("$what is caught, and nothing else is held against it", async ({ tamper, caughtBy, hides = [] }) => {
    const results = await changed(await runStage({ tamper: tamper() }));
    expect(titled(results, ({ outcome }) => outcome !== "untested")).toEqual(caughtBy.toSorted());
    expect(titled(results, ({ outcome }) => outcome === "untested")).toEqual(hides.toSorted());
  });

  it("falls silent is not waited for again and again", async () => {
    let connections = 0;
    const tamper = (): Tampering => {
      const isHeard = ++connections < 40;
      return { toRuntime: (frame) => (isHeard ? [frame] : []) };
    };
    const { results, durationMs, lost } = await runStage({ tamper });
    expect([lost, (await honest).lost]).toEqual([true, false]);
    expect(results).toHaveLength(CASES.length);
    expect(results.at(-1)).toMatchObject({ outcome: "untested", because: "the runtime opens no sessions any more" });
    expect(results.some(({ outcome }) => outcome === "broken")).toBe(true);
    expect(durationMs).toBeLessThan(5 * 60_000);
  });

  it("has a fault is said to be broken exactly when a MUST or a law is not kept", async () => {
    const levels = new Map(CASES.map(({ title, level }) => [title, level]));
    for (const { tamper } of FAULTS.slice(0, 8)) {
      for (const { title, outcome } of await changed(await runStage({ tamper: tamper() }))) {
        const level = levels.get(title);
        if (outcome === "broken") expect(["MUST", "LAW"]).toContain(level);
        if (outcome === "warning") expect(level).toBe("SHOULD");
        if (outcome === "differs") expect(level).toBe("READING");
      }
    }
  });
});
