import { describe, expect, it } from "vitest";
import { CodedError } from "../../protocol/errors.ts";
import type { AgentReturn, DelegatedJob, JobHost, RunnableAgent } from "../agents-port.ts";
import type { HoldRow } from "../ports.ts";
import { anAgent, createTestKernel, deaf, echo, endless, say, type TestKernel } from "../test-kernel.ts";

const EVERY_AGENT = { "agent.delegate": ["*"] };

/** An agent whose host is the test's; it ends when the test says so. */
function scripted(name = "planner", fields: Partial<Pick<RunnableAgent, "restart">> = {}) {
  const hosts: JobHost[] = [];
  const returning = Promise.withResolvers<AgentReturn>();
  returning.promise.catch(() => {});
  const agent = anAgent(
    name,
    (host) => {
      hosts.push(host);
      return returning.promise;
    },
    fields,
  );
  const host = (): JobHost => hosts.at(-1) as JobHost;
  return { agent, host, return: () => returning.resolve({}), throw: returning.reject };
}

async function delegating(options: {
  readonly lease?: object;
  readonly constraints?: object;
  readonly agents?: readonly RunnableAgent[];
  readonly restart?: RunnableAgent["restart"];
  readonly jobLimits?: NonNullable<Parameters<typeof createTestKernel>[0]>["jobLimits"];
}) {
  const planner = scripted("planner", { restart: options.restart ?? "never" });
  const test = await createTestKernel({
    agents: [planner.agent, echo, endless, deaf, ...(options.agents ?? [])],
    ...(options.jobLimits && { jobLimits: options.jobLimits }),
  });
  const { job } = await test.submit("planner", null, {
    leaseRequest: options.lease ?? EVERY_AGENT,
    ...(options.constraints && { leaseConstraints: options.constraints }),
  });
  return { ...test, planner, job };
}

/** What a promise comes to once the world has settled. */
async function settled<Value>({ world }: Pick<TestKernel, "world">, promise: Promise<Value>): Promise<Value> {
  promise.catch(() => {});
  await world.settle();
  return promise;
}

const endOf = async (test: Pick<TestKernel, "log">, id: string) => (await test.log(id)).at(-1)?.payload;
const holdsOf = async ({ store }: Pick<TestKernel, "store">, id: string): Promise<readonly HoldRow[]> =>
  store.readHolds(id);

