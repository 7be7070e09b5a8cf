/** The kill test with a few kills only; `npm run kill-test` does it 200 times. */
import { expect, it } from "vitest";
import { runKillTest } from "./cycles.ts";

it("[law-money-exact] a session and its jobs survive kills of the runtime process", async () => {
  const outcome = await runKillTest({ cycles: 3, seed: 1 });
  expect(outcome.breach).toBeUndefined();
  expect(outcome.jobs).toBe(9);
  expect(outcome.counted).toBeGreaterThan(0);
  expect(outcome.events).toBeGreaterThan(0);
});
