import { describe, expect, it } from "vitest";
import type { PermissionRow } from "../kernel/authority/permission.ts";
import type { JobRecord } from "../kernel/job/job-record.ts";
import type { KernelEventName, KernelEvents } from "../kernel/kernel-events.ts";
import { aJob } from "../stores/contract/rows.ts";
import { createFakeWorld } from "../testing/fake-world.ts";
import { FEED_INTERVAL_MS, FeedReader, MAX_WAITING_CHANGES, MAX_WRITE_LENGTH } from "./job-feed.ts";

function setUp() {
  const world = createFakeWorld();
  const listeners = new Map<string, (event: never) => void>();
  const kernel = {
    on<Name extends KernelEventName>(name: Name, listener: (event: KernelEvents[Name]) => void) {
      listeners.set(name, listener as (event: never) => void);
      return () => void listeners.delete(name);
    },
  };
  const ending = new AbortController();
  const reader = new FeedReader(kernel, world.timers, (job) => !job.id.startsWith("foreign"));
  const lines = reader.lines(ending.signal);
  return {
    world,
    listeners,
    ending,
    lines,
    tell<Name extends KernelEventName>(name: Name, event: KernelEvents[Name]): void {
      listeners.get(name)?.(event as never);
    },
    /** The next lines, parsed; the pause before them passes. */
    async next() {
      const next = lines.next();
      await world.advance(FEED_INTERVAL_MS);
      const { value, done } = await next;
      return done === true
        ? undefined
        : value
            .trim()
            .split("\n")
            .map((line: string) => JSON.parse(line));
    },
  };
}

function aPermission(id: string, of: string): PermissionRow {
  return {
    id,
    job: of,
    principal: "t/me",
    agent: "echo@1.0.0",
    key: id,
    digest: "",
    argsDigest: null,
    args: null,
    reason: null,
    leaseSeconds: null,
    attempt: 1,
    permission: "tool.call",
    resource: "refund",
    operation: "call",
    state: "pending",
    requestedAt: 0,
    expiresAt: 60_000,
    leaseId: null,
    decidedAt: null,
    decidedBy: null,
    decisionReason: null,
  };
}

const job = (id: string, fields: Partial<JobRecord> = {}): JobRecord => ({ ...aJob(id), ...fields });

describe("a reader of the feed", () => {
  it("misses nothing from the moment it is told that the feed is open", async () => {
    const { next, tell } = setUp();
    tell("job:accepted", { job: job("early") });
    expect(await next()).toEqual([{ type: "feed.opened" }]);
    expect(await next()).toMatchObject([{ type: "job.accepted", job: { job_id: "early" } }]);
  });

  it("is told of a job once for all that happened to it, as the most telling of it", async () => {
    const { next, tell } = setUp();
    await next();
    tell("job:accepted", { job: job("a", { status: "running" }) });
    tell("job:changed", { job: job("a", { status: "running" }) });
    const payload = '{"kind":"progress","ts":"2026-01-01T00:00:00.000Z","job_seq":2,"body":{"current":7}}';
    tell("job:appended", {
      job: job("a"),
      chunks: [{ job: "a", firstSeq: 1, kinds: "lp", payloads: ["{}", payload] }],
    });
    tell("job:accepted", { job: job("b") });
    const outcome = { status: "error", error: { code: "TIMEOUT", message: "late", retryable: true } } as const;
    tell("job:ended", { job: job("a", { status: "error", outcome }) });
    expect(await next()).toMatchObject([
      {
        type: "job.ended",
        job: { job_id: "a", status: "error", progress: { current: 7, job_seq: 2 }, error: { code: "TIMEOUT" } },
      },
      { type: "job.accepted", job: { job_id: "b" } },
    ]);
  });

  it("is not told of entries that are no progress, nor of what it may not see", async () => {
    const { next, tell, lines } = setUp();
    await next();
    tell("job:appended", { job: job("a"), chunks: [{ job: "a", firstSeq: 1, kinds: "l", payloads: ["{}"] }] });
    tell("job:ended", { job: job("foreign") });
    const waiting = lines.next();
    tell("job:ended", { job: job("a") });
    expect((await waiting).value).toContain('"a"');
  });

  it("is told of what jobs ask people for, as it stands by then, and of nothing that is hidden", async () => {
    const { next, tell } = setUp();
    await next();
    const asked = aPermission("perm_1", "a");
    tell("permission:changed", { job: job("a"), permission: asked });
    tell("permission:changed", { job: job("a"), permission: { ...asked, state: "denied", decidedBy: "t/me" } });
    tell("permission:changed", { job: job("foreign"), permission: aPermission("perm_2", "foreign") });
    expect(await next()).toMatchObject([
      { type: "permission.changed", permission: { permission_id: "perm_1", state: "denied", decided_by: "t/me" } },
    ]);
  });

  it("tells of long permissions over several writes, and of the latest of each", async () => {
    const { tell, next } = setUp();
    await next();
    const long = { args: JSON.stringify("x".repeat(16_000)) };
    for (let index = 0; index < 100; index++) {
      tell("permission:changed", { job: job("a"), permission: { ...aPermission(`perm_${index}`, "a"), ...long } });
    }
    const first = (await next()) ?? [];
    expect(first.length).toBe(Math.ceil(MAX_WRITE_LENGTH / JSON.stringify(first[0]).length));
    tell("permission:changed", { job: job("a"), permission: { ...aPermission("perm_99", "a"), state: "denied" } });
    const second = (await next()) ?? [];
    expect([...first, ...second].map(({ permission }) => permission.permission_id)).toEqual(
      Array.from({ length: 100 }, (_, index) => `perm_${index}`),
    );
    expect(second.at(-1)).toMatchObject({ permission: { state: "denied" } });
  });

  it("gives permissions up like jobs when too many wait", async () => {
    const { next, tell } = setUp();
    await next();
    for (let index = 0; index < MAX_WAITING_CHANGES; index++) {
      tell("permission:changed", { job: job("a"), permission: aPermission(`perm_${index}`, "a") });
    }
    tell("job:ended", { job: job("a") });
    expect(await next()).toMatchObject([{ type: "feed.missed", changes: MAX_WAITING_CHANGES }, { type: "job.ended" }]);
  });

  it("is told how many changes it missed when too many jobs changed while it was away", async () => {
    const { next, tell } = setUp();
    await next();
    for (let index = 0; index < MAX_WAITING_CHANGES + 5; index++) tell("job:accepted", { job: job(`job_${index}`) });
    const lines = await next();
    expect(lines?.[0]).toEqual({ type: "feed.missed", changes: MAX_WAITING_CHANGES });
    expect(lines).toHaveLength(6);
    tell("job:ended", { job: job("job_0") });
    expect(await next()).toMatchObject([{ type: "job.ended", job: { job_id: "job_0" } }]);
  });

  it("stops listening when it ends, whatever it was waiting for", async () => {
    const { next, ending, lines, listeners, world } = setUp();
    expect(listeners.size).toBe(5);
    await next();
    const waiting = lines.next();
    await world.settle();
    ending.abort();
    expect(await waiting).toEqual({ value: undefined, done: true });
    expect([listeners.size, world.pendingTimers]).toEqual([0, 0]);
  });
});
