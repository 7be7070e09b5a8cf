import { describe, expect, it } from "vitest";
import { createFakeWorld } from "../testing/fake-world.ts";
import { createLineLog } from "./line-log.ts";
import { createTestOutput } from "./test-io.ts";

const { clock } = createFakeWorld();

describe("createLineLog", () => {
  it("writes JSON objects, errors included, from its level on", () => {
    const output = createTestOutput();
    const log = createLineLog({ output, clock, json: true, from: "info" });
    log.debug({}, "too fine");
    log.info({ err: new Error("full", { cause: new Error("disk") }), job: "j" }, "failed");
    expect(output.lines.map((line) => JSON.parse(line))).toMatchObject([
      {
        type: "log",
        level: "info",
        time: "2026-01-01T00:00:00.000Z",
        message: "failed",
        err: { message: "full", cause: { message: "disk" } },
        job: "j",
      },
    ]);
  });

  it("writes short lines for people, safe to print", () => {
    const output = createTestOutput();
    createLineLog({ output, clock, json: false, from: "warn" }).warn({ err: new Error("no\u001b[2J"), n: 2 }, "failed");
    expect(output.lines).toEqual(["warn failed err=no\\x1b[2J n=2"]);
  });
});