describe("a delegation [arcp-10-delegate-event]", () => {
  it("is a job of its own under its parent, told on the parent's log, in one commit", async () => {
    const test = await delegating({});
    const before = test.batches.length;
    const child = await settled(test, test.planner.host().delegate({ agent: "echo", input: { part: 1 } }));
    const accepted = test.batches.slice(before).find(({ rows }) => (rows.jobs?.length ?? 0) > 0);
    expect(accepted?.rows.chunks?.map(({ job, kinds }) => [job, kinds])).toEqual([[test.job.id, "d"]]);
    expect(accepted?.rows.holds?.map(({ child }) => child)).toEqual([child.jobId]);
    expect(await test.stored(child.jobId)).toMatchObject({
      parent: test.job.id,
      root: test.job.id,
      delegateId: child.delegateId,
      principal: test.job.principal,
      traceId: test.job.traceId,
      agent: "echo",
    });
    expect((await test.log(test.job.id)).at(0)).toMatchObject({
      code: "d",
      payload: {
        kind: "delegate",
        body: {
          delegate_id: child.delegateId,
          child_job_id: child.jobId,
          agent: "echo@1.0.0",
          input: { part: 1 },
          lease: {},
        },
      },
    });
    expect(await settled(test, child.result())).toEqual({ part: 1 });
  });

  it("gives the whole of a streamed result", async () => {
    const streamer = anAgent("streamer", async (host) => {
      const chunk = (chunk_seq: number, data: string, more: boolean) =>
        host.append(
          "result_chunk",
          "result_chunk",
          JSON.stringify({ result_id: "res_1", chunk_seq, data, encoding: "utf8", more }),
        );
      chunk(0, "one ", true);
      chunk(1, "two", false);
      return { stream: { resultId: "res_1", size: 7 } };
    });
    const test = await delegating({ agents: [streamer] });
    const child = await settled(test, test.planner.host().delegate({ agent: "streamer", input: null }));
    expect(await settled(test, child.result())).toBe("one two");
  });

  it("fails with what its child ended with, and names the child", async () => {
    const failing = anAgent("failing", () =>
      Promise.reject(new CodedError("DUPLICATE_KEY", "no", { details: { a: 1 } })),
    );
    const test = await delegating({ agents: [failing] });
    const child = await settled(test, test.planner.host().delegate({ agent: "failing", input: null }));
    await expect(settled(test, child.result())).rejects.toMatchObject({
      code: "DUPLICATE_KEY",
      details: { a: 1, job_id: child.jobId },
    });
  });

  it("is refused by the guard where the lease does not name the agent, and makes nothing", async () => {
    const test = await delegating({ lease: { "agent.delegate": ["other"] } });
    const refused = test.planner.host().delegate({ agent: "echo", input: null });
    await expect(settled(test, refused)).rejects.toMatchObject({ code: "PERMISSION_DENIED" });
    expect(test.kernel.unfinished).toBe(1);
    expect(await test.log(test.job.id)).toEqual([]);
  });

  it("[arcp-9.4-violation] is refused where the child would have more than its parent", async () => {
    const test = await delegating({ lease: { ...EVERY_AGENT, "fs.read": ["/work/**"] } });
    const { delegate } = bound(test.planner.host());
    for (const leaseRequest of [
      { "fs.read": ["/**"] },
      { "fs.write": ["/work/a"] },
      { "fs.read": ["/work/a", "/etc/b"] },
    ]) {
      const refused = delegate({ agent: "echo", input: null, leaseRequest });
      await expect(settled(test, refused)).rejects.toMatchObject({ code: "LEASE_SUBSET_VIOLATION" });
    }
    expect(
      await settled(test, delegate({ agent: "echo", input: null, leaseRequest: { "fs.read": ["/work/a/*"] } })),
    ).toBeDefined();
  });

  it("[reading-subset-equality] may have all that its parent has", async () => {
    const lease = { ...EVERY_AGENT, "fs.read": ["/work/**"], "model.use": ["tier/*"], "cost.budget": ["USD:1.00"] };
    const test = await delegating({ lease, constraints: { expires_at: "2027-01-01T00:00:00Z" } });
    const child = await settled(
      test,
      test.planner.host().delegate({
        agent: "endless",
        input: null,
        leaseRequest: lease,
        leaseConstraints: { expires_at: "2027-01-01T00:00:00Z" },
      }),
    );
    expect(JSON.parse((await test.stored(child.jobId)).lease ?? "")).toEqual(JSON.parse(test.job.lease ?? ""));
  });

  it.each([
    ["maxDelegationDepth", 0],
    ["maxLiveChildren", 0],
    ["maxTreeJobs", 1],
  ])("is refused beyond %s", async (limit, count) => {
    const test = await delegating({ jobLimits: { [limit]: count } });
    const refused = test.planner.host().delegate({ agent: "echo", input: null });
    await expect(settled(test, refused)).rejects.toMatchObject({ code: "INTERNAL_ERROR", details: { limit, count } });
  });

  it("counts children that are under way only", async () => {
    const test = await delegating({ jobLimits: { maxLiveChildren: 1 } });
    const { delegate } = bound(test.planner.host());
    await settled(test, delegate({ agent: "echo", input: 1 }));
    await settled(test, delegate({ agent: "endless", input: 2 }));
    await expect(settled(test, delegate({ agent: "echo", input: 3 }))).rejects.toMatchObject({
      code: "INTERNAL_ERROR",
    });
  });

  it("takes no place of runtime or principal, which its parent keeps while it waits", async () => {
    const test = await delegating({ jobLimits: { maxRunningJobs: 1 } });
    const child = await settled(test, test.planner.host().delegate({ agent: "echo", input: "ran" }));
    expect(await settled(test, child.result())).toBe("ran");
  });

  it("waits for its agent's own limit, before jobs that nobody waits for", async () => {
    const narrow = anAgent(
      "narrow",
      (host) => new Promise((resolve) => host.signal.addEventListener("abort", () => resolve({}))),
      {
        maxConcurrent: 1,
      },
    );
    const test = await delegating({ agents: [narrow] });
    const { delegate } = bound(test.planner.host());
    const running = await settled(test, delegate({ agent: "narrow", input: 1 }));
    const { job: waiting } = await test.submit("narrow");
    const second = await settled(test, delegate({ agent: "narrow", input: 2 }));
    expect(await test.stored(second.jobId)).toMatchObject({ status: "pending" });
    await settled(test, running.cancel());
    expect(await test.stored(second.jobId)).toMatchObject({ status: "running" });
    expect(await test.stored(waiting.id)).toMatchObject({ status: "pending" });
    await settled(test, second.cancel());
    expect(await test.stored(waiting.id)).toMatchObject({ status: "running" });
  });

  it("is refused to an agent that only its own ancestors could make room for", async () => {
    const nested: Promise<unknown>[] = [];
    const alone = anAgent(
      "alone",
      (host) => {
        nested.push(host.delegate({ agent: "alone", input: null }));
        return nested[0]?.then(() => ({})) ?? {};
      },
      { maxConcurrent: 1 },
    );
    const test = await createTestKernel({ agents: [alone] });
    const { job } = await test.submit("alone", null, { leaseRequest: EVERY_AGENT });
    expect(await endOf(test, job.id)).toMatchObject({ code: "INVALID_REQUEST", details: { maxConcurrent: 1 } });
  });

  it.each([
    ["an agent that delegates to itself", { self: ["self", "self"] }, 2],
    ["agents that delegate to each other", { one: ["other"], other: ["one"] }, 1],
    ["agents in a ring", { one: ["two"], two: ["three"], three: ["one"] }, 1],
  ])("never leaves trees that wait for each other's places: %s", async (_, delegations, maxConcurrent) => {
    const opened = Promise.withResolvers<void>();
    const agents = Object.entries(delegations).map(([name, [next = ""]]) =>
      anAgent(
        name,
        async (host, input) => {
          if (input === "leaf") return {};
          await opened.promise;
          const child = await host.delegate({ agent: next, input: "leaf" });
          await child.result();
          return {};
        },
        { maxConcurrent },
      ),
    );
    const test = await createTestKernel({ agents });
    const roots: string[] = [];
    for (const [name, starts] of Object.entries(delegations)) {
      for (const _ of starts) roots.push((await test.submit(name, null, { leaseRequest: EVERY_AGENT })).job.id);
    }
    opened.resolve();
    await test.world.settle();
    const ends = await Promise.all(roots.map((id) => endOf(test, id)));
    expect(ends.map((end) => end?.final_status).toSorted()).toEqual(["error", ...roots.slice(1).map(() => "success")]);
    const refused = { code: "INTERNAL_ERROR", retryable: true, details: { field: "agent", maxConcurrent } };
    expect(ends.find((end) => end?.final_status === "error")).toMatchObject(refused);
    expect(test.kernel.unfinished).toBe(0);
  });

  it("is the same child under the same key, and another under none", async () => {
    const test = await delegating({});
    const { delegate } = bound(test.planner.host());
    const twice = [delegate({ agent: "echo", input: 1, key: "a" }), delegate({ agent: "echo", input: 1, key: "a" })];
    const [one, other] = await settled(test, Promise.all(twice));
    expect(one?.jobId).toBe(other?.jobId);
    const keyless = [delegate({ agent: "echo", input: 1 }), delegate({ agent: "echo", input: 1 })];
    const ids = (await settled(test, Promise.all(keyless))).map(({ jobId }) => jobId);
    expect(new Set([...ids, one?.jobId]).size).toBe(3);
    await expect(settled(test, delegate({ agent: "echo", input: 2, key: "a" }))).rejects.toMatchObject({
      code: "DUPLICATE_KEY",
    });
  });

  it("has the place of one that was refused before it, where a later attempt looks for it", async () => {
    const test = await delegating({ restart: "always", jobLimits: { maxLiveChildren: 1 } });
    const { delegate } = bound(test.planner.host());
    const first = await settled(test, delegate({ agent: "endless", input: 1 }));
    await expect(settled(test, delegate({ agent: "echo", input: 2 }))).rejects.toMatchObject({
      code: "INTERNAL_ERROR",
    });
    await settled(test, first.cancel());
    const child = await settled(test, delegate({ agent: "echo", input: 2 }));
    const later = await test.crash();
    const again = await settled(later, test.planner.host().delegate({ agent: "echo", input: 2 }));
    expect(again.jobId).toBe(child.jobId);
  });

  it("has the place of several that were refused before it at the same time", async () => {
    const test = await delegating({ restart: "always", jobLimits: { maxLiveChildren: 1 } });
    const { delegate } = bound(test.planner.host());
    const first = await settled(test, delegate({ agent: "endless", input: 1 }));
    const refused = [1, 2, 3].map(() => delegate({ agent: "echo", input: 2 }));
    expect((await settled(test, Promise.allSettled(refused))).map(({ status }) => status)).toEqual(
      refused.map(() => "rejected"),
    );
    await settled(test, first.cancel());
    const child = await settled(test, delegate({ agent: "echo", input: 2 }));
    const later = await test.crash();
    const again = await settled(later, test.planner.host().delegate({ agent: "echo", input: 2 }));
    expect(again.jobId).toBe(child.jobId);
  });

  it("takes an input as long as a client's, and none longer", async () => {
    const test = await delegating({});
    const { delegate } = bound(test.planner.host());
    const long = "x".repeat(1_048_574);
    const child = await settled(test, delegate({ agent: "endless", input: long }));
    expect((await test.log(test.job.id)).at(0)?.payload.body).not.toHaveProperty("input");
    expect(await test.store.readInput(child.jobId)).toBe(JSON.stringify(long));
    await expect(settled(test, delegate({ agent: "endless", input: `${long}x` }))).rejects.toMatchObject({
      code: "INVALID_REQUEST",
      details: { field: "input" },
    });
  });

  it("gives its money back where its event does not fit the log, which ends its parent", async () => {
    const lease = { ...EVERY_AGENT, "cost.budget": ["USD:1"] };
    const test = await delegating({ lease, jobLimits: { maxLogBytes: 65_536 } });
    const { delegate } = bound(test.planner.host());
    const held = { "cost.budget": ["USD:0.5"] };
    const first = await settled(test, delegate({ agent: "endless", input: "x".repeat(40_000), leaseRequest: held }));
    const refused = delegate({ agent: "endless", input: "x".repeat(40_000), leaseRequest: held });
    await expect(settled(test, refused)).rejects.toMatchObject({ details: { limit: "maxLogBytes" } });
    expect((await test.store.readBudgets([test.job.id])).get(test.job.id)?.counters).toBe(
      '{"USD":{"spent":"0","held":"0"}}',
    );
    expect((await holdsOf(test, test.job.id)).map(({ child, state }) => [child, state])).toEqual([
      [first.jobId, "settled"],
    ]);
    expect(test.kernel.unfinished).toBe(0);
  });

  it("has a key that every store keeps as it is", async () => {
    const test = await delegating({});
    for (const key of ["\ud800", "", "x".repeat(257), 7 as never]) {
      await expect(settled(test, test.planner.host().delegate({ agent: "echo", input: 1, key }))).rejects.toMatchObject(
        { code: "INVALID_REQUEST", details: { field: "key" } },
      );
    }
  });

  it("fits one event, whatever its lease says", async () => {
    const patterns = Array.from({ length: 30 }, (_, index) => `${index}${"\u0001".repeat(1_000)}`);
    const wide = Object.fromEntries(Array.from({ length: 30 }, (_, index) => [`x-acme.n${index}`, patterns]));
    const test = await delegating({ lease: { ...EVERY_AGENT, ...wide } });
    const refused = test.planner.host().delegate({ agent: "echo", input: null, leaseRequest: wide });
    await expect(settled(test, refused)).rejects.toMatchObject({ code: "INVALID_REQUEST", details: { field: "body" } });
    expect(test.kernel.unfinished).toBe(1);
  });

  it("is made anew under a key whose delegation was refused", async () => {
    const test = await delegating({ jobLimits: { maxLiveChildren: 1 } });
    const { delegate } = bound(test.planner.host());
    const first = await settled(test, delegate({ agent: "endless", input: null }));
    await expect(settled(test, delegate({ agent: "echo", input: 1, key: "a" }))).rejects.toMatchObject({
      code: "INTERNAL_ERROR",
    });
    await settled(test, first.cancel());
    const child = await settled(test, delegate({ agent: "echo", input: 1, key: "a" }));
    expect(await settled(test, child.result())).toBe(1);
  });
});

