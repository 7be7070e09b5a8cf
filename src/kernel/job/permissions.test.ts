import { describe, expect, it } from "vitest";
import type { AgentReturn, JobHost, RunnableAgent } from "../agents-port.ts";
import type { Operation } from "../authority/guard.ts";
import { DEFAULT_WAIT_SECONDS, MAX_PENDING_REQUESTS, permissionIdOf } from "../authority/permission.ts";
import type { Grant, PermissionAsk } from "../authority/permission-ask.ts";
import type { Policy } from "../authority/policy.ts";
import type { Principal } from "../principal.ts";
import { anAgent, createTestKernel, ME, say, type TestKernel, type TestKernelOptions } from "../test-kernel.ts";
import { digestOf } from "./digest.ts";

const REFUND: PermissionAsk = { permission: "tool.call", resource: "refund", operation: "call" };
const FIFTY = { ...REFUND, args: { amount: "50" } };
const OPERATOR: Principal = { id: "boss", tenant: "t", roles: ["operator"] };
const OTHER: Principal = { id: "other", tenant: "t", roles: ["user"] };
const FOREIGN: Principal = { id: "boss", tenant: "u", roles: ["operator"] };

/** What the guard is asked when the tool is called with these arguments. */
const call = (args?: unknown): Operation => ({
  namespace: "tool.call",
  target: "refund",
  ...(args !== undefined && { digest: () => digestOf(args) }),
});

function scripted(name: string, fields: Partial<Pick<RunnableAgent, "restart" | "maxConcurrent">> = {}) {
  const hosts: JobHost[] = [];
  const returning = Promise.withResolvers<AgentReturn>();
  const agent = anAgent(
    name,
    (host) => {
      hosts.push(host);
      return returning.promise;
    },
    fields,
  );
  return { agent, host: (): JobHost => hosts.at(-1) as JobHost, hosts, return: () => returning.resolve({}) };
}

type Asking = TestKernel & { readonly agent: ReturnType<typeof scripted>; readonly job: string };

async function asking(
  options: TestKernelOptions & {
    readonly lease?: object;
    readonly constraints?: object;
    readonly restart?: RunnableAgent["restart"];
    readonly maxRuntimeSec?: number;
  } = {},
): Promise<Asking> {
  const { lease = { "tool.call": ["look"] }, constraints, restart = "never", maxRuntimeSec } = options;
  const agent = scripted("agent", { restart });
  const test = await createTestKernel({ ...options, agents: [agent.agent, ...(options.agents ?? [])] });
  const { job } = await test.submit("agent", null, {
    leaseRequest: lease,
    ...(constraints && { leaseConstraints: constraints }),
    ...(maxRuntimeSec !== undefined && { maxRuntimeSec }),
  });
  return { ...test, agent, job: job.id };
}

/** What a promise comes to once the world has settled. */
async function settled<Value>({ world }: Pick<TestKernel, "world">, promise: Promise<Value>): Promise<Value> {
  promise.catch(() => {});
  await world.settle();
  return promise;
}

/** Asks, and lets the request become durable. */
async function ask(test: Asking, what: PermissionAsk = REFUND) {
  const granted = test.agent.host().requestPermission(what);
  const outcome: { grant?: Grant; error?: unknown } = {};
  granted.then(
    (grant) => Object.assign(outcome, { grant }),
    (error: unknown) => Object.assign(outcome, { error }),
  );
  await test.world.settle();
  const rows = await test.store.readPermissionsOf(test.job);
  return { granted, outcome, id: rows.at(-1)?.id ?? "" };
}

const isAllowed = (host: JobHost, operation: Operation): boolean => {
  try {
    void host.guard.check(operation);
    return true;
  } catch {
    return false;
  }
};
const stateOf = async ({ store }: Pick<TestKernel, "store">, id: string) => (await store.readPermission(id))?.state;
const told = async (test: Pick<TestKernel, "log">, job: string) =>
  (await test.log(job)).flatMap(({ payload }) =>
    payload.kind === "x-leasehold.permission" ? [payload.body as Readonly<Record<string, unknown>>] : [],
  );

