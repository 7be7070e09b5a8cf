import { describe, expect, it } from "vitest";
import { CodedError } from "../../protocol/errors.ts";
import { anAgent, createTestKernel, deaf, echo, ME } from "../test-kernel.ts";
import type { Accepted } from "./submit.ts";

const OTHER = { ...ME, id: "someone-else" };
const refusal = (code: string) => expect.objectContaining({ code });
describe("submitting a job", () => {
  it("takes two commits from the submission to the result", async () => {
    const { submit, batches, stored, log, kernel } = await createTestKernel({ agents: [echo] });
    const { job } = await submit("echo", { a: 1 });
    expect(batches).toHaveLength(2);
    expect(await stored(job.id)).toMatchObject({ status: "success", outcome: null, attempt: 1 });
    expect((await log(job.id)).at(-1)?.payload).toMatchObject({ final_status: "success", result: { a: 1 } });
    expect(kernel.unfinished).toBe(0);
  });

  it("stores who asked, for what, by which agent, under which id and trace", async () => {
    const { submit, stored, world } = await createTestKernel({ agents: [deaf] });
    const { job } = await submit("deaf", { a: 1 }, { session: "sess_1", traceId: "0af7651916cd43dd8448eb211c80319c" });
    expect(await stored(job.id)).toMatchObject({
      id: job.id,
      root: job.id,
      parent: null,
      delegateId: null,
      principal: "t/me",
      session: "sess_1",
      agent: "deaf",
      version: "1.0.0",
      traceId: "0af7651916cd43dd8448eb211c80319c",
      traceParent: null,
      lease: null,
      createdAt: world.clock.now(),
      deadlineAt: null,
      expiresAt: null,
    });
  });

  it("[reading-ids] gives the job a prefix and a ULID for an id", async () => {
    const { submit } = await createTestKernel({ agents: [echo] });
    expect((await submit("echo")).job.id).toMatch(/^job_[0-9A-HJKMNP-TV-Z]{26}$/);
  });

  it("draws a trace id of 32 hex digits when none is given", async () => {
    const { submit } = await createTestKernel({ agents: [echo] });
    const traces = [(await submit("echo")).job.traceId, (await submit("echo")).job.traceId];
    for (const trace of traces) expect(trace).toMatch(/^[0-9a-f]{32}$/);
    expect(traces[0]).not.toBe(traces[1]);
  });

  it("[law-commit-then-publish] accepts, and starts the agent, only when the job is stored", async () => {
    let started = 0;
    const counting = anAgent("counting", () => {
      started++;
      return {};
    });
    const { kernel, store, world } = await createTestKernel({ agents: [counting] });
    store.hold();
    const happened: string[] = [];
    const request = { principal: ME, session: null, agent: "counting", input: null };
    void kernel.submit(request, () => happened.push("accepted")).then(() => happened.push("resolved"));
    await world.settle();
    expect([started, happened, store.held]).toEqual([0, [], 1]);
    store.release();
    await world.settle();
    expect([started, happened]).toEqual([1, ["accepted", "resolved"]]);
  });

  it("reports the job as it was stored, though more has happened to it since", async () => {
    const { kernel, store, world } = await createTestKernel({ agents: [deaf] });
    store.hold();
    const answers: Accepted[] = [];
    void kernel.submit({ principal: ME, session: null, agent: "deaf", input: null, maxRuntimeSec: 1 }, (answer) =>
      answers.push(answer),
    );
    await world.advance(1_000);
    const held = answers.length;
    store.release();
    await world.settle();
    expect([held, answers.map(({ job }) => job.status)]).toEqual([0, ["running"]]);
  });

  it("refuses an agent that is not here, and stores nothing", async () => {
    const { submit, batches, kernel } = await createTestKernel({ agents: [echo] });
    await expect(submit("nobody")).rejects.toThrow(refusal("AGENT_NOT_AVAILABLE"));
    expect([batches.length, kernel.unfinished]).toEqual([0, 0]);
  });

  it("refuses input that the agent does not take, checked at once or in a while", async () => {
    const refuse = (input: unknown) => {
      if (input === null) throw new CodedError("INVALID_REQUEST", "input: must not be null");
      return input;
    };
    const agents = [
      anAgent("strict", () => ({}), { parseInput: refuse }),
      anAgent("slow", () => ({}), { parseInput: async (input) => refuse(input) }),
    ];
    const { submit, batches } = await createTestKernel({ agents });
    await expect(submit("strict")).rejects.toThrow(refusal("INVALID_REQUEST"));
    await expect(submit("slow")).rejects.toThrow(refusal("INVALID_REQUEST"));
    expect(batches).toEqual([]);
  });

  it("hands the agent its input as it was checked, and stores it as it came", async () => {
    let got: unknown;
    const doubling = anAgent(
      "doubling",
      (_, input) => {
        got = input;
        return {};
      },
      { parseInput: async (input) => (input as number) * 2 },
    );
    const { submit, store } = await createTestKernel({ agents: [doubling] });
    const { job } = await submit("doubling", 21);
    expect([got, await store.readInput(job.id)]).toEqual([42, "21"]);
  });

  it("[arcp-9.5-in-future] refuses a lease that has expired", async () => {
    const { submit, world } = await createTestKernel({ agents: [echo] });
    const leaseConstraints = { expires_at: new Date(world.clock.now()).toISOString() };
    await expect(submit("echo", null, { leaseConstraints })).rejects.toThrow(refusal("INVALID_REQUEST"));
  });

  it("refuses input that nests too deep to be stored, without exhausting the stack", async () => {
    let input: unknown = 1;
    for (let level = 0; level < 100_000; level++) input = [input];
    const { submit, kernel } = await createTestKernel({ agents: [echo] });
    await expect(submit("echo", input)).rejects.toThrow(refusal("INVALID_REQUEST"));
    await expect(submit("echo", input, { idempotencyKey: "k" })).rejects.toThrow(refusal("INVALID_REQUEST"));
    expect(kernel.unfinished).toBe(0);
  });

  it("hears of a callback of its own that throws, and runs the job all the same", async () => {
    const { kernel, world } = await createTestKernel({ agents: [echo] });
    const submitted = kernel.submit({ principal: ME, session: null, agent: "echo", input: 1 }, () => {
      throw new Error("the connection broke");
    });
    submitted.catch(() => {});
    await world.settle();
    await expect(submitted).rejects.toThrow("the connection broke");
    const [job] = await kernel.listJobs({ principals: ["t/me"], limit: 10 });
    expect([job?.status, kernel.unfinished]).toEqual(["success", 0]);
  });
});