describe("what a parent hears of its child", () => {
  it("is never that it was cancelled when that could not be stored", async () => {
    const test = await delegating({ restart: "always" });
    const child = await settled(test, test.planner.host().delegate({ agent: "endless", input: null }));
    test.store.failNext();
    await expect(settled(test, child.cancel())).rejects.toMatchObject({ code: "INTERNAL_ERROR" });
  });

  it("is nothing once it is stopped itself", async () => {
    const test = await delegating({});
    const child = await settled(test, test.planner.host().delegate({ agent: "echo", input: 1 }));
    expect(await settled(test, child.result())).toBe(1);
    await settled(
      test,
      test.kernel.cancel({ job: test.job.id }, () => {}),
    );
    await expect(settled(test, child.result())).rejects.toMatchObject({ code: "CANCELLED" });
  });

  it("is no streamed result that would not fit into memory", async () => {
    const size = 67_108_865;
    const streamer = anAgent("streamer", () => ({ stream: { resultId: "res_1", size } }));
    const test = await delegating({ agents: [streamer] });
    const child = await settled(test, test.planner.host().delegate({ agent: "streamer", input: null }));
    await expect(settled(test, child.result())).rejects.toMatchObject({
      code: "INVALID_REQUEST",
      details: { bytes: size, limit: 67_108_864, job_id: child.jobId },
    });
  });

  it("cancels it with a reason that fits its log", async () => {
    const test = await delegating({});
    const child = await settled(test, test.planner.host().delegate({ agent: "endless", input: null }));
    await settled(test, child.cancel("x".repeat(1_000_000)));
    expect(String((await endOf(test, child.jobId))?.message)).toMatch(/ cancelled it: x{16384}…$/);
  });
});

