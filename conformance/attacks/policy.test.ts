/** Ways around a policy. */
import { describe, expect, it } from "vitest";
import type { AgentContext } from "../../src/agents/agent-context.ts";
import type { PolicyRules } from "../../src/identity/policy-rules.ts";
import { leaseOf } from "../../src/kernel/authority/lease.ts";
import { Arena, codeOf } from "./arena.ts";

const forever = (): Promise<never> => new Promise(() => {});
const DAY = Date.UTC(2027, 0, 1);

const CAPPED: PolicyRules = {
  rules: [
    {
      name: "small",
      agents: ["small"],
      lease: { "fs.read": ["/w/**"] },
      budget: { USD: "1.00" },
      maxLeaseSec: 60,
      maxJobs: 3,
    },
    { name: "others" },
  ],
};
const BROAD = { "fs.read": ["/**"], "agent.delegate": ["*"], "cost.budget": ["USD:100"] };

describe("a client stays under the policy [law-authority-within-policy]", () => {
  it("[attack-cap-by-delegating] by way of an agent that it may submit", async () => {
    const outcomes: (readonly [string, string])[] = [];
    const arena: Arena = await Arena.open({
      policy: CAPPED,
      agents: {
        small: forever,
        big: async (ctx: AgentContext) => {
          const tries = {
            patterns: { lease: { "fs.read": ["/w/a", "/**"] } },
            money: { budget: { USD: "1.01" } },
            end: { expiresAt: new Date(DAY) },
            within: { lease: { "fs.read": ["/w/a"] } },
            again: { lease: { "fs.read": ["/w/b"] }, budget: { USD: "1" } },
            jobs: { lease: { "fs.read": ["/w/c"] } },
          };
          for (const [what, bounds] of Object.entries(tries)) {
            outcomes.push([what, await codeOf(() => ctx.delegate("small", null, bounds))]);
          }
          return forever();
        },
      },
    });
    await using _ = arena;
    const client = await arena.connect();
    const { job } = await client.submit("big", { lease: BROAD });
    await arena.until(() => outcomes.length === 6);
    expect(Object.fromEntries(outcomes)).toEqual({
      patterns: "PERMISSION_DENIED",
      money: "PERMISSION_DENIED",
      end: "PERMISSION_DENIED",
      within: "none",
      again: "none",
      jobs: "PERMISSION_DENIED",
    });
    const children = (await arena.children(job)).map(leaseOf);
    expect(children.map((lease) => lease?.budget)).toEqual([{ USD: "1" }, { USD: "1" }]);
    for (const lease of children) expect(lease?.expiresAt).toBe(arena.world.clock.now() + 60_000);
  });

  it("[attack-cap-by-sessions] from many sessions, while the policy thinks", async () => {
    const deciding: (() => void)[] = [];
    await using arena = await Arena.open({
      agents: { small: forever },
      policy: ({ lease }) =>
        new Promise((resolve) => deciding.push(() => resolve({ allowed: true, lease, maxJobs: 3 }))),
    });
    const clients = await Promise.all(Array.from({ length: 8 }, () => arena.connect()));
    const answers = clients.map((client) => client.submit("small"));
    await arena.until(() => deciding.length === clients.length);
    for (const decide of deciding) decide();
    const codes = (await Promise.all(answers)).map(({ code }) => code ?? "none");
    expect(codes.toSorted()).toEqual([...Array(5).fill("PERMISSION_DENIED"), ...Array(3).fill("none")]);
  });

  it("[attack-left-open] by leaving out what it bounds", async () => {
    const codes: string[] = [];
    await using arena = await Arena.open({
      requireModelUse: false,
      policy: {
        rules: [
          {
            name: "all",
            lease: { "model.use": ["mini/*"], "fs.read": ["/w/**"] },
            budget: { USD: "1" },
            maxLeaseSec: 60,
          },
        ],
      },
      agents: {
        small: async (ctx: AgentContext) => {
          codes.push(await codeOf(() => ctx.assertModelAllowed("mini/a")));
          codes.push(await codeOf(() => ctx.assertModelAllowed("maxi/a")));
          await ctx.charge({ USD: "1" });
          codes.push(await codeOf(() => ctx.assertModelAllowed("mini/a")));
          return forever();
        },
      },
    });
    const client = await arena.connect();
    const { job, frame } = await client.submit("small");
    expect(frame.payload.lease).toEqual({ "model.use": ["mini/*"], "cost.budget": ["USD:1"] });
    await arena.until(() => codes.length === 3);
    expect(codes).toEqual(["none", "PERMISSION_DENIED", "BUDGET_EXHAUSTED"]);
    await arena.world.advance(62_000);
    expect((await arena.log(job)).at(-1)?.body).toMatchObject({ code: "LEASE_EXPIRED" });
  });

  it("[attack-cut-and-crash] by the end of the process", async () => {
    const attempts: { readonly read: string; readonly delegate: string }[] = [];
    await using arena = await Arena.open({
      persistent: ["small"],
      policy: {
        rules: [
          { name: "cut", agents: ["small"], lease: { "agent.delegate": ["big"], "fs.read": ["/w/**"] }, beyond: "cut" },
          { name: "operators", roles: ["operator"] },
        ],
      },
      agents: {
        big: forever,
        small: async (ctx: AgentContext) => {
          const read = await codeOf(() => ctx.authorize("fs.read", "/x"));
          attempts.push({ read, delegate: await codeOf(() => ctx.delegate("big", null)) });
          return forever();
        },
      },
    });
    const client = await arena.connect();
    const { job } = await client.submit("small", { lease: BROAD });
    await arena.until(() => attempts.length === 1);
    await arena.crash(() => true);
    await arena.world.advance(60_000);
    await arena.until(() => attempts.length === 2);
    const refused = { read: "PERMISSION_DENIED", delegate: "PERMISSION_DENIED" };
    expect(attempts).toEqual([refused, refused]);
    expect(leaseOf(await arena.job(job))?.grants["fs.read"]).toEqual(["/w/**"]);
    expect(await arena.children(job)).toEqual([]);
  });
});
