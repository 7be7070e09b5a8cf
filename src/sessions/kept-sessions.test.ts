import { expect, it } from "vitest";
import { KeptSessions } from "./kept-sessions.ts";

const kept = (maxParkedBytes: number, maxParkedBytesPerPrincipal: number) =>
  new KeptSessions({ maxParkedBytes, maxParkedBytesPerPrincipal });

it("keeps what fits", () => {
  const sessions = kept(100, 200);
  expect(sessions.keep("t/a", "s1", 100)).toEqual([]);
  expect(sessions.keep("t/a", "s2", 100)).toEqual([]);
  expect(sessions.keep("t/b", "s3", 100)).toEqual([]);
  expect([...sessions].map(({ id }) => id)).toEqual(["s1", "s2", "s3"]);
});

it("lets a session go that keeps too much by itself, and no other", () => {
  const sessions = kept(100, 1_000);
  sessions.keep("t/a", "s1", 100);
  expect(sessions.keep("t/a", "s2", 101)).toEqual([{ id: "s2", limit: "maxParkedBytes", bytes: 101 }]);
  expect(sessions.has("t/a", "s1")).toBe(true);
});

it("lets the oldest of the principal go until the rest fits", () => {
  const sessions = kept(100, 150);
  sessions.keep("t/b", "other", 100);
  for (const id of ["s1", "s2", "s3"]) expect(sessions.keep("t/a", id, 50)).toEqual([]);
  expect(sessions.keep("t/a", "s4", 80).map(({ id, limit }) => [id, limit])).toEqual([
    ["s1", "maxParkedBytesPerPrincipal"],
    ["s2", "maxParkedBytesPerPrincipal"],
  ]);
  expect([...sessions].map(({ id }) => id)).toEqual(["other", "s3", "s4"]);
});

it("counts a session anew without making it younger", () => {
  const sessions = kept(100, 150);
  sessions.keep("t/a", "s1", 10);
  sessions.keep("t/a", "s2", 10);
  sessions.keep("t/a", "s1", 90);
  expect(sessions.oldest("t/a")).toBe("s1");
  expect(sessions.keep("t/a", "s2", 70).map(({ id }) => id)).toEqual(["s1"]);
  expect(sessions.keep("t/a", "s3", 80)).toEqual([]);
});

it("forgets what was taken up again, and leaves nothing behind", () => {
  const sessions = kept(100, 100);
  sessions.keep("t/a", "s1", 100);
  sessions.forget("t/a", "s1");
  sessions.forget("t/a", "s1");
  expect(sessions.oldest("t/a")).toBeUndefined();
  expect(sessions.keep("t/a", "s2", 100)).toEqual([]);
});
