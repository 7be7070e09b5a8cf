import { describe, expect, it } from "vitest";
import type { CodedError } from "../../protocol/errors.ts";
import { parseLease } from "../authority/lease.ts";
import { assertNeeds, type Need } from "./needs.ts";

const FILES: Need = { namespace: "fs.read", why: "the directory", suggest: (input) => [`${String(input)}/**`] };
const MONEY: Need = { namespace: "cost.budget", why: "what it spends", suggest: () => ["credits:100"] };

function refusal(needs: readonly Need[], request: object | undefined, input: unknown = "/src"): CodedError {
  const lease = request === undefined ? null : parseLease(request, undefined, 0);
  try {
    assertNeeds({ name: "report", version: "1.0.0", needs }, lease, input);
  } catch (error) {
    return error as CodedError;
  }
  throw new Error("it was not refused");
}

describe("a lease that lacks what the agent needs", () => {
  it("is refused with one that would do", () => {
    const error = refusal([FILES, MONEY], { "tool.call": ["grep"] });
    expect(error).toMatchObject({
      code: "PERMISSION_DENIED",
      retryable: false,
      details: {
        needs: { "fs.read": "the directory", "cost.budget": "what it spends" },
        lease_request: { "tool.call": ["grep"], "fs.read": ["/src/**"], "cost.budget": ["credits:100"] },
      },
    });
    expect(error.message).toContain('{"tool.call":["grep"],"fs.read":["/src/**"],"cost.budget":["credits:100"]}');
    expect(error.message).toContain("--lease 'fs.read=/src/**' --lease 'cost.budget=credits:100'");
  });

  it("is refused where there is none at all", () => {
    expect(refusal([FILES], undefined).details).toMatchObject({ lease_request: { "fs.read": ["/src/**"] } });
  });

  it("is told only what is missing", () => {
    expect(refusal([FILES, MONEY], { "fs.read": ["/src/one"] }).details).toEqual({
      needs: { "cost.budget": "what it spends" },
      lease_request: { "fs.read": ["/src/one"], "cost.budget": ["credits:100"] },
    });
  });

  it("is told in the details alone when it is long", () => {
    const error = refusal([FILES], {
      "tool.call": Array.from({ length: 100 }, (_, index) => `tool-number-${index}-of-many`),
    });
    expect(error.message).toContain("details.lease_request");
    expect(error.message.length).toBeLessThan(300);
  });

  it("does when it grants something of each, however little", () => {
    const lease = parseLease({ "fs.read": ["/elsewhere"], "cost.budget": ["USD:0.01"] }, undefined, 0);
    expect(() => assertNeeds({ name: "report", version: "1", needs: [FILES, MONEY] }, lease, "/src")).not.toThrow();
  });

  it("does where a ceiling is all the budget, or another job's counter moves", () => {
    const agent = { name: "report", version: "1", needs: [MONEY] };
    expect(() => assertNeeds(agent, parseLease(undefined, { max_budget: "USD:1" }, 0), null)).not.toThrow();
    expect(() => assertNeeds(agent, null, null, { budgeted: true })).not.toThrow();
  });

  it("does without model.use where the runtime does not require it [arcp-9.7-absence-forbids]", () => {
    const agent = {
      name: "chat",
      version: "1",
      needs: [{ namespace: "model.use", why: "to think", suggest: () => ["*"] }],
    };
    expect(() => assertNeeds(agent, null, null)).toThrow("model.use (to think)");
    expect(() => assertNeeds(agent, null, null, { requireModelUse: false })).not.toThrow();
  });

  it.each([
    ["that are no patterns", () => ["relative/**"]],
    ["that are nothing", () => []],
    ["that are no list", () => "/src/**" as never],
    [
      "that cannot be made",
      () => {
        throw new Error("no path in the input");
      },
    ],
  ])("says so when the agent suggests patterns %s", (_name, suggest) => {
    const error = refusal([{ ...FILES, suggest }], undefined);
    expect(error).toMatchObject({ code: "INTERNAL_ERROR", retryable: false });
    expect(error.message).toMatch(/^report@1\.0\.0 needs fs\.read \(the directory\).*of no use: /);
  });
});
