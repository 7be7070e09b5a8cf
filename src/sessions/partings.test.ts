import { expect, it } from "vitest";
import { PARTINGS_PER_TURN, Partings } from "./partings.ts";

it("are a few in each turn of the event loop, in their order", () => {
  const turns: (() => void)[] = [];
  const partings = new Partings({ after: () => ({ cancel() {} }), soon: (run) => void turns.push(run) });
  const parted: number[] = [];
  const count = 2 * PARTINGS_PER_TURN + 1;
  for (let index = 0; index < count; index++) partings.add(() => parted.push(index));
  const told: number[] = [];
  for (let turn = turns.shift(); turn !== undefined; turn = turns.shift()) {
    turn();
    told.push(parted.length);
  }
  expect(told).toEqual([PARTINGS_PER_TURN, 2 * PARTINGS_PER_TURN, count]);
  expect(parted).toEqual(Array.from({ length: count }, (_, index) => index));
});
