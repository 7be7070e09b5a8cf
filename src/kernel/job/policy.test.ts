/** A policy that is asked before jobs are accepted and delegated, and what becomes of one that does not behave. */
import { describe, expect, it } from "vitest";
import type { Log } from "../../platform/log.ts";
import { silentLog } from "../../platform/log.ts";
import type { JobHost, RunnableAgent } from "../agents-port.ts";
import { leaseOf } from "../authority/lease.ts";
import type { Policy, PolicyDecision, PolicyRequest } from "../authority/policy.ts";
import {
  MAX_POLICY_QUESTIONS,
  MAX_POLICY_QUESTIONS_PER_PRINCIPAL,
  POLICY_ANSWER_MS,
} from "../authority/policy-gate.ts";
import { principalOf } from "../principal.ts";
import {
  anAgent,
  createTestKernel,
  echo,
  endless,
  ME,
  type TestKernel,
  type TestKernelOptions,
} from "../test-kernel.ts";
import type { JobRecord } from "./job-record.ts";
import type { SubmitRequest } from "./submit.ts";

const EVERYTHING = { "agent.delegate": ["*"], "fs.read": ["/a/**"] };

const allow = ({ lease }: PolicyRequest, more: object = {}): PolicyDecision => ({ allowed: true, lease, ...more });

/** A kernel under a policy, with all that was audited and logged. */
async function under(decide: Policy["decide"], options: TestKernelOptions = {}) {
  const asked: PolicyRequest[] = [];
  const logged: string[] = [];
  const log: Log = { ...silentLog, error: (_fields, message) => logged.push(message) };
  const policy: Policy = {
    decide(request) {
      asked.push(request);
      return decide(request);
    },
  };
  const test = await createTestKernel({ agents: [echo, endless], log, ...options, policy });
  const decisions = async () => {
    const { entries } = await test.store.listAudit({ scopes: ["t/*"], action: "policy.decide", limit: 100 });
    return entries.map(({ details, ...entry }) => ({ ...entry, details: JSON.parse(details) })).toReversed();
  };
  return { ...test, asked, logged, decisions };
}

/** A job that does as the test says. */
async function parentUnder(
  decide: Policy["decide"],
  request: Partial<SubmitRequest> = {},
  options: TestKernelOptions = {},
) {
  const hosts: JobHost[] = [];
  const planner = (): RunnableAgent =>
    anAgent(
      "planner",
      (host) => {
        hosts.push(host);
        return new Promise<never>(() => {});
      },
      { restart: "always" },
    );
  const test = await under(decide, { agents: [planner(), echo, endless], ...options });
  const { job } = await test.submit("planner", null, { leaseRequest: EVERYTHING, ...request });
  return { ...test, job, hosts, host: () => hosts.at(-1) as JobHost };
}

async function outcomeOf<Value>({ world }: Pick<TestKernel, "world">, promise: Promise<Value>) {
  const outcome = promise.then(
    (value) => ({ value }),
    (error: unknown) => ({ error: error as { code: string; message: string; details: object; retryable: boolean } }),
  );
  await world.settle();
  return outcome as Promise<{ value?: Value; error?: { code: string; details: Readonly<Record<string, unknown>> } }>;
}

