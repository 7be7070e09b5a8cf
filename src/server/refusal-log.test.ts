import { expect, it } from "vitest";
import { silentLog } from "../platform/log.ts";
import { createFakeWorld } from "../testing/fake-world.ts";
import { MAX_REFUSALS_LOGGED, RefusalLog } from "./refusal-log.ts";

it("logs so many refusals a minute, and tells how many it did not", async () => {
  const world = createFakeWorld();
  const lines: unknown[] = [];
  const keep = (fields: object, message: string): void => void lines.push([message, fields]);
  const refusals = new RefusalLog({ ...silentLog, info: keep, warn: keep }, world.clock);
  const refused = { status: 403, reason: "no", address: "203.0.113.9" };
  const one = ["refused a WebSocket", refused];

  for (let knock = 0; knock < 1_000; knock++) refusals.add(refused);
  expect(lines.splice(0)).toEqual(Array.from({ length: MAX_REFUSALS_LOGGED }, () => one));
  await world.advance(60_000);
  refusals.add(refused);
  const untold = { refused: 1_000 - MAX_REFUSALS_LOGGED };
  expect(lines.splice(0)).toEqual([["more WebSockets were refused than were logged", untold], one]);
  await world.advance(60_000);
  refusals.add(refused);
  expect(lines).toEqual([one]);
});
