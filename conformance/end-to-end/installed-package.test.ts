/**
 * The package as users install it: packed by npm, installed by npm into a project of its own beside the dependencies it
 * declares (linked to the ones here, so that no network is needed), run on this Node and refused by older ones.
 */
import { readFileSync } from "node:fs";
import { mkdir, symlink } from "node:fs/promises";
import { delimiter, dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readmeSnippets } from "../../scripts/check-readme.ts";
import { findOldNodes } from "../../scripts/old-nodes.ts";
import { ROOT, readFile } from "../../scripts/repository.ts";
import { createPlace, jsonLines, type Place } from "./test-place.ts";

interface PackageFile {
  readonly version: string;
  readonly dependencies: Readonly<Record<string, string>>;
}

const { version, dependencies } = JSON.parse(readFile("package.json")) as PackageFile;
const COMMAND = join("node_modules", ".bin", "leasehold");

const QUIET = ["--loglevel=error", "--offline", "--no-audit", "--no-fund"];
/** npm takes a linked package for one that is worked on, and would run what its authors run then. */
const INSTALL = [...QUIET, "--ignore-scripts"];

let place: Place;
/** The package, and what it needs, as dependencies that need no network. */
let links: Readonly<Record<string, string>>;
beforeAll(async () => {
  place = await createPlace();
  const packed = await place
    .spawn("npm", ["pack", "--pack-destination", place.directory, ...QUIET], { cwd: ROOT, env: onPath(nodeFolder) })
    .ended();
  expect(packed).toMatchObject({ code: 0 });
  const linked = Object.keys(dependencies).map((name) => [name, `file:${join(ROOT, "node_modules", name)}`]);
  links = { leasehold: `file:${place.path(`leasehold-${version}.tgz`)}`, ...Object.fromEntries(linked) };
  const manifest = { private: true, type: "module", dependencies: links };
  await place.write("package.json", JSON.stringify(manifest));
  const installed = await place.spawn("npm", ["install", ...INSTALL], { env: onPath(nodeFolder) }).ended();
  expect(installed).toMatchObject({ code: 0 });
  for (const { file, text } of readmeSnippets(join(ROOT, "README.md"))) await place.write(file, text);
});
afterAll(() => place[Symbol.asyncDispose]());

const nodeFolder = dirname(process.execPath);

/** The environment in which `node` is the one of that folder. */
function onPath(folder: string): Readonly<Record<string, string>> {
  return { PATH: [folder, process.env.PATH].join(delimiter) };
}

function installed(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  return place.spawn(COMMAND, args, { env: { ...onPath(nodeFolder), ...env } });
}

