/** Tasks start through the bootstrap: installs once, again when the lock file changed, and ends as the task ends. */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { type PlantedProject, plantProject } from "./planted-project.ts";
import { readFile } from "./repository.ts";

const LOCK = JSON.stringify({ packages: { "": {}, "node_modules/node": { version: "24.0.0" } } });

/** Stands in for npm: counts its runs, and installs a `node` that leads to the one running this test. */
const NPM = `
const { appendFileSync, mkdirSync, rmSync, symlinkSync } = require("fs");
appendFileSync("npm-runs", process.argv.slice(2).join(" ") + "\\n");
if (process.env.NPM_FAILS) process.exit(7);
rmSync("node_modules", { recursive: true, force: true });
mkdirSync("node_modules/node/bin", { recursive: true });
if (!process.env.NPM_BLOCKS_SCRIPTS) symlinkSync(${JSON.stringify(process.execPath)}, "node_modules/node/bin/node");
`;

/** Stands in for the task behind \`npm test\`. */
const TASK = `
const [what] = process.argv.slice(2);
if (what === "fail") process.exitCode = 5;
if (what === "wait") {
  process.on("SIGTERM", () => process.exit(6));
  setInterval(() => {}, 1000);
}
console.log("task " + process.argv.slice(2).join(" "));
`;

function plantRepository(): PlantedProject {
  return plantProject({
    "package.json": `{ "type": "module" }`,
    "package-lock.json": LOCK,
    "npm-cli.cjs": NPM,
    "scripts/bootstrap.js": readFile("scripts/bootstrap.js"),
    "scripts/test.ts": TASK,
  });
}

function command(project: PlantedProject, args: readonly string[], env: NodeJS.ProcessEnv = {}) {
  return {
    args: [join(project.root, "scripts/bootstrap.js"), ...args],
    options: { env: { ...process.env, npm_execpath: join(project.root, "npm-cli.cjs"), ...env } },
  };
}

function run(project: PlantedProject, args: readonly string[], env?: NodeJS.ProcessEnv) {
  const { args: all, options } = command(project, args, env);
  const { status, stdout, stderr } = spawnSync(process.execPath, all, { ...options, encoding: "utf8" });
  return { status, stdout, stderr };
}

function npmRuns(project: PlantedProject): readonly string[] {
  return readFileSync(join(project.root, "npm-runs"), "utf8").trim().split("\n");
}

describe("the bootstrap", () => {
  it("installs exactly the lock file, says so in one line, and runs the task with its arguments", () => {
    using project = plantRepository();
    const { status, stdout, stderr } = run(project, ["test", "some", "--flag"]);
    expect({ status, stdout }).toEqual({ status: 0, stdout: "task some --flag\n" });
    expect(stderr).toMatch(/^Installing [^\n]+\n$/);
    expect(npmRuns(project)).toEqual([expect.stringMatching(/^ci /)]);
  });

  it("installs once, and again when the lock file has changed", () => {
    using project = plantRepository();
    run(project, ["test"]);
    expect(run(project, ["test"])).toEqual({ status: 0, stdout: "task \n", stderr: "" });
    expect(npmRuns(project)).toHaveLength(1);
    writeFileSync(join(project.root, "package-lock.json"), LOCK.replace("24.0.0", "24.0.1"));
    run(project, ["test"]);
    expect(npmRuns(project)).toHaveLength(2);
  });

  it("takes over what npm has installed by itself", () => {
    using project = plantRepository();
    run(project, ["test"]);
    const other = LOCK.replace("24.0.0", "24.0.2");
    writeFileSync(join(project.root, "package-lock.json"), other);
    writeFileSync(join(project.root, "node_modules/.package-lock.json"), other);
    run(project, ["test"]);
    expect(npmRuns(project)).toHaveLength(1);
  });

  it("ends as npm ends when that fails, and tries again the next time", () => {
    using project = plantRepository();
    expect(run(project, ["test"], { NPM_FAILS: "1" })).toMatchObject({ status: 7, stdout: "" });
    expect(run(project, ["test"])).toMatchObject({ status: 0 });
    expect(npmRuns(project)).toHaveLength(2);
  });

  it("gets by with the Node it runs on when npm left the install script out and that is new enough", () => {
    using project = plantRepository();
    expect(run(project, ["test"], { NPM_BLOCKS_SCRIPTS: "1" })).toMatchObject({ status: 0, stdout: "task \n" });
  });

  it("ends with the task's exit code", () => {
    using project = plantRepository();
    expect(run(project, ["test", "fail"]).status).toBe(5);
  });

  it("passes a signal on and waits for the task", async () => {
    using project = plantRepository();
    const { args, options } = command(project, ["test", "wait"]);
    const child = spawn(process.execPath, args, { ...options, stdio: ["ignore", "pipe", "ignore"] });
    const exited = once(child, "exit");
    await once(child.stdout, "data");
    child.kill("SIGTERM");
    expect(await exited).toEqual([6, null]);
  });

  it("names the tasks when it is given none of them", () => {
    using project = plantRepository();
    const { status, stderr } = run(project, ["toString"]);
    expect(status).toBe(1);
    expect(stderr).toMatch(/^usage: .*start\|leasehold\|test\|/);
  });
});