describe("a request [law-authority-within-decider]", () => {
  it("waits, is told on the log, and is granted by the job's owner, for this and no more", async () => {
    const test = await asking();
    const { outcome, id } = await ask(test, { ...REFUND, reason: "order A-17", leaseSeconds: 60 });
    expect(outcome).toEqual({});
    expect(isAllowed(test.agent.host(), call())).toBe(false);
    const row = await settled(test, test.kernel.grantPermission({ permission: id, by: ME, reason: "fine" }));
    expect(row).toMatchObject({ state: "granted", decidedBy: "t/me", decisionReason: "fine", agent: "agent@1.0.0" });
    expect(outcome.grant).toEqual({
      permissionId: id,
      leaseId: row.leaseId,
      permission: "tool.call",
      resource: "refund",
      operation: "call",
      expiresAt: test.world.clock.now() + 60_000,
    });
    expect(permissionIdOf(row.leaseId ?? "")).toBe(id);
    expect(await test.kernel.readPermission(id)).toEqual(row);
    expect(await told(test, test.job)).toEqual([
      {
        permission_id: id,
        state: "pending",
        permission: "tool.call",
        resource: "refund",
        operation: "call",
        reason: "order A-17",
        requested_lease_seconds: 60,
        expires_at: new Date(test.world.clock.now() + DEFAULT_WAIT_SECONDS * 1_000).toISOString(),
      },
      {
        permission_id: id,
        state: "granted",
        permission: "tool.call",
        resource: "refund",
        operation: "call",
        reason: "fine",
        lease_id: row.leaseId,
        expires_at: new Date(test.world.clock.now() + 60_000).toISOString(),
      },
    ]);
    const host = test.agent.host();
    expect(isAllowed(host, call({ anything: true }))).toBe(true);
    expect(isAllowed(host, { ...call(), target: "refund2" })).toBe(false);
    expect(isAllowed(host, { ...call(), operation: "describe" })).toBe(false);
    expect(isAllowed(host, { ...call(), namespace: "x-acme.tool" })).toBe(false);
  });

  it("is refused with what was said, and stays refused under its key", async () => {
    const test = await asking();
    const { outcome, id } = await ask(test, { ...REFUND, key: "k" });
    await settled(test, test.kernel.denyPermission({ permission: id, by: OPERATOR, reason: "no money back" }));
    expect(outcome.error).toMatchObject({
      code: "PERMISSION_DENIED",
      details: { permission_id: id, state: "denied", reason: "no money back", capability: "tool.call" },
    });
    const again = await ask(test, { ...REFUND, key: "k" });
    expect([again.id, again.outcome.error]).toMatchObject([id, { details: { permission_id: id } }]);
    expect(await test.store.readPermissionsOf(test.job)).toHaveLength(1);
    await expect(settled(test, test.agent.host().requestPermission({ ...FIFTY, key: "k" }))).rejects.toMatchObject({
      code: "DUPLICATE_KEY",
    });
  });

  it("lapses when nobody decides, and can be asked again", async () => {
    const test = await asking();
    const { outcome, id } = await ask(test, { ...REFUND, waitSeconds: 60, key: "k" });
    await test.world.advance(59_999);
    expect(outcome).toEqual({});
    await test.world.advance(1);
    expect(outcome.error).toMatchObject({ code: "PERMISSION_DENIED", details: { state: "expired" } });
    expect(await told(test, test.job)).toMatchObject([{ state: "pending" }, { state: "expired" }]);
    await expect(settled(test, test.kernel.grantPermission({ permission: id, by: ME }))).rejects.toMatchObject({
      code: "INVALID_REQUEST",
      details: { state: "expired" },
    });
    const second = await ask(test, { ...REFUND, key: "k" });
    expect(second.id).not.toBe(id);
    await settled(test, test.kernel.grantPermission({ permission: second.id, by: ME }));
    expect(second.outcome.grant).toBeDefined();
  });

  it("is withdrawn by a stop, a timeout and an expiry, which interrupt the wait", async () => {
    const cancelled = await asking();
    const first = await ask(cancelled);
    await settled(
      cancelled,
      cancelled.kernel.cancel({ job: cancelled.job }, () => {}),
    );
    expect(first.outcome.error).toMatchObject({ code: "CANCELLED" });
    expect(await stateOf(cancelled, first.id)).toBe("withdrawn");
    expect((await cancelled.log(cancelled.job)).at(-2)?.payload.body).toMatchObject({ state: "withdrawn" });
    expect(cancelled.world.pendingTimers).toBe(1);

    const late = await asking({ maxRuntimeSec: 5 });
    const second = await ask(late);
    await late.world.advance(5_000);
    expect(second.outcome.error).toMatchObject({ code: "TIMEOUT" });

    const start = Date.parse("2026-01-01T00:00:00Z");
    const expiring = await asking({
      constraints: { expires_at: new Date(start + 3_600_000 * 24 * 365 * 50).toISOString() },
    });
    const { expiresAt } = await expiring.stored(expiring.job);
    const third = await ask(expiring, { ...REFUND, waitSeconds: 604_800 });
    await expiring.world.advance((expiresAt ?? 0) - expiring.world.clock.now());
    expect(third.outcome.error).toMatchObject({ code: expect.stringMatching(/LEASE_EXPIRED|PERMISSION_DENIED/) });
  });

  it.each([
    [{ ...REFUND, permission: "cost.budget", resource: "USD:5" }, "permission"],
    [{ ...REFUND, permission: "tools" }, "permission"],
    [{ ...REFUND, resource: "" }, "resource"],
    [{ ...REFUND, resource: "\ud800" }, "resource"],
    [{ ...REFUND, operation: "x".repeat(129) }, "operation"],
    [{ ...REFUND, leaseSeconds: 86_401 }, "leaseSeconds"],
    [{ ...REFUND, leaseSeconds: 0.5 }, "leaseSeconds"],
    [{ ...REFUND, waitSeconds: 604_801 }, "waitSeconds"],
    [{ ...REFUND, reason: "x".repeat(2_049) }, "reason"],
    [{ ...REFUND, args: "x".repeat(16_384) }, "args"],
    [{ ...REFUND, args: JSON.parse("[".repeat(300) + "]".repeat(300)) }, "args"],
    [{ ...REFUND, argsDigest: "no" }, "argsDigest"],
    [{ ...REFUND, key: "" }, "key"],
  ])("is checked: %j", async (wrong, field) => {
    const test = await asking();
    await expect(settled(test, test.agent.host().requestPermission(wrong))).rejects.toMatchObject({
      code: "INVALID_REQUEST",
      details: { field: `requestPermission.${field}` },
    });
    expect(await test.store.readPermissionsOf(test.job)).toEqual([]);
  });

  it("is one of so many that may wait", async () => {
    const test = await asking();
    for (let index = 0; index < MAX_PENDING_REQUESTS; index++) {
      void test.agent
        .host()
        .requestPermission(REFUND)
        .catch(() => {});
    }
    await expect(settled(test, test.agent.host().requestPermission(REFUND))).rejects.toMatchObject({
      code: "INVALID_REQUEST",
      details: { limit: MAX_PENDING_REQUESTS },
    });
    expect(await test.store.readPermissionsOf(test.job)).toHaveLength(MAX_PENDING_REQUESTS);
  });

  it("is no way around an empty counter", async () => {
    const test = await asking({ lease: { "tool.call": ["look"], "cost.budget": ["USD:1"] } });
    void test.agent.host().report({ name: "cost.x", value: "1", unit: "USD" });
    await expect(settled(test, test.agent.host().requestPermission(REFUND))).rejects.toMatchObject({
      code: "BUDGET_EXHAUSTED",
    });
  });

  it("tells listeners in the process, and the audit", async () => {
    const test = await asking();
    const heard: string[] = [];
    test.kernel.on("permission:changed", ({ permission }) => heard.push(permission.state));
    const { id } = await ask(test);
    await settled(test, test.kernel.grantPermission({ permission: id, by: OPERATOR, leaseSeconds: 10 }));
    await test.world.advance(10_000);
    expect(heard).toEqual(["pending", "granted", "expired"]);
    const { entries } = await test.kernel.listAudit({ scopes: ["t/me"], limit: 9 });
    expect(entries.map(({ action, principal, allowed }) => [action, principal, allowed]).toReversed()).toEqual([
      ["permission.request", "t/me", true],
      ["permission.grant", "t/boss", true],
      ["permission.expire", "t/me", false],
    ]);
  });
});

