/** A few seeds of the simulation, that a seed decides everything, and that broken laws are noticed. */
import { describe, expect, it } from "vitest";
import { BROKEN_RUNTIMES } from "./sabotage.ts";
import { simulate } from "./simulation.ts";

const SEEDS = [1, 2, 3, 4, 5, 6, 7, 8];
const STEPS = 500;

/** Which of what must never happen the simulation looks for beside what the streams promise. */
const AUTHORITY =
  "[law-money-exact][law-no-start-at-zero][law-within-lease][law-authority-within-parent][law-tree-stops][law-one-terminal]";

describe("the runtime under drops, crashes and store faults", () => {
  it.each(SEEDS)(`breaks no law with seed %i ${AUTHORITY}`, async (seed) => {
    const outcome = await simulate({ seed, steps: STEPS });
    expect(outcome.breach).toBeUndefined();
    expect(outcome.steps).toBe(STEPS);
    expect(outcome.events).toBeGreaterThan(0);
  });
});

describe("a seed", () => {
  it("decides everything that happens, frame by frame", async () => {
    const record = async (): Promise<readonly string[]> => {
      const lines: string[] = [];
      const onLine = (line: string): void => void lines.push(line);
      await simulate({ seed: 11, steps: 200, onStep: onLine, onFrame: onLine });
      return lines;
    };
    expect(await record()).toEqual(await record());
  });
});

describe("a runtime that", () => {
  it.each(BROKEN_RUNTIMES)("$what is caught by $breaks", async ({ create, breaks }) => {
    const laws: (string | undefined)[] = [];
    for (const seed of SEEDS) {
      const { breach } = await simulate({ seed, steps: STEPS, sabotage: create() });
      laws.push(breach?.law);
    }
    expect(laws).toContain(breaks);
  });
});
