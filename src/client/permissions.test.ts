/** `session.permissions` over a scripted runtime: what is sent, what is sent again after a drop, and what is not. */
import { describe, expect, it } from "vitest";
import { FEATURES } from "../protocol/features.ts";
import { open, type Rig, submitEcho } from "./test-rig.ts";

const TRIPLE = { permission: "tool.call", resource: "refund", operation: "call" };
const EXPIRES = "2026-01-01T00:10:00.000Z";

function answer({ runtime }: Rig, type: string, requestId: string | undefined, payload: object): void {
  runtime.inject(
    JSON.stringify({ arcp: "1.1", id: "msg_answer", type, payload: { ...payload, request_id: requestId } }),
  );
}

/** The outcome as soon as there is one. */
function outcomeOf(promise: Promise<unknown>): { outcome: unknown } {
  const box: { outcome: unknown } = { outcome: "waiting" };
  promise.then(
    (value) => {
      box.outcome = value;
    },
    (error: unknown) => {
      box.outcome = error;
    },
  );
  return box;
}

describe("session.permissions", () => {
  it("asks what the method says, and reads the answer", async () => {
    const rig = await open();
    const granting = rig.session.permissions.grant("perm_1", { leaseSeconds: 60, reason: "fine" });
    await rig.world.settle();
    const [grant] = rig.runtime.sent("permission.grant");
    expect(grant?.payload).toEqual({ permission_id: "perm_1", lease_seconds: 60, reason: "fine" });
    answer(rig, "lease.granted", grant?.id, { lease_id: "lease_1", ...TRIPLE, expires_at: EXPIRES });
    expect(await rig.settled(granting)).toEqual({ leaseId: "lease_1", ...TRIPLE, expiresAt: EXPIRES });

    const listing = rig.session.permissions.list({ state: "pending", jobId: "job_1", limit: 5 });
    await rig.world.settle();
    const [list] = rig.runtime.sent("session.list_permissions");
    expect(list?.payload).toEqual({ state: ["pending"], job_id: "job_1", limit: 5 });
    const row = {
      permission_id: "perm_1",
      job_id: "job_1",
      state: "pending",
      ...TRIPLE,
      requested_at: EXPIRES,
      args: [1],
    };
    answer(rig, "session.permissions", list?.id, { permissions: [row], more: true });
    expect(await rig.settled(listing)).toMatchObject({
      permissions: [{ id: "perm_1", jobId: "job_1", state: "pending", args: [1], requestedAt: EXPIRES }],
      more: true,
    });
  });

  it("sends a decision again after a drop, and an extension never", async () => {
    const rig = await open();
    const { permissions } = rig.session;
    const denying = outcomeOf(permissions.deny("perm_1", { reason: "no" }));
    const revoking = outcomeOf(permissions.revoke("lease_1"));
    const extending = outcomeOf(permissions.extend("lease_2", 60));
    await rig.world.settle();
    rig.runtime.drop();
    await rig.wait();
    expect(
      ["permission.deny", "lease.revoke", "lease.refresh"].map((type) => rig.runtime.sent(type as never).length),
    ).toEqual([2, 2, 1]);
    expect(extending.outcome).toMatchObject({ code: "INTERNAL_ERROR", retryable: false });
    const id = (type: "permission.deny" | "lease.revoke") => rig.runtime.sent(type)[1]?.id;
    answer(rig, "permission.denied", id("permission.deny"), { permission_id: "perm_1" });
    answer(rig, "lease.revoked", id("lease.revoke"), { lease_id: "lease_1" });
    await rig.world.settle();
    expect([denying.outcome, revoking.outcome]).toEqual([undefined, undefined]);
  });

  it("extends when nothing is lost, also one asked for while there is no connection", async () => {
    const rig = await open();
    rig.runtime.drop();
    const extending = rig.session.permissions.extend("lease_1", 60);
    await rig.wait();
    const [refresh] = rig.runtime.sent("lease.refresh");
    expect(refresh?.payload).toEqual({ lease_id: "lease_1", additional_seconds: 60 });
    answer(rig, "lease.extended", refresh?.id, { lease_id: "lease_1", expires_at: EXPIRES });
    expect(await rig.settled(extending)).toBe(EXPIRES);
  });

  it("tells of requests as they come, and not of those a job took back with its end", async () => {
    const rig = await open();
    const job = await submitEcho(rig);
    const requests = rig.session.permissions.requests();
    const first = requests.next();
    for (const id of ["perm_1", "perm_2"]) {
      answer(rig, "permission.request", undefined, { permission_id: id, job_id: job.id, ...TRIPLE, reason: "why" });
    }
    const told = { id: "perm_1", jobId: job.id, ...TRIPLE, reason: "why" };
    expect((await rig.settled(first)).value).toMatchObject(told);
    rig.runtime.emit(job.id, "x-leasehold.permission", { permission_id: "perm_1", state: "granted", ...TRIPLE });
    rig.runtime.succeed(job.id);
    await rig.world.settle();
    const next = outcomeOf(requests.next());
    await rig.world.settle();
    expect(next.outcome).toBe("waiting");
    const closing = rig.session.close();
    await rig.wait();
    await closing;
    expect(next.outcome).toMatchObject({ code: "SESSION_CLOSED" });
  });

  it("needs the feature", async () => {
    const rig = await open({ features: FEATURES.filter((feature) => feature !== "x-leasehold.permissions") });
    const granting = rig.session.permissions.grant("perm_1");
    await expect(granting).rejects.toMatchObject({ details: { feature: "x-leasehold.permissions" } });
  });
});
