import * as v from "valibot";
import { describe, expect, expectTypeOf, it } from "vitest";
import type { AgentContext } from "./agent-context.ts";
import { type AgentDefinition, defineAgent, isAgentDefinition } from "./define-agent.ts";

const run = () => "done";

describe("defineAgent", () => {
  it("gives a frozen definition that is recognised", () => {
    const agent = defineAgent({ name: "report", version: "1.0.0", needs: { "fs.read": "the directory" }, run });
    expect(agent).toMatchObject({
      name: "report",
      version: "1.0.0",
      restart: "never",
      needs: { "fs.read": "the directory" },
    });
    expect(Object.isFrozen(agent)).toBe(true);
    expect(Object.isFrozen(agent.needs)).toBe(true);
    expect(isAgentDefinition(agent)).toBe(true);
    expect(isAgentDefinition({ name: "report", version: "1.0.0", run })).toBe(false);
  });

  it("keeps the spec as the receiver of run", () => {
    const spec = {
      name: "self",
      version: "1",
      word: "hello",
      run(): string {
        return this.word;
      },
    };
    expect(defineAgent(spec).run({} as AgentContext, null)).toBe("hello");
  });

  it.each([
    ["name", { name: "Report", version: "1", run }, 'agent name "Report"'],
    ["name", { name: ".report", version: "1", run }, 'agent name ".report"'],
    ["name", { name: 7, version: "1", run }, "agent name of type number"],
    ["version", { name: "report", version: "1 0", run }, 'agent report: version "1 0"'],
    ["version", { name: "report", version: "", run }, 'agent report: version ""'],
    ["run", { name: "report", version: "1" }, "agent report: run is of type undefined"],
    [
      "maxConcurrent",
      { name: "report", version: "1", run, maxConcurrent: 0 },
      "agent report: maxConcurrent is 0: it must be a whole number from 1 on",
    ],
    ["restart", { name: "report", version: "1", run, restart: "sometimes" }, 'agent report: restart is "sometimes"'],
    ["input", { name: "report", version: "1", run, input: {} }, "agent report: input is not a Standard Schema"],
    ["output", { name: "report", version: "1", run, output: 3 }, "agent report: output is not a Standard Schema"],
    ["needs", { name: "report", version: "1", run, needs: { "fs.read": true } }, 'agent report: needs["fs.read"]'],
    [
      "needs",
      { name: "report", version: "1", run, needs: { "fs.reed": "files" } },
      'needs["fs.reed"]: there are fs.read,',
    ],
    [
      "needs",
      { name: "report", version: "1", run, needs: { "fs.read": { why: "" } } },
      'needs["fs.read"]: say in words',
    ],
    [
      "needs",
      { name: "report", version: "1", run, needs: { "fs.read": { why: "files", patterns: [] } } },
      'needs["fs.read"].patterns must be a list',
    ],
    [
      "needs",
      { name: "report", version: "1", run, needs: { "fs.read": { why: "files", patterns: ["src"] } } },
      'needs["fs.read"].patterns: lease_request["fs.read"][0] must be an absolute path',
    ],
    [
      "needs",
      { name: "report", version: "1", run, needs: ["fs.read"] },
      "agent report: needs must say what each is for",
    ],
  ])("refuses a wrong %s", (_field, spec, message) => {
    expect(() => defineAgent(spec as never)).toThrow(TypeError);
    expect(() => defineAgent(spec as never)).toThrow(message);
  });
});

describe("types", () => {
  const Input = v.object({ path: v.string(), depth: v.optional(v.number(), 3) });
  const Output = v.object({ files: v.number() });

  it("gives run the schema's output and a client the schema's input", () => {
    const agent = defineAgent({
      name: "walk",
      version: "1.0.0",
      input: Input,
      output: Output,
      run(ctx, input) {
        expectTypeOf(input).toEqualTypeOf<{ path: string; depth: number }>();
        expectTypeOf(ctx.input).toEqualTypeOf<{ path: string; depth: number }>();
        return { files: 1 };
      },
    });
    expectTypeOf(agent).toEqualTypeOf<
      AgentDefinition<"walk", { path: string; depth?: number | undefined }, { files: number }>
    >();
    const several: readonly AgentDefinition[] = [agent];
    expect(several).toHaveLength(1);
  });

  it("gives the patterns of a need what run gets", () => {
    defineAgent({
      name: "walk",
      version: "1.0.0",
      input: Input,
      needs: {
        "fs.read": {
          why: "the directory",
          patterns(input) {
            expectTypeOf(input).toEqualTypeOf<{ path: string; depth: number }>();
            return [`${input.path}/**`];
          },
        },
        "cost.budget": { why: "what it may spend", patterns: ["USD:1.00"] },
        "x-acme.db": "the database",
      },
      run(_ctx, input) {
        expectTypeOf(input).toEqualTypeOf<{ path: string; depth: number }>();
      },
    });
    // @ts-expect-error there is no such namespace
    expect(() => defineAgent({ name: "walk", version: "1", needs: { "fs.reed": "files" }, run })).toThrow(TypeError);
  });

  it("without schemas takes anything, and gives what run returns", () => {
    const agent = defineAgent({ name: "count", version: "1", run: async (_ctx, input) => (input === null ? 0 : 1) });
    expectTypeOf(agent).toEqualTypeOf<AgentDefinition<"count", unknown, 0 | 1>>();
    const streamed = defineAgent({ name: "text", version: "1", run: (ctx) => ctx.streamResult().end() });
    expectTypeOf(streamed).toEqualTypeOf<AgentDefinition<"text", unknown, string>>();
    const nothing = defineAgent({ name: "quiet", version: "1", async run() {} });
    expectTypeOf(nothing.run).returns.toEqualTypeOf<unknown>();
    expect([agent.name, streamed.name, nothing.name]).toEqual(["count", "text", "quiet"]);
  });

  it("refuses a return that is not what the output schema takes", () => {
    // @ts-expect-error files must be a number
    const agent = defineAgent({ name: "wrong", version: "1", output: Output, run: () => ({ files: "many" }) });
    expect(agent.name).toBe("wrong");
  });
});