describe("a decision", () => {
  it("is the owner's or an operator's, and nobody's who only may see the job [attack-grant-watcher]", async () => {
    const test = await asking();
    const { id, outcome } = await ask(test);
    for (const by of [OTHER, FOREIGN, { ...ME, tenant: "u" }]) {
      for (const decide of [
        test.kernel.grantPermission({ permission: id, by }),
        test.kernel.denyPermission({ permission: id, by }),
      ]) {
        await expect(settled(test, decide)).rejects.toMatchObject({ code: "PERMISSION_DENIED" });
      }
    }
    expect([await stateOf(test, id), outcome]).toEqual(["pending", {}]);
    await expect(settled(test, test.kernel.grantPermission({ permission: "perm_no", by: ME }))).rejects.toMatchObject({
      code: "JOB_NOT_FOUND",
    });
  });

  it("is the first one's, and the same again answers the same", async () => {
    const test = await asking();
    const { id } = await ask(test);
    const [first, second] = await settled(
      test,
      Promise.allSettled([
        test.kernel.denyPermission({ permission: id, by: OPERATOR }),
        test.kernel.grantPermission({ permission: id, by: ME }),
      ]),
    );
    expect(first).toMatchObject({ status: "fulfilled", value: { state: "denied" } });
    expect(second).toMatchObject({ status: "rejected", reason: { details: { state: "denied" } } });
    expect(await settled(test, test.kernel.denyPermission({ permission: id, by: OPERATOR }))).toMatchObject({
      decidedBy: "t/boss",
    });
    expect(await told(test, test.job)).toHaveLength(2);
  });

  it("is nothing before it is durable", async () => {
    const test = await asking();
    const { id, outcome } = await ask(test);
    test.store.hold();
    const granting = test.kernel.grantPermission({ permission: id, by: ME });
    let answered = false;
    void granting.then(() => {
      answered = true;
    });
    await test.world.settle();
    expect([answered, outcome, isAllowed(test.agent.host(), call())]).toEqual([false, {}, false]);
    test.store.release();
    await test.world.settle();
    expect([answered, outcome.grant !== undefined, isAllowed(test.agent.host(), call())]).toEqual([true, true, true]);
  });

  it("that cannot be stored grants nothing", async () => {
    const test = await asking();
    const { id, outcome } = await ask(test);
    test.store.failNext();
    await expect(settled(test, test.kernel.grantPermission({ permission: id, by: ME }))).rejects.toMatchObject({
      code: "INTERNAL_ERROR",
    });
    expect(outcome.error).toMatchObject({ code: "INTERNAL_ERROR" });
    expect([isAllowed(test.agent.host(), call()), await stateOf(test, id)]).toEqual([false, "pending"]);
  });

  it("lies within what the policy lets the decider grant [attack-grant-beyond-decider]", async () => {
    const asked: Principal[] = [];
    const policy: Policy = {
      decide({ kind, principal, lease }) {
        if (kind !== "permission") return { allowed: true, lease };
        asked.push(principal);
        if (!principal.roles.includes("operator")) return { allowed: false, reason: "not theirs", rule: "people" };
        return { allowed: true, lease: lease && { ...lease, expiresAt: (lease.expiresAt ?? 0) - 100_000 } };
      },
    };
    const test = await asking({ policy });
    const { id, outcome } = await ask(test);
    await expect(settled(test, test.kernel.grantPermission({ permission: id, by: ME }))).rejects.toMatchObject({
      code: "PERMISSION_DENIED",
      details: { rule: "people" },
    });
    expect([await stateOf(test, id), outcome]).toEqual(["pending", {}]);
    const row = await settled(test, test.kernel.grantPermission({ permission: id, by: OPERATOR }));
    expect(row.expiresAt).toBe(test.world.clock.now() + 200_000);
    await expect(
      settled(test, test.kernel.extendPermission({ permission: id, by: ME, additionalSeconds: 10 })),
    ).rejects.toMatchObject({ code: "PERMISSION_DENIED" });
    expect(asked.map(({ id }) => id)).toEqual(["me", "boss", "me"]);
  });

  it("may be the policy's, before people are asked", async () => {
    const policy: Policy = {
      decide: ({ lease }) => ({ allowed: true, lease }),
      answer({ permission, lease }) {
        if (permission?.resource === "small") return { allowed: true, lease };
        if (permission?.resource === "huge") return { allowed: false, reason: "too much", rule: "caps" };
        return undefined;
      },
    };
    const test = await asking({ policy });
    const small = await ask(test, { ...REFUND, resource: "small" });
    expect(small.outcome.grant).toMatchObject({ resource: "small" });
    const huge = await ask(test, { ...REFUND, resource: "huge" });
    expect(huge.outcome.error).toMatchObject({ code: "PERMISSION_DENIED", message: expect.stringContaining("caps") });
    expect((await ask(test)).outcome).toEqual({});
    const rows = await test.store.readPermissionsOf(test.job);
    expect(rows.map(({ state, decidedBy }) => [state, decidedBy])).toEqual([
      ["granted", null],
      ["denied", null],
      ["pending", null],
    ]);
  });

  it("is asked about once for a key, which stands for one thing", async () => {
    let asked = 0;
    const answer = Promise.withResolvers<undefined>();
    const policy: Policy = {
      decide: ({ lease }) => ({ allowed: true, lease }),
      answer() {
        asked++;
        return answer.promise;
      },
    };
    const test = await asking({ policy });
    const host = test.agent.host();
    const both = [host.requestPermission({ ...REFUND, key: "k" }), host.requestPermission({ ...REFUND, key: "k" })];
    await expect(settled(test, host.requestPermission({ ...FIFTY, key: "k" }))).rejects.toMatchObject({
      code: "DUPLICATE_KEY",
    });
    answer.resolve(undefined);
    await test.world.settle();
    const [row, ...others] = await test.store.readPermissionsOf(test.job);
    expect([asked, others]).toEqual([1, []]);
    await settled(test, test.kernel.grantPermission({ permission: row?.id ?? "", by: ME }));
    expect((await Promise.all(both)).map(({ permissionId }) => permissionId)).toEqual([row?.id, row?.id]);
  });

  it("that never came leaves its place to the next, where a later attempt looks for it", async () => {
    let isDown = true;
    const policy: Policy = {
      decide: ({ lease }) => ({ allowed: true, lease }),
      answer() {
        if (isDown) throw new Error("down");
        return undefined;
      },
    };
    const test = await asking({ policy, restart: "always" });
    expect((await ask(test)).outcome.error).toMatchObject({ code: "INTERNAL_ERROR" });
    isDown = false;
    const { id } = await ask(test);
    const agent = scripted("agent", { restart: "always" });
    const later = { ...(await test.crash({ agents: [agent.agent] })), agent, job: test.job };
    await later.world.settle();
    expect((await ask(later)).id).toBe(id);
    expect(await later.store.readPermissionsOf(test.job)).toHaveLength(1);
  });

  it("of a policy that throws or hangs is none, and grants nothing", async () => {
    let answer = (): Promise<undefined> => Promise.reject(new Error("down"));
    const test = await asking({
      policy: { decide: ({ lease }) => ({ allowed: true, lease }), answer: () => answer() },
    });
    expect((await ask(test)).outcome.error).toMatchObject({ code: "INTERNAL_ERROR" });
    answer = () => new Promise(() => {});
    const hanging = await ask(test);
    await test.world.advance(60_000);
    expect(hanging.outcome.error).toMatchObject({ code: "INTERNAL_ERROR" });
    expect(await test.store.readPermissionsOf(test.job)).toEqual([]);
  });
});

