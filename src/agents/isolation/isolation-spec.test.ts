import { describe, expect, it } from "vitest";
import { defineAgent } from "../define-agent.ts";

const spec = { name: "apart", version: "1.0.0", run: () => 1 };
const module = "file:///project/agents.ts";

describe("isolate", () => {
  it("is off unless asked for", () => {
    expect(defineAgent(spec).isolation).toBeUndefined();
  });

  it.each([
    ["a URL", module, module],
    ["a URL object", new URL(module), module],
    ["one that tells loads apart", `${module}?leasehold-load=3`, module],
    ["a path", "/project/agents.ts", module],
  ])("takes the module by %s", (_what, given, kept) => {
    expect(defineAgent({ ...spec, isolate: "process", module: given }).isolation).toEqual({
      module: kept,
      memoryMb: 512,
      isLoadedHere: true,
    });
  });

  it.each([
    [{ isolate: "process" }, "add module: import.meta.url"],
    [{ isolate: "process", module: "./agents.ts" }, "add module: import.meta.url"],
    [{ isolate: "process", module: "https://example.com/a.js" }, "add module: import.meta.url"],
    [{ isolate: "thread", module }, 'must be "process"'],
    [{ module }, 'module is for isolated agents: add isolate: "process"'],
    [{ memoryMb: 512 }, 'memoryMb is for isolated agents: add isolate: "process"'],
    [{ isolate: "process", module, memoryMb: 1.5 }, "memoryMb is 1.5: it must be a whole number from 128"],
    [{ isolate: "process", module, memoryMb: 127 }, "memoryMb is 127"],
  ])("refuses %j", (given, message) => {
    expect(() => defineAgent({ ...spec, ...(given as object) })).toThrow(message);
  });
});
