/** What hostile agents and clients try with permissions: floods, repeats, and moments in which two things happen at once. */
import { describe, expect, it } from "vitest";
import type { JobHost, RunnableAgent } from "../agents-port.ts";
import type { Lease } from "../authority/lease.ts";
import type { PermissionAsk } from "../authority/permission-ask.ts";
import type { Policy, PolicyDecision } from "../authority/policy.ts";
import { anAgent, createTestKernel, ME, type TestKernel, type TestKernelOptions } from "../test-kernel.ts";

const REFUND: PermissionAsk = { permission: "tool.call", resource: "refund", operation: "call" };

interface Asking extends TestKernel {
  readonly job: string;
  readonly host: JobHost;
  /** Of each attempt, crashes or not. */
  readonly hosts: readonly JobHost[];
}

async function asking(
  options: TestKernelOptions & Pick<Partial<RunnableAgent>, "restart"> & { readonly constraints?: object } = {},
): Promise<Asking> {
  const hosts: JobHost[] = [];
  const returned = Promise.withResolvers<object>();
  const { restart = "never" } = options;
  const agent = anAgent(
    "agent",
    (given) => {
      hosts.push(given);
      return returned.promise;
    },
    { restart },
  );
  const test = await createTestKernel({ ...options, agents: [agent] });
  const { job } = await test.submit("agent", null, {
    leaseRequest: { "tool.call": ["look"] },
    ...(options.constraints && { leaseConstraints: options.constraints }),
  });
  const [host] = hosts;
  if (host === undefined) throw new Error("the job did not start");
  return { ...test, job: job.id, host, hosts };
}

/** What a promise comes to once the world has settled. */
async function settled<Value>({ world }: Pick<TestKernel, "world">, promise: Promise<Value>): Promise<Value> {
  promise.catch(() => {});
  await world.settle();
  return promise;
}

async function ask(test: Asking, what: PermissionAsk = REFUND): Promise<string> {
  test.host.requestPermission(what).catch(() => {});
  await test.world.settle();
  return (await test.store.readPermissionsOf(test.job)).at(-1)?.id ?? "";
}

const states = async ({ store, job }: Asking) => (await store.readPermissionsOf(job)).map(({ state }) => state);

describe("a client that decides again and again", () => {
  it("puts nothing on the log by extending what lasts no longer for it [attack-grant-flood]", async () => {
    const test = await asking({ constraints: { expires_at: new Date(Date.UTC(2026, 0, 1, 0, 10)).toISOString() } });
    const id = await ask(test);
    const grant = { permission: id, by: ME };
    const { expiresAt } = await settled(test, test.kernel.grantPermission({ ...grant, leaseSeconds: 86_400 }));
    const before = (await test.log(test.job)).length;
    for (let count = 0; count < 3; count++) {
      const extended = await settled(test, test.kernel.extendPermission({ ...grant, additionalSeconds: 60 }));
      expect(extended).toMatchObject({ state: "granted", expiresAt });
    }
    expect((await test.log(test.job)).length).toBe(before);
  });

  it("is answered as the first time, also once the job has ended by it", async () => {
    const test = await asking();
    const id = await ask(test);
    await settled(test, test.kernel.denyPermission({ permission: id, by: ME, reason: "no" }));
    const other = await ask(test, { ...REFUND, resource: "book" });
    await settled(test, test.kernel.grantPermission({ permission: other, by: ME }));
    await settled(test, test.kernel.revokePermission({ permission: other, by: ME }));
    await settled(
      test,
      test.kernel.cancel({ job: test.job }, () => {}),
    );
    expect((await test.stored(test.job)).status).toBe("cancelled");
    expect(await settled(test, test.kernel.denyPermission({ permission: id, by: ME }))).toMatchObject({
      state: "denied",
      decisionReason: "no",
    });
    expect(await settled(test, test.kernel.revokePermission({ permission: other, by: ME }))).toMatchObject({
      state: "revoked",
    });
    const late = test.kernel.grantPermission({ permission: id, by: ME });
    await expect(settled(test, late)).rejects.toMatchObject({ details: { state: "denied" } });
  });
});

