import { describe, expect, it } from "vitest";
import { CodedError } from "../protocol/errors.ts";
import { createFakeWorld } from "../testing/fake-world.ts";
import { type AgentDefinition, defineAgent } from "./define-agent.ts";
import { createAgentRegistry } from "./registry.ts";
import { compareVersions, defaultVersion } from "./version-order.ts";

const agent = (name: string, version: string): AgentDefinition => defineAgent({ name, version, run: () => version });
const registry = (...definitions: AgentDefinition[]) => createAgentRegistry(definitions, createFakeWorld());

function refusal(act: () => unknown): CodedError {
  try {
    act();
  } catch (error) {
    if (error instanceof CodedError) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
}

describe("createAgentRegistry", () => {
  it("lists agents and resolves a bare name to the default, name@version to that version (§7.5)", () => {
    const agents = registry(agent("report", "1.10.0"), agent("report", "1.9.0"), agent("echo", "1"));
    expect(agents.list()).toEqual([
      { name: "report", versions: ["1.10.0", "1.9.0"], default: "1.10.0" },
      { name: "echo", versions: ["1"], default: "1" },
    ]);
    expect(agents.resolve("report").version).toBe("1.10.0");
    expect(agents.resolve("report@1.9.0").version).toBe("1.9.0");
  });

  it("offers what it is given anew, and keeps every other version for jobs that were submitted to it", () => {
    const agents = registry(agent("report", "1.0.0"), agent("echo", "1"));
    const [first, echo] = [agents.resolve("report"), agents.resolve("echo")];
    agents.replace([agent("report", "2.0.0")]);
    expect(agents.list()).toEqual([{ name: "report", versions: ["1.0.0", "2.0.0"], default: "2.0.0" }]);
    expect(agents.resolve("report@1.0.0")).toBe(first);
    expect(agents.resolve("echo@1")).toBe(echo);
    expect(refusal(() => agents.resolve("echo")).message).toBe("no agent echo; agents here: report");

    agents.replace([agent("report", "1.0.0")]);
    expect(agents.resolve("report").version).toBe("1.0.0");
    expect(agents.resolve("report@1.0.0")).not.toBe(first);
    expect(agents.resolve("report@2.0.0").version).toBe("2.0.0");
  });

  it("stays as it is when what it is given anew makes no sense", () => {
    const agents = registry(agent("report", "1.0.0"));
    expect(() => agents.replace([agent("echo", "1"), agent("echo", "1")])).toThrow("registered twice");
    expect(agents.list()).toEqual([{ name: "report", versions: ["1.0.0"], default: "1.0.0" }]);
  });

  it("names what exists when something does not", () => {
    const agents = registry(agent("report", "1.0.0"), agent("report", "2.0.0"), agent("echo", "1"));
    const unknown = refusal(() => agents.resolve("raport"));
    expect(unknown.code).toBe("AGENT_NOT_AVAILABLE");
    expect(unknown.message).toBe("no agent raport; agents here: report, echo");
    const version = refusal(() => agents.resolve("report@3"));
    expect(version.code).toBe("AGENT_VERSION_NOT_AVAILABLE");
    expect(version.message).toBe("agent report has no version 3; versions of report: 1.0.0, 2.0.0");
    expect(refusal(() => registry().resolve("echo")).message).toContain("agents here: none");
  });

  it.each(["", "@1", "report@", "Report", "report@1@2", "report@1 2", "__proto__"])(
    "refuses the reference %j",
    (reference) => {
      expect(refusal(() => registry(agent("report", "1")).resolve(reference)).code).toBe("INVALID_REQUEST");
    },
  );

  it("refuses duplicates and what defineAgent did not make", () => {
    expect(() => registry(agent("echo", "1"), agent("echo", "1"))).toThrow("agent echo@1 is registered twice");
    expect(() => registry({ name: "echo", version: "1" } as never)).toThrow(TypeError);
  });
});

describe("the order of versions", () => {
  it("follows semantic versioning [arcp-7.5-version-order]", () => {
    const ascending = [
      "1.0.0-alpha",
      "1.0.0-alpha.1",
      "1.0.0-alpha.beta",
      "1.0.0-beta.2",
      "1.0.0-beta.11",
      "1.0.0-rc.1",
      "1.0.0",
      "1.2",
      "1.10.0",
      "v2",
    ];
    for (const [index, left] of ascending.entries()) {
      for (const [other, right] of ascending.entries()) {
        expect(Math.sign(compareVersions(left, right) as number), `${left} and ${right}`).toBe(
          Math.sign(index - other),
        );
      }
    }
    expect(compareVersions("1.0.0+a", "1.0+b")).toBe(0);
    expect(compareVersions("nightly", "1.0.0")).toBeUndefined();
  });

  it.each([
    [["1.0.0", "2.0.0-beta.1"], "1.0.0"],
    [["2.0.0-beta.1", "2.0.0-beta.2"], "2.0.0-beta.2"],
    [["2.0.0", "1.0.0"], "2.0.0"],
    [["blue", "green"], "green"],
    [["1.0.0", "nightly"], "nightly"],
    [["nightly", "1.0.0"], "1.0.0"],
  ])("of %j the default is %s", (versions, expected) => {
    expect(defaultVersion(versions)).toBe(expected);
  });
});
