/** The client's scenarios in Node; `npm run browser-test` runs the same ones in Chromium. */
import { afterAll, beforeAll, describe, it } from "vitest";
import { SCENARIOS, type Stage } from "./scenarios.ts";
import { createStage } from "./stage.ts";

let stage: Stage & AsyncDisposable;
beforeAll(async () => {
  stage = await createStage();
});
afterAll(() => stage[Symbol.asyncDispose]());

describe("a client in Node", () => {
  for (const [name, run] of Object.entries(SCENARIOS)) it(name, () => run(stage));
});