describe("a grant [reading-permission-grant]", () => {
  it("is for the arguments it was asked with [attack-grant-other-args]", async () => {
    const test = await asking();
    const { id } = await ask(test, FIFTY);
    await settled(test, test.kernel.grantPermission({ permission: id, by: ME }));
    const host = test.agent.host();
    expect(isAllowed(host, call({ amount: "50" }))).toBe(true);
    expect(isAllowed(host, call({ amount: "5000" }))).toBe(false);
    expect(isAllowed(host, call({ amount: "50", to: "eve" }))).toBe(false);
    expect(isAllowed(host, call())).toBe(false);
  });

  it("is for what was shown, whatever digest comes along with it [attack-grant-other-args]", async () => {
    const test = await asking();
    const { id } = await ask(test, { ...FIFTY, argsDigest: digestOf({ amount: "5000" }) });
    await settled(test, test.kernel.grantPermission({ permission: id, by: ME }));
    expect(isAllowed(test.agent.host(), call({ amount: "5000" }))).toBe(false);
    expect(isAllowed(test.agent.host(), call({ amount: "50" }))).toBe(true);
  });

  it("is nothing after its time, to the millisecond [attack-grant-after-expiry]", async () => {
    const test = await asking();
    const { id } = await ask(test, { ...REFUND, leaseSeconds: 10 });
    await settled(test, test.kernel.grantPermission({ permission: id, by: ME }));
    await test.world.advance(9_999);
    expect(isAllowed(test.agent.host(), call())).toBe(true);
    await test.world.advance(1);
    expect(isAllowed(test.agent.host(), call())).toBe(false);
    expect(await stateOf(test, id)).toBe("expired");
    await expect(
      settled(test, test.kernel.extendPermission({ permission: id, by: ME, additionalSeconds: 60 })),
    ).rejects.toMatchObject({ code: "INVALID_REQUEST", details: { state: "expired" } });
  });

  it("is nothing from the turn in which it is revoked [attack-grant-revoked]", async () => {
    const test = await asking();
    const { id } = await ask(test);
    await settled(test, test.kernel.grantPermission({ permission: id, by: ME }));
    test.store.hold();
    const revoking = test.kernel.revokePermission({ permission: id, by: OPERATOR, reason: "stop" });
    await test.world.settle();
    expect(isAllowed(test.agent.host(), call())).toBe(false);
    test.store.release();
    expect(await settled(test, revoking)).toMatchObject({ state: "revoked", decidedBy: "t/boss" });
    await expect(
      settled(test, test.kernel.extendPermission({ permission: id, by: ME, additionalSeconds: 60 })),
    ).rejects.toMatchObject({ details: { state: "revoked" } });
    await test.world.advance(1_000_000);
    expect(await stateOf(test, id)).toBe("revoked");
  });

  it("never outlasts the lease, however it is extended [attack-grant-outlast]", async () => {
    const probe = await createTestKernel();
    const end = probe.world.clock.now() + 600_000;
    const test = await asking({ constraints: { expires_at: new Date(end).toISOString() } });
    const { id, outcome } = await ask(test, { ...REFUND, leaseSeconds: 86_400 });
    await settled(test, test.kernel.grantPermission({ permission: id, by: ME, leaseSeconds: 300 }));
    expect(outcome.grant?.expiresAt).toBe(end - 300_000);
    const extended = await settled(
      test,
      test.kernel.extendPermission({ permission: id, by: ME, additionalSeconds: 3_600 }),
    );
    expect(extended.expiresAt).toBe(end);
    await test.world.advance(end - test.world.clock.now());
    expect(isAllowed(test.agent.host(), call())).toBe(false);
  });

  it("is extended so far and no further", async () => {
    const test = await asking();
    const { id } = await ask(test);
    await settled(test, test.kernel.grantPermission({ permission: id, by: ME, leaseSeconds: 10 }));
    await settled(test, test.kernel.extendPermission({ permission: id, by: ME, additionalSeconds: 10 }));
    await test.world.advance(15_000);
    expect(isAllowed(test.agent.host(), call())).toBe(true);
    await expect(
      settled(test, test.kernel.extendPermission({ permission: id, by: ME, additionalSeconds: 86_400 })),
    ).rejects.toMatchObject({ code: "INVALID_REQUEST", details: { limit: 86_400 } });
    await test.world.advance(5_000);
    expect(isAllowed(test.agent.host(), call())).toBe(false);
  });

  it("ends with its job", async () => {
    const test = await asking();
    const { id } = await ask(test);
    await settled(test, test.kernel.grantPermission({ permission: id, by: ME }));
    test.agent.return();
    await test.world.settle();
    expect(await stateOf(test, id)).toBe("expired");
    expect(await told(test, test.job)).toMatchObject([{}, {}, { state: "expired" }]);
  });
});

