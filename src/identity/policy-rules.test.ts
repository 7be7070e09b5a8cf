import { describe, expect, it } from "vitest";
import { MAX_POLICY_RULES, type PolicyRule, readRules } from "./policy-rules.ts";

function problemOf(policy: unknown): string {
  try {
    readRules(policy as Parameters<typeof readRules>[0]);
    return "none";
  } catch (error) {
    expect(error).toBeInstanceOf(RangeError);
    return (error as Error).message;
  }
}

const problemOfRule = (rule: unknown): string => problemOf({ rules: [{ name: "first" }, rule] });

describe("the rules of a policy", () => {
  it("are read with every field", () => {
    const rule: PolicyRule = {
      name: "ci",
      principals: ["acme/ci", "acme/*"],
      roles: ["user", "operator"],
      agents: ["report@2.*", "team-*"],
      lease: { "fs.read": ["/workspace/**"], "x-acme.db": ["users"] },
      budget: { USD: "5.00" },
      maxLeaseSec: 7_200,
      maxRuntimeSec: 0.5,
      maxJobs: 0,
      beyond: "cut",
    };
    expect(readRules({ rules: [rule, { name: "no", refuse: "because" }] })).toMatchObject([
      { ...rule, budget: { USD: "5" } },
      { name: "no", refuse: "because", agentPatterns: undefined },
    ]);
    expect(readRules({ rules: [] })).toEqual([]);
  });

  it.each([
    [undefined, "the policy must be an object"],
    [[], "the policy must be an object"],
    [{}, "rules must be a list"],
    [{ rules: [], rule: 1 }, "rule is no part of a policy"],
    [{ rules: {} }, "rules must be a list"],
    [{ rules: [7] }, "rules[0] must be an object"],
    [{ rules: Array.from({ length: MAX_POLICY_RULES + 1 }, (_, name) => ({ name: `${name}` })) }, "at most 1000 rules"],
    [{ rules: [{ name: "a" }, { name: "a" }] }, 'rules[1].name must not be "a" again'],
  ])("that are %j are refused", (policy, problem) => expect(problemOf(policy)).toContain(problem));

  it.each([
    [{}, "rules[1].name must be text of 1 to 64 characters"],
    [{ name: "  " }, "rules[1].name must be text"],
    [{ name: "a".repeat(65) }, "rules[1].name must be text"],
    [{ name: "a", principal: ["acme/*"] }, "rules[1].principal is no part of a rule: there are name, principals"],
    [{ name: "a", "x y": 1 }, 'rules[1]."x y" is no part of a rule'],
    [{ name: "a", principals: "acme/*" }, "rules[1].principals must be a list"],
    [{ name: "a", principals: [] }, "rules[1].principals must be a list of 1 to 1000"],
    [{ name: "a", principals: ["acme/*", "acme"] }, "rules[1].principals[1] must be tenant/id or tenant/*"],
    [{ name: "a", principals: ["*/*"] }, "rules[1].principals[0]"],
    [{ name: "a", roles: ["admin"] }, 'rules[1].roles[0] must be user or operator, not "admin"'],
    [{ name: "a", agents: [""] }, "rules[1].agents[0] must be an agent"],
    [{ name: "a", refuse: "" }, "rules[1].refuse must be text"],
    [{ name: "a", refuse: "no", maxJobs: 1 }, "rules[1].maxJobs does not go with refuse"],
    [{ name: "a", lease: ["/a"] }, "rules[1].lease must be an object"],
    [{ name: "a", lease: { "fs.read": "/a" } }, 'rules[1].lease["fs.read"] must be a list'],
    [{ name: "a", lease: { "fs.read": ["/ok", "a"] } }, 'rules[1].lease["fs.read"][1] must be an absolute path'],
    [{ name: "a", lease: { "fs.exec": ["/a"] } }, 'rules[1].lease["fs.exec"] is not a lease namespace'],
    [{ name: "a", lease: { "cost.budget": ["USD:5"] } }, 'rules[1].lease["cost.budget"] belongs into budget'],
    [{ name: "a", budget: [] }, "rules[1].budget must be an object"],
    [{ name: "a", budget: {} }, "rules[1].budget must have from 1 to 16 currencies"],
    [{ name: "a", budget: { USD: 5 } }, 'rules[1].budget.USD must be text, such as "5.00"'],
    [{ name: "a", budget: { USD: "-5" } }, "rules[1].budget.USD must be an amount"],
    [{ name: "a", budget: { U$: "5" } }, "rules[1].budget.U$ is not a currency"],
    [{ name: "a", maxLeaseSec: 0 }, "rules[1].maxLeaseSec must be a number of seconds, more than 0, not 0"],
    [{ name: "a", maxLeaseSec: 1e10 }, "rules[1].maxLeaseSec"],
    [{ name: "a", maxRuntimeSec: "1h" }, 'rules[1].maxRuntimeSec must be a number of seconds, more than 0, not "1h"'],
    [{ name: "a", maxJobs: 1.5 }, "rules[1].maxJobs must be a number of jobs"],
    [{ name: "a", maxJobs: -1 }, "rules[1].maxJobs"],
    [{ name: "a", beyond: "clip" }, 'rules[1].beyond must be "refuse" or "cut"'],
  ])("name what is wrong with %j", (rule, problem) => expect(problemOfRule(rule)).toContain(problem));
});
