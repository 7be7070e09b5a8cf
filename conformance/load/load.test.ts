/** The load run in small; `npm run load` does it at full size. */
import { expect, it } from "vitest";
import { type Breach, startScriptedRuntime } from "../../benchmarks/scripted-runtime.ts";
import { Judge } from "../simulation/laws.ts";
import { runLoad } from "./load-run.ts";
import { LoadSession } from "./load-session.ts";

it("every stream is whole while a flood is followed by whoever comes and goes [law-no-gap-or-repeat]", async () => {
  const outcome = await runLoad({ seconds: 2, seed: 1, idleSessions: 40, subscribers: 8, subscriptions: 60 });
  expect(outcome.breach).toBeUndefined();
  expect(outcome.subscriptions).toBe(60);
  expect(outcome.withHistory).toBeGreaterThan(8);
  expect(outcome.resumed).toBeGreaterThan(0);
  // Three have all of it, and the others what they came for.
  expect(outcome.delivered).toBeGreaterThan(3 * outcome.events);
  expect(outcome.pings.length).toBeGreaterThan(0);
  expect(outcome.marks.length).toBeGreaterThan(0);
});

it.each<[Breach, string]>([
  ["gap", "event_seq 4 came after 2"],
  ["repeat", "event_seq 2 came after 2"],
])("a %s is noticed", async (breach, detail) => {
  await using runtime = await startScriptedRuntime(breach);
  const judge = new Judge();
  const { url, token } = runtime;
  const session = await LoadSession.open({ url, token, judge, name: "it" });
  await session.submit("chatty", { n: 5 });
  await expect.poll(() => judge.breach).toEqual({ law: "no-gap-or-repeat", detail: `it: ${detail}` });
  session.leave();
});