describe("a child's grant [attack-grant-child]", () => {
  it("lies within its parent's lease, and no grant is handed on", async () => {
    const child = scripted("child");
    const test = await asking({
      lease: { "tool.call": ["look", "book"], "agent.delegate": ["*"] },
      agents: [child.agent],
    });
    const own = await ask(test);
    await settled(test, test.kernel.grantPermission({ permission: own.id, by: ME }));
    await expect(
      settled(
        test,
        test.agent.host().delegate({ agent: "child", input: null, leaseRequest: { "tool.call": ["refund"] } }),
      ),
    ).rejects.toMatchObject({ code: "LEASE_SUBSET_VIOLATION" });
    await settled(
      test,
      test.agent.host().delegate({ agent: "child", input: null, leaseRequest: { "tool.call": ["look"] } }),
    );
    const host = child.host();
    expect(isAllowed(host, call())).toBe(false);
    await expect(settled(test, host.requestPermission(REFUND))).rejects.toMatchObject({
      code: "PERMISSION_DENIED",
      details: { parent_job_id: test.job },
    });
    void host.requestPermission({ ...REFUND, resource: "book" });
    await test.world.settle();
    const [row] = await test.store.readPermissionsOf(host.job.id);
    await settled(test, test.kernel.grantPermission({ permission: row?.id ?? "", by: ME }));
    expect(isAllowed(host, { ...call(), target: "book" })).toBe(true);
    expect(isAllowed(host, call())).toBe(false);
  });
});