describe("a policy that thinks while the job ends", () => {
  it("comes too late, and whoever decides is told what became of the request", async () => {
    const answer = Promise.withResolvers<undefined>();
    const policy: Policy = {
      decide: ({ kind, lease }) => (kind === "permission" ? slowly(lease) : { allowed: true, lease }),
    };
    const slowly = async (lease: Lease | null): Promise<PolicyDecision> => {
      await answer.promise;
      return { allowed: true, lease };
    };
    const test = await asking({ policy });
    const granting = test.kernel.grantPermission({ permission: await ask(test), by: ME });
    granting.catch(() => {});
    await settled(
      test,
      test.kernel.cancel({ job: test.job }, () => {}),
    );
    answer.resolve(undefined);
    await expect(settled(test, granting)).rejects.toMatchObject({
      code: "INVALID_REQUEST",
      details: { state: "withdrawn" },
    });
  });
});

describe("an agent that asks in the millisecond of an end", () => {
  it("finds its new request under the key, and not the old one, whose end is told of later", async () => {
    const test = await asking();
    const again = (): Promise<unknown> => test.host.requestPermission({ ...REFUND, key: "k" }).catch(() => {});
    // Set before the request, and so run before the timer that ends it.
    test.world.timers.after(10_000, () => void again());
    await ask(test, { ...REFUND, key: "k", waitSeconds: 10 });
    await test.world.advance(10_000);
    expect(await states(test)).toEqual(["expired", "pending"]);
    void again();
    await test.world.settle();
    expect(await states(test)).toEqual(["expired", "pending"]);
  });
});

describe("arguments that nest too deep to be shown", () => {
  it.each([
    { permission: "fs.write", resource: "/w/a", operation: "write" },
    { permission: "net.fetch", resource: "https://example.com/", operation: "POST" },
    REFUND,
  ])("are refused, whatever digest comes along: $permission", async (what) => {
    const test = await asking();
    const args = JSON.parse("[".repeat(300) + "]".repeat(300));
    let refusal: unknown;
    test.host.requestPermission({ ...what, args, argsDigest: "0".repeat(64) }).catch((error: unknown) => {
      refusal = error;
    });
    await test.world.settle();
    expect(refusal).toMatchObject({ code: "INVALID_REQUEST", details: { field: "requestPermission.args" } });
    expect(await states(test)).toEqual([]);
  });
});

describe("a crash while a decision is being stored [attack-grant-after-restart]", () => {
  it.each([
    [false, "pending", "granted"],
    [true, "pending", "granted"],
    [false, "granted", "revoked"],
    [true, "granted", "revoked"],
  ])("leaves the one or the other (survives: %s), and the guard agrees", async (survives, before, after) => {
    const test = await asking({ restart: "always" });
    const request = { permission: await ask(test), by: ME };
    if (before === "granted") await settled(test, test.kernel.grantPermission(request));
    test.store.hold();
    const deciding =
      before === "granted" ? test.kernel.revokePermission(request) : test.kernel.grantPermission(request);
    deciding.catch(() => {});
    await test.world.settle();
    const later = await test.crash({ survives: () => survives });
    await later.world.settle();
    const state = survives ? after : before;
    expect(await later.store.readPermission(request.permission)).toMatchObject({ state });
    const check = (): unknown => test.hosts.at(-1)?.guard.check({ namespace: "tool.call", target: "refund" });
    expect(test.hosts).toHaveLength(2);
    if (state === "granted") expect(check()).toBeUndefined();
    else expect(check).toThrow("the lease grants tool.call for look only");
  });
});

it("a thousand jobs that wait are granted in one turn, and go on as there are slots", async () => {
  const wanted = 1_000;
  const agent = anAgent("many", async (host) => {
    await host.requestPermission(REFUND);
    return {};
  });
  const test = await createTestKernel({ agents: [agent], jobLimits: { maxRunningJobs: 2 } });
  const submitted = Array.from({ length: wanted }, () =>
    test.kernel.submit({ principal: ME, session: null, agent: "many", input: null }, () => {}),
  );
  await settled(test, Promise.all(submitted));
  const { permissions } = await test.store.listPermissions({ principals: ["t/me"], states: ["pending"], limit: 5_000 });
  expect(permissions).toHaveLength(wanted);
  const grants = permissions.map(({ id }) => test.kernel.grantPermission({ permission: id, by: ME }));
  await settled(test, Promise.all(grants));
  expect(new Set(await Promise.all(permissions.map(async ({ job }) => (await test.stored(job)).status)))).toEqual(
    new Set(["success"]),
  );
});
