import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { EXIT, EXIT_CODE_LINES, exitCodeOfError, exitCodeOfStatus } from "./exit-codes.ts";

describe("exit codes", () => {
  it("each say one thing, and stand in --help", () => {
    const codes = Object.values(EXIT);
    expect(new Set(codes).size).toBe(codes.length);
    expect(EXIT_CODE_LINES.map((line) => Number.parseInt(line, 10))).toEqual(codes);
  });

  it("stand in docs/cli.md as they do in --help", () => {
    const page = readFileSync(new URL("../../docs/cli.md", import.meta.url), "utf8");
    for (const line of EXIT_CODE_LINES) {
      const [, code, meaning] = /^(\d+) +(.*)$/.exec(line) ?? [];
      expect(page).toContain(`| ${code} | ${meaning} |`);
    }
  });

  it.each([
    ["success", 0],
    ["error", 2],
    ["cancelled", 3],
    ["timed_out", 4],
    ["some_later_status", 2],
  ])("of a job that ended as %s", (status, code) => expect(exitCodeOfStatus(status)).toBe(code));

  it.each([
    ["JOB_NOT_FOUND", 5],
    ["AGENT_NOT_AVAILABLE", 5],
    ["AGENT_VERSION_NOT_AVAILABLE", 5],
    ["UNAUTHENTICATED", 6],
    ["PERMISSION_DENIED", 6],
    ["HEARTBEAT_LOST", 7],
    ["INVALID_REQUEST", 1],
    ["INTERNAL_ERROR", 1],
  ] as const)("of a request that was answered with %s", (error, code) => expect(exitCodeOfError(error)).toBe(code));
});
