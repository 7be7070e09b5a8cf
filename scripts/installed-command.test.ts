/** The installed command says in one line when Node is too old, and drops one warning and no other. */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { isSqliteRemark, refuseVersion } from "../bin/node-version.js";
import { findOldNodes } from "./old-nodes.ts";
import { plantProject } from "./planted-project.ts";
import { ROOT, readFile } from "./repository.ts";

const COMMAND = {
  "package.json": `{ "type": "module" }`,
  "bin/leasehold.js": readFile("bin/leasehold.js"),
  "bin/node-version.js": readFile("bin/node-version.js"),
};

describe("the version gate", () => {
  it.each(["v12.22.0", "v20.20.2", "v23.11.1"])("refuses Node %s", (version) => {
    expect(refuseVersion(version)).toBe(`leasehold needs Node 24 or newer; this is ${version}`);
  });

  it.each(["v24.0.0", "v26.1.0", "v100.0.0"])("lets Node %s through", (version) => {
    expect(refuseVersion(version)).toBeUndefined();
  });

  it("agrees with package.json", () => {
    expect(JSON.parse(readFile("package.json"))).toMatchObject({ engines: { node: ">=24" } });
  });

  it("speaks in one line on every old Node there is", () => {
    for (const folder of findOldNodes()) {
      const { status, stdout, stderr } = spawnSync(join(folder, "node"), [join(ROOT, "bin/leasehold.js")], {
        encoding: "utf8",
      });
      expect({ status, stdout, stderr }).toEqual({
        status: 1,
        stdout: "",
        stderr: expect.stringMatching(/^leasehold needs Node 24 or newer; this is v[\d.]+\n$/),
      });
    }
  });

  it("uses no syntax that would keep an old Node from saying so", () => {
    for (const file of ["bin/leasehold.js", "bin/node-version.js"]) {
      expect(readFileSync(join(ROOT, file), "utf8")).not.toMatch(/\?\.|\?\?|^\s*await |from "node:|#\w+ *[=(]/m);
    }
  });
});

describe("warnings", () => {
  it("that Node makes about its SQLite are dropped, and no others", () => {
    const remark = "SQLite is an experimental feature and might change at any time";
    expect(isSqliteRemark(remark, "ExperimentalWarning")).toBe(true);
    expect(isSqliteRemark(remark, "Warning")).toBe(false);
    expect(isSqliteRemark("Other is an experimental feature", "ExperimentalWarning")).toBe(false);
    expect(isSqliteRemark(new Error("SQLite is locked"), undefined)).toBe(false);
  });

  it("reach people through the command but for that one", () => {
    const main = [
      `process.emitWarning("SQLite is an experimental feature and might change at any time", "ExperimentalWarning");`,
      `process.emitWarning("mind the gap", "CustomWarning");`,
      `process.exitCode = 3;`,
    ].join("\n");
    using project = plantProject({ ...COMMAND, "dist/cli/main.js": main });
    const { status, stderr } = spawnSync(process.execPath, [join(project.root, "bin/leasehold.js")], {
      encoding: "utf8",
    });
    expect(status).toBe(3);
    expect(stderr).toContain("CustomWarning: mind the gap");
    expect(stderr).not.toContain("SQLite");
  });
});

describe("the flags Node gets", () => {
  it("are the same wherever the runtime is started", () => {
    const [, flag] = /^#!\/usr\/bin\/env -S node (\S+)$/m.exec(readFile("bin/leasehold.js")) ?? [];
    expect(flag).toMatch(/^--max-semi-space-size=\d+$/);
    expect(readFile("scripts/bootstrap.js")).toContain(`"${flag}"`);
    expect(readFile("benchmarks/leasehold-server.ts")).toContain(`"${flag}"`);
  });
});
