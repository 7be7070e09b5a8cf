import { pino } from "pino";
import { expect, it } from "vitest";
import type { Log } from "./log.ts";

it("is what a pino logger is: one can be handed over as it is", () => {
  const lines: unknown[] = [];
  const log: Log = pino({ level: "info" }, { write: (line) => void lines.push(JSON.parse(line)) });
  log.debug({}, "too fine");
  log.warn({ job: "job_1", err: new Error("full") }, "failed");
  expect(lines).toMatchObject([{ level: 40, job: "job_1", msg: "failed", err: { message: "full" } }]);
});
