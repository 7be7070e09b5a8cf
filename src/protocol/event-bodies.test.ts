import { describe, expect, expectTypeOf, test } from "vitest";
import { EVENT_BODIES, findBodyProblem, readEvent } from "./event-bodies.ts";
import type { EventKind } from "./event-kinds.ts";

const chunk = { result_id: "res_1", chunk_seq: 0, data: "aGk=", encoding: "base64", more: true };
const delegate = { delegate_id: "d1", child_job_id: "job_2", agent: "echo@1.0.0", lease: {} };
const toolError = { code: "BUDGET_EXHAUSTED", message: "spent", retryable: false };

const bodies: {
  readonly [Kind in EventKind]: { accepts: readonly object[]; refuses: readonly [unknown, field: string][] };
} = {
  log: {
    accepts: [{ level: "info", message: "" }],
    refuses: [
      [{ message: "m" }, "body.level"],
      [{ level: "info", message: 1 }, "body.message"],
    ],
  },
  thought: { accepts: [{ text: "hm" }], refuses: [[{}, "body.text"]] },
  tool_call: {
    accepts: [
      { tool: "grep", args: { q: 1 }, call_id: "c1" },
      { tool: "now", call_id: "c2" },
    ],
    refuses: [
      [{ tool: "", args: {}, call_id: "c1" }, "body.tool"],
      [{ tool: "grep", args: {} }, "body.call_id"],
    ],
  },
  tool_result: {
    accepts: [{ call_id: "c1", result: null }, { call_id: "c1", error: toolError }, { call_id: "c1" }],
    refuses: [
      [{ result: 1 }, "body.call_id"],
      [{ call_id: "c1", error: "no" }, "body.error"],
      [{ call_id: "c1", error: { code: "C" } }, "body.error.message"],
      [{ call_id: "c1", result: 1, error: toolError }, "body"],
    ],
  },
  status: {
    accepts: [{ phase: "back_pressure" }, { phase: "credential_rotated", id: "cred_1", value: "v" }],
    refuses: [[{ message: "m" }, "body.phase"]],
  },
  metric: {
    accepts: [
      { name: "cost.inference", value: 0.0234, unit: "USD" },
      { name: "t", value: -3, dimensions: { host: "a" } },
    ],
    refuses: [
      [{ name: "m" }, "body.value"],
      [{ name: "m", value: Number.NaN }, "body.value"],
      [{ name: "m", value: Number.POSITIVE_INFINITY }, "body.value"],
      [{ name: "m", value: "1" }, "body.value"],
    ],
  },
  artifact_ref: {
    accepts: [{ uri: "file:///a", content_type: "text/plain", byte_size: 3, sha256: "a".repeat(64) }],
    refuses: [
      [{ content_type: "text/plain" }, "body.uri"],
      [{ uri: "u", content_type: "t", byte_size: -1 }, "body.byte_size"],
      [{ uri: "u", content_type: "t", sha256: "abc" }, "body.sha256"],
    ],
  },
  delegate: {
    accepts: [delegate, { ...delegate, input: 1, lease_constraints: { expires_at: "2026-05-13T23:42:00Z" } }],
    refuses: [
      [{ ...delegate, child_job_id: undefined }, "body.child_job_id"],
      [{ ...delegate, lease: [] }, "body.lease"],
    ],
  },
  progress: {
    accepts: [{ current: 47, total: 120, units: "files", message: "m" }, { current: 0 }, { current: 5, total: 2 }],
    refuses: [
      [{ total: 1 }, "body.current"],
      [{ current: -1 }, "body.current"],
      [{ current: Number.POSITIVE_INFINITY }, "body.current"],
      [{ current: 1, total: -1 }, "body.total"],
    ],
  },
  result_chunk: {
    accepts: [chunk, { ...chunk, encoding: "utf8", data: "", more: false }],
    refuses: [
      [{ ...chunk, result_id: undefined }, "body.result_id"],
      [{ ...chunk, chunk_seq: -1 }, "body.chunk_seq"],
      [{ ...chunk, chunk_seq: 0.5 }, "body.chunk_seq"],
      [{ ...chunk, data: undefined }, "body.data"],
      [{ ...chunk, encoding: "hex" }, "body.encoding"],
      [{ ...chunk, more: undefined }, "body.more"],
    ],
  },
};

describe.each(Object.keys(EVENT_BODIES) as EventKind[])("%s", (kind) => {
  test.each(bodies[kind].accepts)("accepts %j", (body) => {
    expect(findBodyProblem(kind, body)).toBeUndefined();
    expect(readEvent({ kind, job_seq: 3, body: { ...body } })).toMatchObject({ kind, job_seq: 3, body });
  });

  test.each(bodies[kind].refuses)("refuses %j", (body, field) => {
    expect(findBodyProblem(kind, body)?.field).toBe(field);
    expect(readEvent({ kind, body: body as Record<string, unknown> })).toEqual({ kind: "unknown", name: kind, body });
  });
});

test("vendor kinds keep their name, kinds of later drafts become unknown", () => {
  const body = { a: 1 };
  expect(readEvent({ kind: "x-acme.seen", ts: "t", body })).toEqual({ kind: "x-acme.seen", ts: "t", body });
  for (const name of ["holograph", "unknown", "vendor", "constructor", "x-", ""]) {
    expect(readEvent({ kind: name, body })).toEqual({ kind: "unknown", name, body });
  }
});

test("events are told apart by kind", () => {
  const event = readEvent({ kind: "progress", body: { current: 1 } });
  if (event.kind !== "progress") throw new Error("not progress");
  expectTypeOf(event.body.current).toEqualTypeOf<number>();
  expect(event.body.current).toBe(1);
});
