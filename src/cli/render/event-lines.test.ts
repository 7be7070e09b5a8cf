import picocolors from "picocolors";
import { describe, expect, it } from "vitest";
import type { JobEvent } from "../../client/job.ts";
import { readEvent } from "../../protocol/event-bodies.ts";
import { displayWidth } from "./display-width.ts";
import { createEventLines } from "./event-lines.ts";

function event(kind: string, body: Readonly<Record<string, unknown>>): JobEvent {
  return { ...readEvent({ kind, body }), seq: 1 } as JobEvent;
}

function linesAt(
  width: number | undefined,
): (kind: string, body: Readonly<Record<string, unknown>>) => readonly string[] {
  const lines = createEventLines({ colors: picocolors.createColors(false), width: () => width });
  return (kind, body) => lines(event(kind, body));
}

describe("createEventLines", () => {
  it.each([
    [{ state: "expired" }, "nobody has decided tool.call refund (call) in time"],
    [{ state: "expired", lease_id: "lease_1" }, "the grant of tool.call refund (call) is over"],
    [{ state: "withdrawn" }, "nobody has to decide tool.call refund (call) any more"],
  ])("says of a permission %j what that means", (body, says) => {
    const triple = { permission: "tool.call", resource: "refund", operation: "call" };
    expect(linesAt(undefined)("x-leasehold.permission", { ...triple, ...body })).toEqual([`person   ${says}`]);
  });

  it("says what to type while a person is waited for, and lets nothing of it control the terminal", () => {
    const triple = { permission: "tool.call", resource: "re\u001b[31mfund", operation: "call" };
    const body = { permission_id: "perm_1", state: "pending", ...triple, reason: "twice" };
    expect(linesAt(undefined)("x-leasehold.permission", body)).toEqual([
      "person   waits for a person to decide tool.call re\\x1b[31mfund (call): twice",
      "         leasehold permissions grant perm_1",
      "         leasehold permissions deny perm_1 --reason …",
    ]);
  });

  it.each([
    ["log", { level: "warn", message: "slow" }, "warn     slow"],
    ["thought", { text: "hm" }, "thought  hm"],
    ["status", { phase: "reading" }, "status   reading"],
    ["status", { phase: "restarted", message: "attempt 2" }, "status   restarted: attempt 2"],
    ["progress", { current: 1, total: 4, units: "files" }, "progress 25% 1/4 files"],
    [
      "metric",
      { name: "cost.model", value: 0.02, unit: "USD", dimensions: { model: "m" } },
      "metric   cost.model 0.02 USD model=m",
    ],
    ["tool_call", { tool: "search", args: { q: "x" }, call_id: "c1" }, 'call     search {"q":"x"}'],
    ["tool_result", { call_id: "c9", result: [1] }, "result   c9 [1]"],
    [
      "artifact_ref",
      { uri: "file:///a", name: "a.txt", content_type: "text/plain", byte_size: 12 },
      "artifact a.txt file:///a text/plain 12 bytes",
    ],
    ["delegate", { delegate_id: "d", child_job_id: "job_2", agent: "b@1", lease: {} }, "delegate b@1 job_2"],
    [
      "x-leasehold.permission",
      { state: "granted", permission: "tool.call", resource: "refund", operation: "call", expires_at: "2026-01-01" },
      "person   granted tool.call refund (call), until 2026-01-01",
    ],
    [
      "x-leasehold.permission",
      { state: "denied", permission: "tool.call", resource: "refund", operation: "call", reason: "too much" },
      "person   denied tool.call refund (call): too much",
    ],
    ["x-acme.note", { a: 1 }, 'event    x-acme.note {"a":1}'],
    ["later_kind", { a: 1 }, 'event    later_kind {"a":1}'],
    ["log", { level: "info" }, 'event    log {"level":"info"}'],
  ])("shows %s %j", (kind, body, line) => {
    expect(linesAt(undefined)(kind, body)).toEqual([line]);
  });

  it("names a result after the tool that was called", () => {
    const lines = linesAt(undefined);
    lines("tool_call", { tool: "search", args: {}, call_id: "c1" });
    const error = { code: "TIMEOUT", message: "too slow", retryable: true };
    expect(lines("tool_result", { call_id: "c1", error })).toEqual(["result   search TIMEOUT too slow"]);
  });

  it("shows a tool that is called again and again only when it fails, and says so", () => {
    const lines = linesAt(undefined);
    const shown = Array.from({ length: 100 }, (_, index) => [
      ...lines("tool_call", { tool: "read", args: { index }, call_id: `c${index}` }),
      ...lines("tool_result", { call_id: `c${index}`, result: "ok" }),
    ]).flat();
    expect(shown).toHaveLength(21);
    expect(shown.slice(-3)).toEqual([
      'call     read {"index":9}',
      "result   read ok",
      "call     read again: from here on it is shown when it fails (--json shows all)",
    ]);
    expect(lines("tool_call", { tool: "read", args: {}, call_id: "late" })).toEqual([]);
    const error = { code: "PERMISSION_DENIED", message: "no", retryable: false };
    const failed = ["call     read {}", "result   read PERMISSION_DENIED no"];
    expect(lines("tool_result", { call_id: "late", error })).toEqual(failed);
    expect(lines("tool_call", { tool: "write", args: {}, call_id: "c" })).toEqual(["call     write {}"]);
  });

  it("leaves chunks of the result to the end", () => {
    const chunk = { result_id: "r", chunk_seq: 0, data: "x", encoding: "utf8", more: false };
    expect(linesAt(undefined)("result_chunk", chunk)).toEqual([]);
  });

  it("wraps prose under its label, and keeps its lines", () => {
    const lines = linesAt(20)("log", { level: "info", message: "one two three\nfour" });
    expect(lines).toEqual(["info     one two", "         three", "         four"]);
  });

  it("cuts what may be large to one line", () => {
    const [line = "", ...more] = linesAt(40)("tool_call", { tool: "t", args: "日".repeat(1_000), call_id: "c" });
    expect(more).toEqual([]);
    expect(displayWidth(line)).toBeLessThanOrEqual(40);
    expect(linesAt(undefined)("tool_call", { tool: "t", args: "x".repeat(9_000), call_id: "c" })[0]).toHaveLength(511);
  });

  it.each([
    ["log", { level: "\u001b[31m", message: "a\u001b[2Jb\rc" }],
    ["thought", { text: "\u009b31m" }],
    ["status", { phase: "\u001b]0;t\u0007", message: "\u001b[1A" }],
    ["tool_call", { tool: "\u001b[1m", args: { "\u001b": "\u009b" }, call_id: "\u001b" }],
    ["tool_result", { call_id: "\u001b[1m", error: { code: "\u001b", message: "\u001b[2K" } }],
    ["metric", { name: "\u001b", value: 1, unit: "\u001b", dimensions: { "\u001b": "\u001b" } }],
    ["artifact_ref", { uri: "\u001b", content_type: "\u001b" }],
    ["x-\u001b.a", { "\u001b": 1 }],
    ["\u001b[2J", {}],
  ])("obeys no escape sequence in %j %j", (kind, body) => {
    const text = linesAt(80)(kind, body).join("");
    expect(text).not.toBe("");
    expect(text).not.toMatch(/\p{Cc}/u);
  });
});