describe("the installed package", () => {
  it("says its version", async () => {
    expect(await installed(["version"]).ended()).toEqual({ code: 0, stdout: `${version}\n`, stderr: "" });
  });

  it("says in one line on an old Node which one it needs", async () => {
    for (const folder of findOldNodes()) {
      const { code, stdout, stderr } = await installed(["version"], onPath(folder)).ended();
      expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
      expect(stderr).toMatch(/^leasehold needs Node 24 or newer; this is v[\d.]+\n$/);
    }
  });

  it("serves agents in TypeScript and JavaScript that import it, to its own command and client", async () => {
    const compiled = `import { defineAgent } from "leasehold";
export const echo = defineAgent({ name: "echo", version: "1.0.0", run: (ctx, input) => input });\n`;
    await place.write("echo.js", compiled);
    const token = (await installed(["token", "create", "ada"]).ended()).stdout.trim();
    const serve = installed(["serve", "agents.ts", "echo.js", "--port", "0", "--json"]);
    const ready = await serve.until("the line that says where it serves", (stdout) => jsonLines(stdout)[0]);
    expect(ready).toMatchObject({ agents: ["line-count@1.0.0", "echo@1.0.0"] });

    const env = { LEASEHOLD_URL: String(ready.url), LEASEHOLD_TOKEN: token };
    const submitted = await installed(["submit", "echo", '{"from":"js"}', "--result-only"], env).ended();
    expect(submitted).toEqual({ code: 0, stdout: '{\n  "from": "js"\n}\n', stderr: "" });
    await mkdir(place.path("notes"));
    await place.write("notes/one.txt", "1\n2\n3\n");
    const client = await place.spawn(process.execPath, ["client.ts"], { env }).ended();
    expect(client).toMatchObject({ code: 0, stdout: expect.stringContaining("{ files: 1, lines: 3 }"), stderr: "" });

    serve.child.kill("SIGTERM");
    expect((await serve.ended()).code).toBe(0);
  });

  it("makes a project that works at once", async () => {
    const made = await installed(["init", "project"]).ended();
    expect(made).toMatchObject({ code: 0, stderr: "", stdout: expect.stringContaining("npx leasehold dev") });
    const cwd = place.path("project");
    const text = (name: string) => readFileSync(join(cwd, name), "utf8");
    const manifest = JSON.parse(text("package.json"));
    expect(manifest.dependencies).toEqual({ leasehold: `^${version}` });
    manifest.dependencies = links;
    manifest.devDependencies = { "@types/node": `file:${join(ROOT, "node_modules/@types/node")}` };
    await place.write("project/package.json", JSON.stringify(manifest));
    const install = place.spawn("npm", ["install", ...INSTALL], { cwd, env: onPath(nodeFolder) });
    expect(await install.ended()).toMatchObject({ code: 0 });

    const command = join(cwd, COMMAND);
    const env = onPath(nodeFolder);
    const dev = place.spawn(command, ["dev", "--port", "0"], { cwd, env });
    await dev.until("its URL", (stdout) => /ws:\/\/\S+/.exec(stdout)?.[0]);
    const submit = (...args: string[]) => place.spawn(command, ["submit", "word-count", ...args], { cwd, env }).ended();
    const lease = ["--lease", "tool.call=look", "--budget", "credits:0.02"];
    const submitted = await submit('{"text":"to be"}', "--result-only", ...lease);
    expect(JSON.parse(submitted.stdout)).toEqual({ words: 2, counts: { to: 1, be: 1 } });
    expect((await submit(...lease)).stderr).toContain('give it a text, such as {"text":"to be"}');
    expect((await submit('{"text":"to be or"}', ...lease)).stderr).toContain("BUDGET_EXHAUSTED");
    expect((await submit('{"text":"to be"}')).stderr).toContain("--lease tool.call=look --budget credits:1");
    const client = await place.spawn(process.execPath, ["client.ts"], { cwd, env }).ended();
    expect(client).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^6 of 6: be\n\{ words: 6,.*\n0.94 credits are left$/m),
      stderr: "",
    });
    const compiler = join(ROOT, "node_modules/typescript/bin/tsc");
    expect(await place.spawn(process.execPath, [compiler, "-p", "."], { cwd, env }).ended()).toMatchObject({
      code: 0,
      stdout: "",
    });

    dev.child.kill("SIGINT");
    expect((await dev.ended()).code).toBe(0);
    await place.write("project/agents.ts", "// mine");
    expect((await installed(["init", "project"]).ended()).stderr).toContain("project is not empty");
    const forced = await installed(["init", "project", "--force"]).ended();
    expect(forced.stdout).toContain("kept agents.ts, which was there");
    expect(text("agents.ts")).toBe("// mine");
  });

  it("has declarations that a strict compiler accepts", async () => {
    await mkdir(place.path("node_modules/@types"), { recursive: true });
    await symlink(join(ROOT, "node_modules/@types/node"), place.path("node_modules/@types/node"));
    const compilerOptions = {
      ...{ target: "es2024", lib: ["es2024", "esnext.disposable"], module: "nodenext", types: ["node"], noEmit: true },
      ...{ strict: true, exactOptionalPropertyTypes: true, noUncheckedIndexedAccess: true, skipLibCheck: false },
      ...{ allowImportingTsExtensions: true, verbatimModuleSyntax: true },
    };
    await place.write("tsconfig.json", JSON.stringify({ compilerOptions, files: ["agents.ts", "client.ts"] }));
    const compiler = join(ROOT, "node_modules/typescript/bin/tsc");
    const { code, stdout } = await place.spawn(process.execPath, [compiler, "-p", "."]).ended();
    expect({ code, stdout }).toEqual({ code: 0, stdout: "" });
  });
});