describe("a policy [reading-policy-first]", () => {
  it("is asked who wants what of which agent, before the job is accepted", async () => {
    const test = await under(allow);
    const { job } = await test.submit("echo", 1, { leaseRequest: { "fs.read": ["/a/**"] }, maxRuntimeSec: 60 });
    expect(test.asked).toEqual([
      {
        kind: "submit",
        principal: ME,
        agent: "echo@1.0.0",
        lease: leaseOf(job),
        maxRuntimeSec: 60,
        anyModel: false,
        inheritedBudget: {},
        at: job.createdAt,
      },
    ]);
  });

  it("gives a job less than it asked for, for good", async () => {
    const test = await under(({ lease, at }) => ({
      allowed: true,
      lease: lease && { ...lease, grants: { "fs.read": ["/a/b"] }, budget: { USD: "1" }, expiresAt: at + 5_000 },
      maxRuntimeSec: 10,
      rule: "less",
    }));
    const { job } = await test.submit("endless", 1, { leaseRequest: EVERYTHING, maxRuntimeSec: 60 });
    expect(leaseOf(await test.stored(job.id))).toEqual({
      grants: { "fs.read": ["/a/b"], "cost.budget": ["USD:1"] },
      budget: { USD: "1" },
      expiresAt: job.createdAt + 5_000,
      expiresAtText: new Date(job.createdAt + 5_000).toISOString(),
    });
    expect(job).toMatchObject({ expiresAt: job.createdAt + 5_000, deadlineAt: job.createdAt + 10_000 });
    expect(await test.kernel.readBudget(job)).toMatchObject({ USD: { granted: "1" } });
  });

  it("never prolongs a run", async () => {
    const test = await under((request) => allow(request, { maxRuntimeSec: 3_600 }));
    const { job } = await test.submit("endless", 1, { maxRuntimeSec: 60 });
    expect(job.deadlineAt).toBe(job.createdAt + 60_000);
  });

  it("refuses with its reason and the rule's name, and nothing is left of the submission", async () => {
    const test = await under(() => ({ allowed: false, reason: "not today", rule: "weekdays" }));
    const before = test.batches.length;
    await expect(test.submit("echo")).rejects.toMatchObject({
      code: "PERMISSION_DENIED",
      message: "the policy refuses echo@1.0.0: not today (rule weekdays)",
      retryable: false,
      details: { rule: "weekdays" },
    });
    expect(test.batches.slice(before).flatMap(({ rows }) => rows.jobs ?? [])).toEqual([]);
    expect(test.kernel.unfinished).toBe(0);
  });

  it("is not asked again for what an idempotency key has found", async () => {
    const test = await under(allow);
    const first = await test.submit("echo", 1, { idempotencyKey: "k" });
    expect(await test.submit("echo", 1, { idempotencyKey: "k" })).toMatchObject({
      repeated: true,
      job: { id: first.job.id },
    });
    expect(test.asked).toHaveLength(1);
  });

  it("that takes what the agent needs is named for it", async () => {
    const needy = {
      ...echo,
      name: "needy",
      needs: [{ namespace: "fs.read", why: "its files", suggest: () => ["/a"] }],
    };
    const test = await under(({ lease }) => ({ allowed: true, lease: lease && { ...lease, grants: {} }, rule: "r" }), {
      agents: [needy],
    });
    await expect(test.submit("needy", 1, { leaseRequest: EVERYTHING })).rejects.toMatchObject({
      code: "PERMISSION_DENIED",
      message: "the policy refuses needy@1.0.0: it leaves nothing of fs.read, which the agent needs (rule r)",
      details: { rule: "r", needs: { "fs.read": "its files" } },
    });
  });
});

describe("every decision", () => {
  it("is audited: refused ones one by one, allowed ones as they are the same", async () => {
    const test = await under((request) =>
      request.agent.startsWith("echo") ? allow(request, { rule: "r" }) : { allowed: false, reason: "no" },
    );
    for (let count = 0; count < 3; count++) await test.submit("echo", count);
    await test.submit("endless").catch(() => {});
    expect(await test.decisions()).toMatchObject([
      {
        principal: "t/me",
        owner: "t/me",
        job: null,
        allowed: true,
        details: { kind: "submit", agent: "echo@1.0.0", rule: "r" },
      },
      { allowed: false, details: { code: "PERMISSION_DENIED", reason: "no", kind: "submit", agent: "endless@1.0.0" } },
    ]);
    await test.world.advance(60_000);
    expect((await test.decisions()).at(-1)).toMatchObject({ allowed: true, details: { rule: "r", repeated: 2 } });
  });

  it("says where less was granted than was asked for", async () => {
    const test = await under(({ lease }) => ({ allowed: true, lease: lease && { ...lease, grants: {} } }));
    await test.submit("echo", 1, { leaseRequest: EVERYTHING });
    expect(await test.decisions()).toMatchObject([{ allowed: true, details: { reduced: true } }]);
  });
});