describe("submitting with an idempotency key", () => {
  const keyed = { idempotencyKey: "k" };

  it("[arcp-7.2-same-acceptance] gives the same job for the same parameters, whatever the order of their keys", async () => {
    const { submit } = await createTestKernel({ agents: [echo] });
    const first = await submit("echo", { a: 1, b: { c: 2, d: 3 } }, keyed);
    const second = await submit("echo", { b: { d: 3, c: 2 }, a: 1 }, keyed);
    expect([first.repeated, second.repeated, second.job.id]).toEqual([false, true, first.job.id]);
  });

  it("[arcp-7.2-same-acceptance] does so from another session and under another trace", async () => {
    const { submit } = await createTestKernel({ agents: [echo] });
    const first = await submit("echo", 1, { ...keyed, session: "sess_1", traceId: "1".repeat(32) });
    const second = await submit("echo", 1, { ...keyed, session: "sess_2", traceId: "2".repeat(32) });
    expect(second).toMatchObject({
      repeated: true,
      job: { id: first.job.id, session: "sess_1", traceId: "1".repeat(32) },
    });
  });

  it.each([
    ["input", "echo", 2, {}],
    ["agent", "deaf", 1, {}],
    ["lease_request", "echo", 1, { leaseRequest: { "fs.read": ["/**"] } }],
    ["lease_constraints", "echo", 1, { leaseConstraints: { expires_at: "2027-01-01T00:00:00Z" } }],
    ["max_runtime_sec", "echo", 1, { maxRuntimeSec: 5 }],
  ])("[arcp-7.2-duplicate-key] refuses the key with another %s", async (_, agent, input, more) => {
    const { submit, kernel } = await createTestKernel({ agents: [echo, deaf] });
    await submit("echo", 1, keyed);
    await expect(submit(agent, input, { ...keyed, ...more })).rejects.toThrow(refusal("DUPLICATE_KEY"));
    expect(await kernel.listJobs({ principals: ["t/me"], limit: 10 })).toHaveLength(1);
  });

  it("refuses a key that a store would take for another", async () => {
    const { submit } = await createTestKernel({ agents: [echo] });
    for (const idempotencyKey of ["\ud800", "\ud801", "a\udc00b"]) {
      await expect(submit("echo", 1, { idempotencyKey })).rejects.toThrow(refusal("INVALID_REQUEST"));
    }
  });

  it("[reading-idempotency-scope] keeps the keys of principals apart", async () => {
    const { submit } = await createTestKernel({ agents: [echo] });
    const mine = await submit("echo", 1, keyed);
    const theirs = await submit("echo", 2, { ...keyed, principal: OTHER });
    expect([theirs.repeated, theirs.job.principal]).toEqual([false, "t/someone-else"]);
    expect(theirs.job.id).not.toBe(mine.job.id);
  });

  it("[reading-idempotency-scope] makes one job of many submissions at once", async () => {
    const { kernel, world } = await createTestKernel({ agents: [echo] });
    const answers: Accepted[] = [];
    const submissions = Array.from({ length: 20 }, () =>
      kernel.submit({ principal: ME, session: null, agent: "echo", input: 1, ...keyed }, (answer) =>
        answers.push(answer),
      ),
    );
    await world.settle();
    await Promise.all(submissions);
    expect(new Set(answers.map(({ job }) => job.id)).size).toBe(1);
    expect(answers.filter(({ repeated }) => !repeated)).toHaveLength(1);
  });

  it("[reading-idempotency-scope] answers one of two that conflict, submitted at once", async () => {
    const { kernel, world } = await createTestKernel({ agents: [echo] });
    const submissions = [1, 2].map((input) =>
      kernel.submit({ principal: ME, session: null, agent: "echo", input, ...keyed }, () => {}),
    );
    const settled = Promise.allSettled(submissions);
    await world.settle();
    expect((await settled).map(({ status }) => status)).toEqual(["fulfilled", "rejected"]);
  });

  it("[law-commit-then-publish] does not answer a repeat before the first is stored", async () => {
    const { kernel, store, world } = await createTestKernel({ agents: [echo] });
    store.hold();
    const answers: Accepted[] = [];
    for (let submission = 0; submission < 2; submission++) {
      void kernel.submit({ principal: ME, session: null, agent: "echo", input: 1, ...keyed }, (answer) =>
        answers.push(answer),
      );
    }
    await world.settle();
    expect(answers).toEqual([]);
    store.release();
    await world.settle();
    expect(answers.map(({ repeated }) => repeated)).toEqual([false, true]);
  });

  it("[law-commit-then-publish] answers a repeat with the job as it is stored, not as it is about to be", async () => {
    const { kernel, store, submit, world } = await createTestKernel({ agents: [deaf] });
    const { job } = await submit("deaf", 1, keyed);
    store.hold();
    void kernel.cancel({ job: job.id }, () => {});
    await world.settle();
    expect((await submit("deaf", 1, keyed)).job.status).toBe("running");
    expect((await kernel.readJob(job.id))?.status).toBe("running");
    store.release();
    await world.settle();
    expect((await submit("deaf", 1, keyed)).job.status).toBe("cancelled");
  });

  it("leaves the key free when the submission was refused or could not be stored", async () => {
    const { submit, store } = await createTestKernel({ agents: [echo] });
    await expect(submit("nobody", 1, keyed)).rejects.toThrow(refusal("AGENT_NOT_AVAILABLE"));
    store.failNext();
    await expect(submit("echo", 1, keyed)).rejects.toThrow(refusal("INTERNAL_ERROR"));
    expect(await submit("echo", 2, keyed)).toMatchObject({ repeated: false });
  });

  it.each([0, -1, Number.NaN, Infinity, 1_000_000_001])(
    "refuses a max_runtime_sec of %s, and takes the largest and a fraction of a millisecond",
    async (maxRuntimeSec) => {
      const { submit, world } = await createTestKernel({ agents: [deaf] });
      await expect(submit("deaf", 1, { maxRuntimeSec })).rejects.toThrow(
        expect.objectContaining({ code: "INVALID_REQUEST", details: { field: "max_runtime_sec" } }),
      );
      const least = await submit("deaf", 1, { maxRuntimeSec: 0.000_1 });
      const most = await submit("deaf", 1, { maxRuntimeSec: 1_000_000_000 });
      expect([least.job.deadlineAt, most.job.deadlineAt]).toEqual([
        least.job.createdAt + 1,
        most.job.createdAt + 1_000_000_000_000,
      ]);
      await world.advance(1);
    },
  );

  it("lets a repeat that waited take over when the first could not be stored", async () => {
    const { kernel, store, world } = await createTestKernel({ agents: [echo] });
    store.failNext();
    const answers: Accepted[] = [];
    const submissions = [1, 2, 3].map(() =>
      kernel.submit({ principal: ME, session: null, agent: "echo", input: 1, ...keyed }, (answer) =>
        answers.push(answer),
      ),
    );
    const settled = Promise.allSettled(submissions);
    await world.settle();
    expect((await settled).map(({ status }) => status)).toEqual(["rejected", "fulfilled", "fulfilled"]);
    expect(answers.map(({ repeated }) => repeated)).toEqual([false, true]);
  });

  it("[reading-reattach-first] recognises a repeat after its lease has expired and its agent is gone", async () => {
    const first = await createTestKernel({ agents: [echo] });
    const leaseConstraints = { expires_at: new Date(first.world.clock.now() + 5_000).toISOString() };
    const { job } = await first.submit("echo", 1, { ...keyed, leaseConstraints });
    const later = await first.crash({ downMs: 60_000, agents: [] });
    expect(await later.submit("echo", 1, { ...keyed, leaseConstraints })).toMatchObject({
      repeated: true,
      job: { id: job.id },
    });
  });

  it("[reading-idempotency-scope] remembers the key over a restart", async () => {
    const first = await createTestKernel({ agents: [deaf] });
    const { job } = await first.submit("deaf", 1, keyed);
    const later = await first.crash();
    expect((await later.submit("deaf", 1, keyed)).job.id).toBe(job.id);
    await expect(later.submit("deaf", 2, keyed)).rejects.toThrow(refusal("DUPLICATE_KEY"));
  });

  it("has no second job when the answer to its commit was lost", async () => {
    const first = await createTestKernel({ agents: [echo] });
    first.store.failAfterApply("lost");
    const unanswered = first.kernel.submit(
      { principal: ME, session: null, agent: "echo", input: 1, ...keyed },
      () => {},
    );
    unanswered.catch(() => {});
    await first.world.settle();
    const snapshot = await first.store.crashImage(() => true);
    const later = await createTestKernel({ agents: [echo], snapshot });
    expect(await later.submit("echo", 1, keyed)).toMatchObject({ repeated: true });
    expect(await later.kernel.listJobs({ principals: ["t/me"], limit: 10 })).toHaveLength(1);
  });
});