describe("after a crash [attack-grant-after-restart]", () => {
  it("a later attempt finds its request, whoever has decided meanwhile", async () => {
    const test = await asking({ restart: "always" });
    const { id } = await ask(test, FIFTY);
    const agent = scripted("agent", { restart: "always" });
    const later = { ...(await test.crash({ agents: [agent.agent] })), agent, job: test.job };
    await later.world.settle();
    const again = await ask(later, FIFTY);
    expect([again.id, again.outcome]).toEqual([id, {}]);
    await settled(later, later.kernel.grantPermission({ permission: id, by: ME }));
    expect(again.outcome.grant).toMatchObject({ permissionId: id });

    const third = scripted("agent", { restart: "always" });
    const last = { ...(await later.crash({ agents: [third.agent], downMs: 1_000 })), agent: third, job: test.job };
    await last.world.advance(5_000);
    expect(isAllowed(third.host(), call({ amount: "50" }))).toBe(true);
    expect(isAllowed(third.host(), call({ amount: "60" }))).toBe(false);
    expect((await ask(last, FIFTY)).outcome.grant).toMatchObject({ permissionId: id });
    expect((await ask(last, { ...FIFTY, args: { amount: "60" } })).outcome).toEqual({});
  });

  it("what ended while nobody ran is over", async () => {
    const test = await asking({ restart: "always" });
    const { id } = await ask(test);
    await settled(test, test.kernel.grantPermission({ permission: id, by: ME, leaseSeconds: 60 }));
    const agent = scripted("agent", { restart: "always" });
    const later = { ...(await test.crash({ agents: [agent.agent], downMs: 60_000 })), agent, job: test.job };
    await later.world.advance(0);
    expect(isAllowed(agent.host(), call())).toBe(false);
    expect(await stateOf(later, id)).toBe("expired");
    const again = await ask(later);
    expect(again.id).not.toBe(id);
  });

  it("the request of a job that does not run again is withdrawn with it", async () => {
    const test = await asking();
    const { id } = await ask(test);
    const later = await test.crash();
    await later.world.settle();
    expect((await later.stored(test.job)).status).toBe("error");
    expect(await stateOf(later, id)).toBe("withdrawn");
    await expect(settled(later, later.kernel.grantPermission({ permission: id, by: ME }))).rejects.toMatchObject({
      details: { state: "withdrawn" },
    });
  });
});

