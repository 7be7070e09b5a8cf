import { beforeEach, expect, it } from "vitest";
import { createFakeWorld } from "../../testing/fake-world.ts";
import { PageTurns } from "./page-turns.ts";

let soon: (() => void)[];
let turns: PageTurns;
let had: string[];
beforeEach(() => {
  soon = [];
  had = [];
  turns = new PageTurns({ ...createFakeWorld().timers, soon: (run) => void soon.push(run) }, 100);
});

/** Reads a page of so many entries, at once when its turn comes. */
function read(name: string, entries: number): void {
  void turns.next().then(() => {
    had.push(name);
    turns.spent(entries);
  });
}

async function settled(): Promise<readonly string[]> {
  for (let round = 0; round < 50; round++) await Promise.resolve();
  return had;
}

/** One turn of the event loop. */
async function turn(): Promise<readonly string[]> {
  for (const run of soon.splice(0)) run();
  return await settled();
}

it("lets small pages share a turn, and large ones wait for the next", async () => {
  for (const name of ["a", "b", "c", "d"]) read(name, 60);
  expect(await settled()).toEqual(["a", "b"]);
  expect(await turn()).toEqual(["a", "b", "c", "d"]);
  for (let page = 0; page < 12; page++) read("small", 10);
  expect(await settled()).toHaveLength(4);
  await turn();
  expect(had).toHaveLength(14);
  expect(await turn()).toHaveLength(16);
});

it("gives turns in the order in which they were asked for", async () => {
  for (const name of ["a", "b", "c"]) read(name, 100);
  await settled();
  read("d", 100);
  for (const expected of [
    ["a", "b"],
    ["a", "b", "c"],
    ["a", "b", "c", "d"],
  ])
    expect(await turn()).toEqual(expected);
});

it("does not let the others wait for a read that takes long", async () => {
  void turns.next().then(() => had.push("slow"));
  read("a", 1);
  read("b", 1);
  expect(await settled()).toEqual(["slow"]);
  expect(await turn()).toEqual(["slow", "a"]);
  expect(await turn()).toEqual(["slow", "a", "b"]);
});

it("leaves no timer behind when nobody reads", async () => {
  read("a", 100);
  await settled();
  await turn();
  expect(soon).toEqual([]);
});
