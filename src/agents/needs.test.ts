import { describe, expect, it } from "vitest";
import { parseLease } from "../kernel/authority/lease.ts";
import { kernelNeeds } from "./needs.ts";

describe("what the kernel asks of an agent's needs", () => {
  it("is nothing without any", () => {
    expect(kernelNeeds({})).toBeUndefined();
  });

  it("suggests the widest pattern where only words were given, and every one is a lease", () => {
    const needs = kernelNeeds({
      "fs.read": "files",
      "fs.write": "files",
      "net.fetch": "pages",
      "tool.call": "tools",
      "agent.delegate": "workers",
      "model.use": "a model",
      "cost.budget": { why: "money" },
      "x-acme.db": "a database",
    });
    const suggested = Object.fromEntries(needs?.map(({ namespace, suggest }) => [namespace, suggest(null)]) ?? []);
    expect(suggested).toEqual({
      "fs.read": ["/**"],
      "fs.write": ["/**"],
      "net.fetch": ["**"],
      "tool.call": ["*"],
      "agent.delegate": ["*"],
      "model.use": ["*"],
      "cost.budget": ["USD:1.00"],
      "x-acme.db": ["*"],
    });
    expect(parseLease(suggested, undefined, 0).grants).toEqual(suggested);
  });

  it("suggests the patterns that were given, or made of the input", () => {
    const needs = kernelNeeds({
      "fs.read": { why: "files", patterns: (input) => [`${(input as { path: string }).path}/**`] },
      "net.fetch": { why: "pages", patterns: ["https://example.com/**"] },
    });
    expect(needs?.map(({ why, suggest }) => [why, suggest({ path: "/src" })])).toEqual([
      ["files", ["/src/**"]],
      ["pages", ["https://example.com/**"]],
    ]);
  });
});