describe("a policy at fault refuses [law-authority-within-policy]", () => {
  const refusal = { code: "INTERNAL_ERROR", message: expect.stringContaining("the policy could not decide") };

  it.each<readonly [string, () => never]>([
    [
      "an error",
      () => {
        throw new Error("no database");
      },
    ],
    [
      "nothing",
      () => {
        throw undefined;
      },
    ],
  ])("[attack-policy-throws] when it throws %s", async (_what, decide) => {
    const test = await under(decide);
    await expect(test.submit("echo")).rejects.toMatchObject(refusal);
    expect(test.logged).toEqual([expect.stringContaining("the policy is at fault")]);
    expect(await test.decisions()).toMatchObject([{ allowed: false, details: { code: "INTERNAL_ERROR" } }]);
  });

  it("[attack-policy-throws] when what it promised fails", async () => {
    const test = await under(() => Promise.reject(new Error("no database")));
    await expect(test.submit("echo")).rejects.toMatchObject(refusal);
  });

  it.each([
    ["nothing", undefined],
    ["a yes alone", true],
    [
      "an object that throws when it is read",
      new Proxy(
        {},
        {
          get: () => {
            throw new Error("no");
          },
        },
      ),
    ],
    ["a yes without a lease", { allowed: true }],
    ["patterns that are none", { allowed: true, lease: { grants: { "fs.read": [7] }, expiresAt: null, budget: null } }],
  ])("[attack-policy-nonsense] when it answers %s, at once or later", async (_what, answer) => {
    for (const decide of [() => answer, async () => answer]) {
      const test = await under(decide as unknown as Policy["decide"]);
      await expect(test.submit("echo")).rejects.toMatchObject(refusal);
    }
  });

  it("[attack-policy-hangs] when it does not answer in time, and never mind what it says then", async () => {
    const answering = Promise.withResolvers<PolicyDecision>();
    const test = await under(() => answering.promise);
    const submitting = outcomeOf(
      test,
      test.kernel.submit({ principal: ME, session: null, agent: "echo", input: 1 }, () => {}),
    );
    await test.world.advance(POLICY_ANSWER_MS - 1);
    expect(test.logged).toEqual([]);
    await test.world.advance(1);
    expect((await submitting).error).toMatchObject(refusal);
    answering.resolve({ allowed: true, lease: null });
    await test.world.settle();
    expect(test.kernel.unfinished).toBe(0);
  });

  it("[attack-policy-hangs] when too many wait for it", async () => {
    const test = await under(() => new Promise<never>(() => {}));
    const submit = () =>
      outcomeOf(
        test,
        test.kernel.submit({ principal: ME, session: null, agent: "echo", input: 1 }, () => {}),
      );
    const waiting = Array.from({ length: MAX_POLICY_QUESTIONS }, (_, index) => {
      const principal = principalOf(`t/${index % 20}`, "user");
      return test.kernel.submit({ principal, session: null, agent: "echo", input: 1 }, () => {}).catch(() => {});
    });
    await test.world.settle();
    expect((await submit()).error).toMatchObject(refusal);
    await test.world.advance(POLICY_ANSWER_MS);
    await Promise.all(waiting);
  });

  it("[attack-policy-hangs] when too many of one principal wait for it, and nobody else's", async () => {
    let calls = 0;
    const test = await under(({ principal, lease }) => {
      calls++;
      return principal.id === "ann" ? Promise.resolve({ allowed: true, lease }) : new Promise<never>(() => {});
    });
    let refused = 0;
    const submit = () =>
      test.kernel
        .submit({ principal: ME, session: null, agent: "echo", input: 1 }, () => {})
        .catch(() => {
          refused++;
        });
    const waiting = Array.from({ length: MAX_POLICY_QUESTIONS_PER_PRINCIPAL + 5 }, submit);
    await test.world.settle();
    expect([refused, calls]).toEqual([5, MAX_POLICY_QUESTIONS_PER_PRINCIPAL]);
    await test.submit("echo", 1, { principal: principalOf("t/ann", "user") });
    await test.world.advance(POLICY_ANSWER_MS);
    await Promise.all(waiting);
    refused = 0;
    const later = submit();
    await test.world.settle();
    expect(refused).toBe(0);
    await test.world.advance(POLICY_ANSWER_MS);
    await later;
  });

  it("[attack-policy-widens] when it gives more than was asked for, and says so on the log alone", async () => {
    const test = await under(({ lease }) => ({
      allowed: true,
      lease: lease && { ...lease, grants: { ...lease.grants, "fs.write": ["/secret/**"] } },
      rule: "generous",
    }));
    await expect(test.submit("echo", 1, { leaseRequest: EVERYTHING })).rejects.toMatchObject({
      code: "PERMISSION_DENIED",
      message: expect.not.stringContaining("/secret"),
      details: { rule: "generous" },
    });
    expect(test.logged).toEqual([expect.stringContaining("fs.write /secret/**")]);
  });

  it("[attack-policy-widens] when it changes what it was handed", async () => {
    const test = await under((request) => {
      const { lease, principal } = request as unknown as {
        lease: { grants: Record<string, string[]> };
        principal: { roles: string[] };
      };
      lease.grants["fs.read"]?.push("/**");
      principal.roles.push("operator");
      return allow(request);
    });
    await expect(test.submit("echo", 1, { leaseRequest: EVERYTHING })).rejects.toMatchObject({
      code: "PERMISSION_DENIED",
    });
    expect(ME.roles).toEqual(["user"]);
  });

  it("logs a fault a second, and counts the others", async () => {
    const test = await under(() => ({}) as PolicyDecision);
    for (let count = 0; count < 5; count++) await test.submit("echo").catch(() => {});
    expect(test.logged).toHaveLength(1);
    await test.world.advance(1_000);
    await test.submit("echo").catch(() => {});
    expect(test.logged).toHaveLength(2);
  });
});

