import { describe, expect, it } from "vitest";
import type { Requirement } from "../requirement.ts";
import { REQUIREMENTS } from "../requirements.ts";
import { type Attack, attacksOn } from "./attack.ts";
import { findAttackCitations, findAttackProblems, renderAttacks } from "./attack-table.ts";
import { ATTACKS } from "./attacks.ts";

const LAW: Requirement = {
  id: "law-a",
  section: "9",
  level: "LAW",
  side: "runtime",
  status: "covered",
  text: "It holds.",
};

/** Attacks `attack-a1`, `attack-a2`, … on the law. */
function attacks(count: number, law = LAW.id): readonly Attack[] {
  return attacksOn(
    law,
    Array.from({ length: count }, (_, index) => [`a${index + 1}`, "agent", "Tries it.", "Refused."] as const),
  );
}

/** Put together here, so that this file cites nothing by itself. */
function citing(...ids: string[]): ReturnType<typeof findAttackCitations> {
  const text = ids.map((id) => `it("${`[${id}]`} fails")`).join("\n");
  return findAttackCitations([{ path: "src/a.test.ts", text }]);
}

const idsOf = (table: readonly Attack[]): string[] => table.map(({ id }) => id);

describe("the table and the tests", () => {
  it("agree when every attack is tried, and each law in three ways", () => {
    expect(findAttackProblems(attacks(3), [LAW], citing(...idsOf(attacks(3))))).toEqual([]);
  });

  it.each([
    ["an attack that nobody tries", attacks(3), ["attack-a1", "attack-a2"], "attack-a3 is tried by no test"],
    ["an attack that nobody knows", attacks(3), [...idsOf(attacks(3)), "attack-b"], "cites attack-b"],
    ["an attack given twice", [...attacks(3), ...attacks(1)], idsOf(attacks(3)), "attack-a1 is in the table twice"],
    ["a law with two attacks", attacks(2), idsOf(attacks(2)), "law-a is attacked in 2 ways"],
  ])("disagree over %s", (_what, table, ids, problem) => {
    expect(findAttackProblems(table, [LAW], citing(...ids))).toEqual([expect.stringContaining(problem)]);
  });

  it("disagree over an attack on what is no law", () => {
    const table = attacks(3, "law-b");
    expect(findAttackProblems(table, [LAW], citing(...idsOf(table)))).toHaveLength(3);
  });
});

it("the page links each attack to its tests", () => {
  const page = renderAttacks(attacks(1), [LAW], citing("attack-a1"));
  expect(page).toContain("## It holds.");
  expect(page).toContain("| the agent | Tries it. | Refused. | [a.test.ts](../src/a.test.ts) |");
});

describe("the attacks", () => {
  it("are on laws of the manifest", () => {
    const laws = new Set(REQUIREMENTS.filter(({ level }) => level === "LAW").map(({ id }) => id));
    expect(ATTACKS.filter(({ law }) => !laws.has(law))).toEqual([]);
  });

  it("have ids that a title can cite", () => {
    expect([...citing(...idsOf(ATTACKS)).keys()]).toEqual(idsOf(ATTACKS));
  });

  it("are one sentence each, and fit a table", () => {
    const text = /^[^|\n]+\.$/;
    expect(ATTACKS.filter(({ tried, outcome }) => !text.test(tried) || !text.test(outcome))).toEqual([]);
  });
});
