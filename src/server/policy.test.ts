/** A policy as `createRuntime` takes it: rules, a function, or both functions. */
import { expect, it } from "vitest";
import { defineAgent } from "../agents/define-agent.ts";
import type { PolicyRules } from "../identity/policy-rules.ts";
import { createMemoryStore } from "../stores/memory/memory-store.ts";
import { createRuntime } from "./runtime.ts";
import type { RuntimeOptions } from "./runtime-options.ts";

const told = defineAgent({ name: "told", version: "1.0.0", run: async ({ lease }) => lease?.grants ?? null });

async function under(policy: RuntimeOptions["policy"], more: Partial<RuntimeOptions> = {}) {
  const runtime = await createRuntime({
    agents: [told],
    store: createMemoryStore(),
    ...more,
    ...(policy && { policy }),
  });
  try {
    const job = await runtime.submit("told", null, { lease: { "fs.read": ["/**"] } });
    return { echoed: job.lease, had: await job.result() };
  } finally {
    await runtime.close();
  }
}

it("is rules", async () => {
  const rules = [{ name: "cut", principals: ["default/dev"], lease: { "fs.read": ["/w/**"] }, beyond: "cut" }] as const;
  const cut = { "fs.read": ["/w/**"] };
  expect(await under({ rules })).toEqual({ echoed: cut, had: cut });
  await expect(under({ rules: [] })).rejects.toMatchObject({ code: "PERMISSION_DENIED", details: { rule: null } });
});

it("is a function, or an object of functions", async () => {
  const none = ({ lease }: { lease: object | null }) =>
    ({ allowed: true, lease: { ...lease, grants: {} } }) as unknown as { allowed: true; lease: null };
  for (const policy of [none, { decide: none }]) expect(await under(policy)).toEqual({ echoed: {}, had: {} });
});

it("knows whether models have to be named", async () => {
  const rules = [{ name: "r", lease: { "fs.read": ["/**"], "model.use": ["mini"] } }];
  expect((await under({ rules })).had).toEqual({ "fs.read": ["/**"] });
  const { had } = await under({ rules }, { requireModelUse: false });
  expect(had).toEqual({ "fs.read": ["/**"], "model.use": ["mini"] });
});

it.each<readonly [unknown, string]>([
  [{ rules: [{ name: "a", maxJob: 1 }] }, "rules[0].maxJob is no part of a rule"],
  [{}, "rules must be a list"],
  [null, "the policy must be an object"],
  ["policy.json", "the policy must be an object"],
])("is refused before anything is opened when it is %j", async (policy, message) => {
  const starting = createRuntime({ agents: [told], data: "/nowhere/at/all", policy: policy as PolicyRules });
  await expect(starting).rejects.toThrow(message);
});