describe("a delegation under a policy", () => {
  it("is judged as its submitter's, about what the child would have with all that it inherits", async () => {
    const operator = { ...ME, roles: ["user", "operator"] as const };
    const test = await parentUnder(allow, {
      principal: operator,
      leaseRequest: { ...EVERYTHING, "cost.budget": ["USD:2", "EUR:3"], "model.use": ["mini"] },
    });
    const ask = { agent: "echo", input: 1, leaseRequest: { "fs.read": ["/a/b"], "cost.budget": ["EUR:1"] } };
    await test.world.settle();
    await test.host().report({ name: "cost.x", value: 0.5, unit: "USD" });
    expect((await outcomeOf(test, test.host().delegate(ask))).error).toBeUndefined();
    expect(test.asked[1]).toMatchObject({
      kind: "delegate",
      principal: operator,
      agent: "echo@1.0.0",
      lease: { grants: { "fs.read": ["/a/b"], "model.use": ["mini"] }, budget: { EUR: "1" } },
      inheritedBudget: { USD: "1.5" },
    });
  });

  it("keeps the submitter's roles over a crash", async () => {
    const test = await parentUnder(allow, { principal: { ...ME, roles: ["user", "operator"] } });
    const later = await test.crash();
    await later.world.settle();
    const host = test.hosts.at(-1) as JobHost;
    expect(test.hosts).toHaveLength(2);
    await outcomeOf(later, host.delegate({ agent: "echo", input: 1 }));
    expect(test.asked.at(-1)).toMatchObject({ kind: "delegate", principal: { roles: ["user", "operator"] } });
  });

  it("gets less than it asked for, and never more than the parent has", async () => {
    const test = await parentUnder(
      (request) =>
        request.kind === "submit"
          ? allow(request)
          : {
              allowed: true,
              lease: { grants: { "fs.read": ["/a/b"] }, expiresAt: null, expiresAtText: null, budget: { USD: "5" } },
            },
      { leaseRequest: { ...EVERYTHING, "cost.budget": ["USD:2"] } },
    );
    const { value } = await outcomeOf(
      test,
      test.host().delegate({ agent: "endless", input: 1, leaseRequest: { "fs.read": ["/a/**"] } }),
    );
    const child = await test.stored(value?.jobId ?? "");
    // It asked for no counter of its own: what the parent has is what it gets.
    expect(leaseOf(child)).toMatchObject({
      grants: { "fs.read": ["/a/b"], "cost.budget": ["USD:2"] },
      budget: { USD: "2" },
    });
  });

  it("[law-authority-within-policy][attack-policy-widens] is refused when the policy would give a child more", async () => {
    const test = await parentUnder((request) =>
      request.kind === "submit" ? allow(request) : { allowed: true, lease: leaseOf(parent) },
    );
    const parent: JobRecord = test.job;
    const asking = test.host().delegate({ agent: "echo", input: 1, leaseRequest: { "fs.read": ["/a/b"] } });
    expect((await outcomeOf(test, asking)).error).toMatchObject({ code: "PERMISSION_DENIED" });
  });

  it("is refused by its rule, holds nothing, and may be asked for again", async () => {
    let open = false;
    const test = await parentUnder((request) =>
      request.kind === "submit" || open ? allow(request) : { allowed: false, reason: "no", rule: "r" },
    );
    const ask = { agent: "echo", input: 1 };
    expect((await outcomeOf(test, test.host().delegate(ask))).error).toMatchObject({
      code: "PERMISSION_DENIED",
      details: { rule: "r" },
    });
    expect(await test.store.readHolds(test.job.id)).toEqual([]);
    expect((await test.decisions()).at(-1)).toMatchObject({ allowed: false, job: test.job.id });
    open = true;
    expect((await outcomeOf(test, test.host().delegate(ask))).error).toBeUndefined();
  });

  it("is not made once its parent was stopped while the policy was thinking", async () => {
    const answering = Promise.withResolvers<PolicyDecision>();
    const test = await parentUnder((request) => (request.kind === "submit" ? allow(request) : answering.promise));
    const delegating = test.host().delegate({ agent: "echo", input: 1 });
    const outcome = outcomeOf(test, delegating);
    await test.world.settle();
    await outcomeOf(
      test,
      test.kernel.cancel({ job: test.job.id, reason: "enough" }, () => {}),
    );
    answering.resolve({ allowed: true, lease: null });
    expect((await outcome).error).toMatchObject({ code: "CANCELLED" });
    expect(test.kernel.unfinished).toBe(0);
  });
});