describe("a job that waits for a person [reading-permission-wait]", () => {
  it("holds no slot, and takes one again before it goes on", async () => {
    const other = scripted("other");
    const test = await asking({ jobLimits: { maxRunningJobs: 1 }, agents: [other.agent] });
    const second = await test.submit("other");
    expect(other.hosts).toHaveLength(0);
    const { id, outcome } = await ask(test);
    expect(other.hosts).toHaveLength(1);
    expect((await test.stored(second.job.id)).status).toBe("running");
    await settled(test, test.kernel.grantPermission({ permission: id, by: ME, leaseSeconds: 3_600 }));
    expect(outcome).toEqual({});
    other.return();
    await test.world.settle();
    expect(outcome.grant).toBeDefined();
    void say(test.agent.host(), "on");
    test.agent.return();
    await test.world.settle();
    expect((await test.stored(test.job)).status).toBe("success");
    const third = await test.submit("other");
    expect(third.job.id).toBeDefined();
  });

  it("is told when its grant is over by the time it has a slot", async () => {
    const other = scripted("other");
    const test = await asking({ jobLimits: { maxRunningJobs: 1 }, agents: [other.agent] });
    await test.submit("other");
    const { id, outcome } = await ask(test);
    await settled(test, test.kernel.grantPermission({ permission: id, by: ME, leaseSeconds: 10 }));
    await test.world.advance(10_000);
    other.return();
    await test.world.settle();
    expect(outcome.error).toMatchObject({ code: "PERMISSION_DENIED", details: { state: "expired" } });
  });

  it("is stopped while it waits for a slot, and keeps none", async () => {
    const other = scripted("other");
    const test = await asking({ jobLimits: { maxRunningJobs: 1 }, agents: [other.agent] });
    await test.submit("other");
    const { id, outcome } = await ask(test);
    await settled(test, test.kernel.grantPermission({ permission: id, by: ME }));
    await settled(
      test,
      test.kernel.cancel({ job: test.job }, () => {}),
    );
    expect(outcome.error).toMatchObject({ code: "CANCELLED" });
    other.return();
    await test.world.settle();
    await test.submit("other");
    expect(other.hosts).toHaveLength(2);
  });
});