describe("the trace of a child [arcp-11-forwarded]", () => {
  it("is its parent's, below the span that delegated", async () => {
    const test = await delegating({});
    const { delegate } = bound(test.planner.host());
    const traceParent = "00f067aa0ba902b7-01";
    const spanned = await settled(test, delegate({ agent: "echo", input: 1, traceParent }));
    const plain = await settled(test, delegate({ agent: "echo", input: 2 }));
    const { traceId } = test.job;
    expect(await test.stored(spanned.jobId)).toMatchObject({ traceId, traceParent });
    expect(await test.stored(plain.jobId)).toMatchObject({ traceId, traceParent: test.job.traceParent });
  });
});

describe("money of a child [arcp-9.4-budget-within-remaining] [arcp-10-budget]", () => {
  const lease = { ...EVERY_AGENT, "cost.budget": ["USD:1.00"] };
  const budget = (amount: string) => ({ "cost.budget": [`USD:${amount}`] });

  it("is held from what is available, so that siblings are never promised the same", async () => {
    const test = await delegating({ lease });
    const { delegate } = bound(test.planner.host());
    const first = await settled(test, delegate({ agent: "endless", input: 1, leaseRequest: budget("0.60") }));
    await expect(
      settled(test, delegate({ agent: "endless", input: 2, leaseRequest: budget("0.41") })),
    ).rejects.toMatchObject({
      code: "LEASE_SUBSET_VIOLATION",
      details: { capability: "cost.budget", currency: "USD", available: "0.4", requested: "0.41" },
    });
    await settled(test, delegate({ agent: "endless", input: 3, leaseRequest: budget("0.4") }));
    await settled(test, first.cancel());
    await settled(test, delegate({ agent: "endless", input: 4, leaseRequest: budget("0.6") }));
    expect((await holdsOf(test, test.job.id)).map(({ state }) => state).toSorted()).toEqual([
      "open",
      "open",
      "settled",
    ]);
  });

  it("is given back as far as it was not spent, when the child ends", async () => {
    const spender = anAgent("spender", async (host) => {
      await host.report({
        name: "cost.work",
        value: "0.25",
        unit: "USD",
      });
      return {};
    });
    const test = await delegating({ lease, agents: [spender] });
    const { delegate } = bound(test.planner.host());
    const child = await settled(test, delegate({ agent: "spender", input: null, leaseRequest: budget("0.50") }));
    await settled(test, child.result());
    expect(test.planner.host().budget.view().USD).toMatchObject({
      spent: "0.25",
      held: "0",
      remaining: "0.75",
      available: "0.75",
    });
    expect((await test.store.readBudgets([test.job.id])).get(test.job.id)?.counters).toBe(
      '{"USD":{"spent":"0.25","held":"0"}}',
    );
  });

  it("is the parent's own where the child's lease leaves the currency out", async () => {
    const spender = anAgent("spender", async (host) => {
      await host.report({
        name: "cost.work",
        value: "1.25",
        unit: "USD",
      });
      host.guard.check({ namespace: "tool.call", target: "next" });
      return {};
    });
    const test = await delegating({ lease: { ...lease, "tool.call": ["*"] }, agents: [spender] });
    const child = await settled(
      test,
      test.planner.host().delegate({ agent: "spender", input: null, leaseRequest: { "tool.call": ["*"] } }),
    );
    await expect(settled(test, child.result())).rejects.toMatchObject({ code: "BUDGET_EXHAUSTED" });
    expect(test.planner.host().budget.view().USD).toMatchObject({ spent: "1.25", remaining: "-0.25" });
    expect(() => test.planner.host().guard.check({ namespace: "tool.call", target: "any" })).toThrow(
      expect.objectContaining({ code: "BUDGET_EXHAUSTED" }),
    );
  });
});

