import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { JobError } from "../client/errors.ts";
import type { Job, JobEvent } from "../client/job.ts";
import { readEvent } from "../protocol/event-bodies.ts";
import { followJob, type OutcomeOptions } from "./follow-job.ts";
import { createTestIo, type TestIo } from "./test-io.ts";

const EVENTS = [
  { kind: "log", body: { level: "info", message: "hello\u001b[2J" } },
  { kind: "progress", body: { current: 1, total: 2, units: "files" } },
  { kind: "x-acme.note", body: { a: 1 } },
].map((payload, index) => ({ ...readEvent(payload), seq: index + 1, jobSeq: index + 1 }) as JobEvent);

/** A job whose events and result are at hand; with `never` it does not end. */
function createJob(result: () => Promise<unknown>, never = false): Job {
  return {
    id: "job_1",
    agent: "echo@1.0.0",
    status: "running",
    lease: {},
    expiresAt: undefined,
    budget: {},
    credentials: [],
    traceId: undefined,
    parentJobId: undefined,
    delegateId: undefined,
    children: [],
    idempotencyKey: undefined,
    async *events({ signal } = {}) {
      yield* EVENTS;
      if (never) await new Promise((_, reject) => signal?.addEventListener("abort", () => reject(signal.reason)));
    },
    async *delegated() {},
    result,
    async *resultStream() {},
    cancel: async () => {},
    unsubscribe() {},
  };
}

const follow = (job: Job, options: OutcomeOptions, io: TestIo): Promise<number> =>
  followJob(job, options, new AbortController().signal, io);

const failing = (status: "error" | "cancelled" | "timed_out", code: string) => () =>
  Promise.reject(new JobError("job_1", status, { code, message: "no\u001b[2J", retryable: true }));

describe("following a job", () => {
  it("prints plain lines and the result when piped", async () => {
    const io = createTestIo();
    expect(
      await follow(
        createJob(async () => "# Report\u001b[31m\nDone."),
        {},
        io,
      ),
    ).toBe(0);
    expect(io.stdout.lines).toEqual([
      "echo@1.0.0 job_1",
      "info     hello\\x1b[2J",
      "progress 50% 1/2 files",
      'event    x-acme.note {"a":1}',
      "",
      "# Report\\x1b[31m",
      "Done.",
      "",
      "success echo@1.0.0 job_1",
    ]);
    expect(io.stderr.text).toBe("");
  });

  it("draws progress at the bottom of a terminal, and obeys no escape sequence of the job's", async () => {
    const io = createTestIo({ terminal: { width: 40 } });
    await follow(
      createJob(async () => ({ ok: true })),
      {},
      io,
    );
    expect(io.stdout.text.replaceAll("\r\u001b[2K", "")).not.toContain("\u001b");
    expect(io.stdout.text).toContain('{\n  "ok": true\n}');
    expect(io.world.pendingTimers).toBe(0);
  });

  it("prints one JSON object per line with --json, and nothing else", async () => {
    const io = createTestIo();
    await follow(
      createJob(async () => new Uint8Array([1, 2])),
      { json: true },
      io,
    );
    const objects = io.stdout.lines.map((line) => JSON.parse(line));
    expect(objects).toEqual([
      { type: "job", job_id: "job_1", agent: "echo@1.0.0" },
      { type: "event", job_id: "job_1", job_seq: 1, kind: "log", body: { level: "info", message: "hello\u001b[2J" } },
      { type: "event", job_id: "job_1", job_seq: 2, kind: "progress", body: { current: 1, total: 2, units: "files" } },
      { type: "event", job_id: "job_1", job_seq: 3, kind: "x-acme.note", body: { a: 1 } },
      { type: "result", job_id: "job_1", final_status: "success", result: "AQI=", encoding: "base64" },
    ]);
  });

  it("prints the result exactly, and alone, with --result-only", async () => {
    const io = createTestIo();
    await follow(
      createJob(async () => "a\u001b[31m"),
      { resultOnly: true },
      io,
    );
    expect(io.stdout.text).toBe("a\u001b[31m");
    const terminal = createTestIo({ terminal: {} });
    await follow(
      createJob(async () => "a\u001b[31m"),
      { resultOnly: true },
      terminal,
    );
    expect(terminal.stdout.text).toBe("a\\x1b[31m\n");
    expect(terminal.stderr.text).toContain("50% 1/2 files");
    const json = createTestIo();
    await follow(
      createJob(async () => 1),
      { resultOnly: true, json: true },
      json,
    );
    expect(json.stdout.lines.map((line) => JSON.parse(line))).toEqual([
      { type: "result", job_id: "job_1", final_status: "success", result: 1 },
    ]);
  });

  it("writes the result to a file with --output", async () => {
    const cwd = mkdtempSync(join(tmpdir(), "leasehold-cli-"));
    try {
      const io = createTestIo({ cwd });
      await follow(
        createJob(async () => "# Report"),
        { output: "report.md" },
        io,
      );
      expect(readFileSync(join(cwd, "report.md"), "utf8")).toBe("# Report");
      expect(io.stdout.text).toContain("result written to report.md");
    } finally {
      rmSync(cwd, { recursive: true });
    }
  });

  it.each([
    ["error", "INTERNAL_ERROR", 2],
    ["cancelled", "CANCELLED", 3],
    ["timed_out", "TIMEOUT", 4],
    ["error", "CANCELLED", 2],
  ] as const)("rejects for a job that ended as %s (%s) with exit code %i", async (status, code, exitCode) => {
    const io = createTestIo();
    await expect(follow(createJob(failing(status, code)), { json: true }, io)).rejects.toMatchObject({
      code,
      exitCode,
    });
    expect(JSON.parse(io.stdout.lines.at(-1) ?? "")).toEqual({
      type: "error",
      job_id: "job_1",
      final_status: status,
      error: { code, message: "no\u001b[2J", retryable: true },
    });
  });

  it("stops when told to, while the job goes on", async () => {
    const io = createTestIo({ terminal: {} });
    const controller = new AbortController();
    const following = followJob(
      createJob(async () => 1, true),
      {},
      controller.signal,
      io,
    );
    await io.world.settle();
    controller.abort(new Error("stopped"));
    await expect(following).rejects.toThrow("stopped");
    expect(io.world.pendingTimers).toBe(0);
  });
});