describe("a cap on jobs under way", () => {
  const capped = (request: PolicyRequest) => allow(request, { maxJobs: 2, rule: "two" });
  const refusal = { code: "PERMISSION_DENIED", details: { rule: "two", limit: "maxJobs", count: 2 }, retryable: true };

  it("holds for submissions that come together, and is free again as jobs end", async () => {
    const returning = Promise.withResolvers<object>();
    const slow = anAgent("slow", () => returning.promise);
    const test = await under(async (request) => capped(request), { agents: [slow, echo] });
    const submits = Array.from({ length: 5 }, () =>
      outcomeOf(
        test,
        test.kernel.submit({ principal: ME, session: null, agent: "slow", input: 1 }, () => {}),
      ),
    );
    const outcomes = await Promise.all(submits);
    expect(outcomes.filter(({ error }) => error === undefined)).toHaveLength(2);
    expect(outcomes.at(-1)?.error).toMatchObject(refusal);
    // Somebody else's are counted by themselves.
    await test.submit("slow", 1, { principal: principalOf("t/eve", "user") });
    returning.resolve({});
    await test.world.settle();
    await test.submit("echo");
  });

  it("[law-authority-within-policy][attack-cap-by-delegating] holds for delegated jobs as well", async () => {
    const test = await parentUnder(capped);
    const delegate = () => outcomeOf(test, test.host().delegate({ agent: "endless", input: Math.PI }));
    expect((await delegate()).error).toBeUndefined();
    expect((await delegate()).error).toMatchObject(refusal);
    await expect(test.submit("echo")).rejects.toMatchObject(refusal);
    expect((await test.decisions()).at(-1)).toMatchObject({ allowed: false, details: { rule: "two" } });
  });

  it("counts jobs that were taken up after a crash", async () => {
    const test = await parentUnder(capped);
    await outcomeOf(test, test.host().delegate({ agent: "planner", input: 1 }));
    const later = await test.crash();
    await later.world.settle();
    await expect(later.submit("echo")).rejects.toMatchObject(refusal);
  });
});