describe("the end of a parent", () => {
  const below = async (test: Awaited<ReturnType<typeof delegating>>): Promise<readonly DelegatedJob[]> => {
    const { delegate } = bound(test.planner.host());
    return settled(test, Promise.all(["endless", "deaf"].map((agent) => delegate({ agent, input: null }))));
  };

  it("[law-tree-stops] ends its children with it, first, in the same commit", async () => {
    const test = await delegating({});
    const children = await below(test);
    await settled(
      test,
      test.kernel.cancel({ job: test.job.id, reason: "enough" }, () => {}),
    );
    for (const { jobId } of children) {
      expect(await endOf(test, jobId)).toMatchObject({
        final_status: "cancelled",
        code: "CANCELLED",
        details: { parent_job_id: test.job.id, parent_status: "cancelled" },
      });
    }
    const last = test.batches.findLast(({ rows }) => rows.chunks?.some(({ kinds }) => kinds.includes("E")));
    const ended = last?.rows.chunks?.map(({ job }) => job);
    expect(ended?.slice(0, -1).toSorted()).toEqual(children.map(({ jobId }) => jobId).toSorted());
    expect(ended?.at(-1)).toBe(test.job.id);
    expect(test.kernel.unfinished).toBe(0);
  });

  it("ends what it left running when it returned", async () => {
    const test = await delegating({});
    const [child] = await below(test);
    test.planner.return();
    await test.world.settle();
    expect(await endOf(test, test.job.id)).toMatchObject({ final_status: "success" });
    expect(await endOf(test, child?.jobId ?? "")).toMatchObject({
      code: "CANCELLED",
      details: { parent_status: "success" },
    });
  });

  it("by its lease's expiry is theirs as well", async () => {
    const test = await delegating({ constraints: { expires_at: "2026-01-01T00:01:00Z" } });
    const [child] = await below(test);
    expect(await test.stored(child?.jobId ?? "")).toMatchObject({ expiresAt: Date.parse("2026-01-01T00:01:00Z") });
    await test.world.advance(62_000);
    for (const id of [test.job.id, child?.jobId ?? ""]) {
      expect(await endOf(test, id)).toMatchObject({ final_status: "error", code: "LEASE_EXPIRED" });
    }
  });

  it("starts none of those that wait for the place of one that ends with it", async () => {
    const narrow = anAgent("narrow", () => new Promise<never>(() => {}), { maxConcurrent: 1 });
    const test = await delegating({ agents: [narrow] });
    const { delegate } = bound(test.planner.host());
    const children = [1, 2, 3].map((input) => delegate({ agent: "narrow", input }));
    const ids = (await settled(test, Promise.all(children))).map(({ jobId }) => jobId);
    test.planner.return();
    await test.world.settle();
    const ended = await Promise.all(ids.map((id) => test.stored(id)));
    expect(ended.map(({ status, attempt }) => [status, attempt])).toEqual([
      ["cancelled", 1],
      ["cancelled", 0],
      ["cancelled", 0],
    ]);
  });

  it("is no expiry where its agent failed with the expiry of another job, such as a child's", async () => {
    const test = await delegating({});
    const { delegate } = bound(test.planner.host());
    const leaseConstraints = { expires_at: "2026-01-01T00:01:00Z" };
    const brief = await settled(test, delegate({ agent: "endless", input: 1, leaseConstraints }));
    const other = await settled(test, delegate({ agent: "endless", input: 2 }));
    brief.result().catch(test.planner.throw);
    await test.world.advance(62_000);
    expect(await endOf(test, test.job.id)).toMatchObject({ code: "LEASE_EXPIRED", details: { job_id: brief.jobId } });
    expect(await endOf(test, other.jobId)).toMatchObject({ code: "CANCELLED", details: { parent_status: "error" } });
    const { entries } = await test.kernel.listAudit({ scopes: ["t/me"], limit: 10 });
    expect(entries.map(({ action, job }) => [action, job])).toEqual([["lease.expire", brief.jobId]]);
  });

  it("reaches every job below it, and nothing of them is recorded after", async () => {
    const hosts: JobHost[] = [];
    const nested = anAgent("nested", async (host, depth) => {
      hosts.push(host);
      if ((depth as number) > 0)
        await host.delegate({ agent: "nested", input: (depth as number) - 1, leaseRequest: EVERY_AGENT });
      return new Promise<never>(() => {});
    });
    const test = await delegating({ agents: [nested] });
    await settled(test, test.planner.host().delegate({ agent: "nested", input: 3, leaseRequest: EVERY_AGENT }));
    await test.world.settle();
    expect(hosts).toHaveLength(4);
    await settled(
      test,
      test.kernel.cancel({ job: test.job.id }, () => {}),
    );
    for (const host of hosts) {
      expect(host.signal.aborted).toBe(true);
      expect(() => say(host, "late")).toThrow();
      expect(await endOf(test, host.job.id)).toMatchObject({ code: "CANCELLED" });
    }
    expect([test.kernel.unfinished, test.world.pendingTimers]).toEqual([0, 0]);
  });
});

