import { expect, it } from "vitest";
import { collect, open, type Rig, submitEcho } from "./test-rig.ts";

const KEY = {
  id: "cred_1",
  scheme: "bearer",
  value: "sk-first",
  endpoint: "https://gateway.example.com/v1",
  profile: "openai",
  constraints: { "cost.budget": ["USD:5.00"] },
};
const DESCRIPTOR = {
  lease: { "fs.read": ["/workspace/**"], "cost.budget": ["USD:5.00"] },
  lease_constraints: { expires_at: "2026-05-13T23:42:00Z" },
  budget: { USD: 5, EUR: 1 },
  parent_job_id: "job_parent",
  credentials: [KEY, { ...KEY, id: "cred_2", scheme: "signed_url" }],
};

async function opened(credentials = true): Promise<Rig> {
  const rig = await open({ credentials });
  rig.runtime.descriptor = DESCRIPTOR;
  return rig;
}

const remaining = (rig: Rig, jobId: string, value: number): void =>
  rig.runtime.emit(jobId, "metric", { name: "cost.budget.remaining", value, unit: "USD" });

it("shows the bounds as accepted, and the budget as it is reported", async () => {
  const rig = await opened();
  const job = await submitEcho(rig);
  expect(job).toMatchObject({
    agent: "echo@1.0.0",
    lease: DESCRIPTOR.lease,
    expiresAt: "2026-05-13T23:42:00Z",
    budget: { USD: 5, EUR: 1 },
    parentJobId: "job_parent",
    status: "pending",
  });
  remaining(rig, job.id, 1.42);
  rig.runtime.emit(job.id, "metric", { name: "cost.model", value: 3, unit: "EUR" });
  await rig.world.settle();
  expect(job).toMatchObject({ budget: { USD: 1.42, EUR: 1 }, status: "running" });
});

it("is up to date again after another session has taken its job up", async () => {
  const rig = await opened();
  const job = await submitEcho(rig);
  remaining(rig, job.id, 4);
  await rig.world.settle();
  rig.runtime.drop();
  rig.runtime.expireSessions();
  remaining(rig, job.id, 3);
  rig.runtime.descriptor = { ...DESCRIPTOR, budget: { USD: 3 }, credentials: [{ ...KEY, value: "sk-rotated" }] };
  await rig.wait();
  expect(job.budget.USD).toBe(3);
  expect(job.credentials.map(({ value }) => value)).toEqual(["sk-rotated"]);
});

it("holds keys it can use, follows their rotation, and keeps none beyond the job [arcp-9.8.1-unknown-scheme-ignored][arcp-9.8.2-not-cached]", async () => {
  const rig = await opened();
  const job = await submitEcho(rig);
  expect(job.credentials).toEqual([KEY]);
  const { events, end } = collect(job);
  rig.runtime.emit(job.id, "status", { phase: "credential_rotated", id: "cred_1", value: "sk-second" });
  rig.runtime.emit(job.id, "status", { phase: "credential_rotated", id: "cred_1" });
  await rig.world.settle();
  expect(job.credentials).toEqual([{ ...KEY, value: "sk-second" }]);
  rig.runtime.succeed(job.id, { result: 1 });
  await rig.world.settle();
  expect(await end).toBe("end");
  expect(job.credentials).toEqual([]);
  const again = await rig.settled(rig.session.submit("echo", null, { idempotencyKey: job.idempotencyKey }));
  expect(again.credentials).toEqual([]);
  // The event tells of the rotation, and not the secret.
  expect(events.map(({ body }) => body)).toEqual([
    { phase: "credential_rotated", id: "cred_1" },
    { phase: "credential_rotated", id: "cred_1" },
  ]);
  expect(JSON.stringify(events)).not.toContain("sk-");
});

it("asks for keys only where they are wanted", async () => {
  const [wanted, unwanted] = [await opened(), await opened(false)];
  const features = [wanted, unwanted].map(({ runtime }) => runtime.sent("session.hello")[0]?.payload.capabilities);
  expect(features[0]?.features).toContain("provisioned_credentials");
  expect(features[1]?.features).not.toContain("provisioned_credentials");
});

it("forgets keys of a job that it can follow no more", async () => {
  const rig = await opened();
  const job = await submitEcho(rig);
  await rig.settled(rig.session.close());
  expect(job.credentials).toEqual([]);
});
