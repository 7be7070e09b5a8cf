import { describe, expect, it } from "vitest";
import { createFakeWorld } from "../testing/fake-world.ts";
import { Turns } from "./turns.ts";

describe("turns", () => {
  it("are one in each turn of the event loop, principal after principal", async () => {
    const turns: (() => void)[] = [];
    const { timers } = createFakeWorld();
    const given = new Turns({ ...timers, soon: (run) => void turns.push(run) });
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