describe("after a crash", () => {
  it("finds its children again by key, running and ended, and no other", async () => {
    const attempts: { jobId: string; result: Promise<unknown> }[][] = [];
    const planner = anAgent(
      "planner",
      async (host) => {
        const children = await Promise.all(
          ["echo", "persistent"].map((agent) =>
            host.delegate({ agent, input: agent, leaseRequest: { "cost.budget": ["USD:1"] } }),
          ),
        );
        attempts.push(children.map((child) => ({ jobId: child.jobId, result: child.result() })));
        await Promise.all(attempts.at(-1)?.map(({ result }) => result) ?? []);
        return { result: '"done"' };
      },
      { restart: "always" },
    );
    const persistent = anAgent(
      "persistent",
      (host) => (host.attempt === 1 ? new Promise<never>(() => {}) : { result: '"again"' }),
      {
        restart: "always",
      },
    );
    const first = await createTestKernel({ agents: [planner, echo, persistent] });
    const { job } = await first.submit("planner", null, { leaseRequest: { ...EVERY_AGENT, "cost.budget": ["USD:2"] } });
    const later = await first.crash();
    await later.world.settle();
    expect(attempts.map((children) => children.map(({ jobId }) => jobId))).toEqual([
      attempts[0]?.map(({ jobId }) => jobId),
      attempts[0]?.map(({ jobId }) => jobId),
    ]);
    expect(await Promise.all(attempts[1]?.map(({ result }) => result) ?? [])).toEqual(["echo", "again"]);
    expect(await endOf(later, job.id)).toMatchObject({ result: "done" });
    expect((await later.log(job.id)).filter(({ code }) => code === "d")).toHaveLength(2);
    expect((await later.store.readBudgets([job.id])).get(job.id)?.counters).toBe('{"USD":{"spent":"0","held":"0"}}');
  });

  it("ends the children of a parent that does not run again, with it", async () => {
    const test = await delegating({ lease: { ...EVERY_AGENT, "cost.budget": ["USD:1"] } });
    const persistent = await settled(
      test,
      test.planner.host().delegate({ agent: "endless", input: null, leaseRequest: { "cost.budget": ["USD:0.5"] } }),
    );
    const later = await test.crash();
    expect(await endOf(later, test.job.id)).toMatchObject({ code: "INTERNAL_ERROR", retryable: true });
    expect(await endOf(later, persistent.jobId)).toMatchObject({
      code: "CANCELLED",
      details: { parent_job_id: test.job.id },
    });
    expect((await holdsOf(later, test.job.id)).map(({ state }) => state)).toEqual(["settled"]);
    expect([later.kernel.unfinished, later.world.pendingTimers]).toEqual([0, 0]);
  });

  it("takes the whole tree up anew after a commit of one of its jobs failed", async () => {
    const test = await delegating({ restart: "always" });
    const child = await settled(test, test.planner.host().delegate({ agent: "endless", input: null, key: "a" }));
    const before = test.planner.host();
    test.store.failNext();
    await expect(settled(test, before.flush())).rejects.toThrow();
    expect(before.signal.aborted).toBe(true);
    await test.world.advance(5_000);
    expect(test.planner.host()).not.toBe(before);
    expect(await endOf(test, child.jobId)).toMatchObject({ code: "INTERNAL_ERROR" });
    const again = await settled(test, test.planner.host().delegate({ agent: "endless", input: null, key: "a" }));
    expect(again.jobId).toBe(child.jobId);
    await expect(settled(test, again.result())).rejects.toMatchObject({ code: "INTERNAL_ERROR" });
  });

  it("knows nothing of a delegation whose commit did not get to the disk", async () => {
    const test = await delegating({ restart: "always" });
    test.store.hold();
    void test.planner
      .host()
      .delegate({ agent: "endless", input: null })
      .catch(() => {});
    await test.world.settle();
    const later = await test.crash();
    expect((await later.log(test.job.id)).filter(({ code }) => code === "d")).toEqual([]);
    expect(await holdsOf(later, test.job.id)).toEqual([]);
    expect(later.kernel.unfinished).toBe(1);
  });
});

function bound(host: JobHost): Pick<JobHost, "delegate"> {
  return { delegate: (request) => host.delegate(request) };
}
