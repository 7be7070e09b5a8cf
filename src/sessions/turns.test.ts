import { beforeEach, expect, it } from "vitest";
import { createFakeWorld } from "../testing/fake-world.ts";
import { Session } from "./session.ts";
import { MAX_WAITING_TURNS, Turns } from "./turns.ts";

let soon: (() => void)[];
let turns: Turns;

beforeEach(() => {
  soon = [];
  turns = new Turns({ ...createFakeWorld().timers, soon: (run) => void soon.push(run) });
});

function aSession(id: string): Session {
  const row = { id, principal: "t/me", features: [], createdAt: 0, newestToken: "", presentedToken: null } as const;
  return new Session({ ...row, head: 0, released: 0, follows: [] });
}

it("gives one turn for each turn of the event loop, session after session", async () => {
  const [one, other] = [aSession("one"), aSession("other")];
  const had: string[] = [];
  const ask = (session: Session, name: string): void => void turns.next(session).then(() => had.push(name));
  for (const name of ["a", "b", "c"]) ask(one, name);
  ask(other, "x");
  for (const expected of [["a"], ["a", "x"], ["a", "x", "b"], ["a", "x", "b", "c"]]) {
    expect(soon).toHaveLength(1);
    soon.shift()?.();
    await Promise.resolve();
    await Promise.resolve();
    await Promise.resolve();
    expect(had).toEqual(expected);
  }
  expect(soon).toEqual([]);
});

it("refuses, retryably, a session that waits for too many, and no other", async () => {
  const greedy = aSession("greedy");
  for (let turn = 0; turn < MAX_WAITING_TURNS; turn++) void turns.next(greedy);
  await expect(turns.next(greedy)).rejects.toMatchObject({ code: "INTERNAL_ERROR", retryable: true });
  const modest = turns.next(aSession("modest"));
  soon.shift()?.();
  soon.shift()?.();
  await expect(modest).resolves.toBeUndefined();
});
