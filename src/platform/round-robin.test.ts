import { describe, expect, it } from "vitest";
import { createFakeWorld } from "../testing/fake-world.ts";
import { RoundRobin } from "./round-robin.ts";

describe("a round robin", () => {
  it("gives one turn in each turn of the event loop, one after the other of those who wait", async () => {
    const turns: (() => void)[] = [];
    const { timers } = createFakeWorld();
    const given = new RoundRobin<string | null>({ ...timers, soon: (run) => void turns.push(run) });
    const had: string[] = [];
    for (const who of ["t/me", "t/me", "t/me", "t/you", null]) void given.next(who).then(() => had.push(String(who)));
    const told: string[][] = [];
    for (let turn = turns.shift(); turn !== undefined; turn = turns.shift()) {
      turn();
      await Promise.resolve();
      told.push(had.splice(0));
    }
    expect(told).toEqual([["t/me"], ["t/you"], ["null"], ["t/me"], ["t/me"]]);
  });
});
