import { expect, it } from "vitest";
import { Turns } from "./turns.ts";

it("gives one turn for each turn of the event loop, in the order of the calls", async () => {
  const soon: (() => void)[] = [];
  const turns = new Turns({
    after: () => {
      throw new Error("no timer is needed");
    },
    soon: (run) => void soon.push(run),
  });
  const had: string[] = [];
  for (const name of ["first", "second", "third"]) void turns.next().then(() => had.push(name));
  for (const expected of [["first"], ["first", "second"], ["first", "second", "third"]]) {
    expect(soon).toHaveLength(1);
    soon.shift()?.();
    await Promise.resolve();
    expect(had).toEqual(expected);
  }
  expect(soon).toEqual([]);
});
