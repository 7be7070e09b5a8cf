/** What README.md says to type, typed: its agent served, its client run against it, and its commands known. */
import { spawnSync } from "node:child_process";
import { readdirSync, rmSync, writeFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { readmeSnippets, writeSnippets } from "../../scripts/check-readme.ts";
import { ROOT, readFile } from "../../scripts/repository.ts";
import { createPlace, jsonLines, type Place } from "./test-place.ts";

const README = readFile("README.md");
/** Lines of its shell blocks, without comments. */
const TYPED = [...README.matchAll(/^```sh\n([\s\S]*?)^```/gm)]
  .flatMap(([, block = ""]) => block.trim().split("\n"))
  .map((line) => line.replace(/ +#.*/, ""));

const COUNTDOWN = ["3 …", "2 …", "1 …"];

let folder: string;
beforeAll(() => {
  folder = writeSnippets(readmeSnippets(join(ROOT, "README.md")));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let place: Place;
beforeEach(async () => {
  place = await createPlace();
});
afterEach(() => place[Symbol.asyncDispose]());

/** The words of a command as a shell would take them, quotes being single ones only. */
function words(line: string): readonly string[] {
  return [...line.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, bare]) => quoted ?? bare ?? "");
}

async function startDev() {
  const [command = "", ...args] = words(TYPED.find((line) => line.startsWith("leasehold dev")) ?? "");
  expect(command).toBe("leasehold");
  const files = args.map((arg) => (arg.endsWith(".ts") ? join(folder, arg) : arg));
  const dev = place.start([...files, "--port", "0", "--json"]);
  return dev.until("the line that says where it serves", (stdout) => jsonLines(stdout)[0]);
}

describe("README.md", () => {
  it("has a client that runs against its agent", async () => {
    const { url, token } = await startDev();
    const env = { LEASEHOLD_URL: String(url), LEASEHOLD_TOKEN: String(token) };
    const args = ["--conditions=leasehold-source", join(folder, "client.ts")];
    const { code, stdout, stderr } = await place.spawn(process.execPath, args, { env }).ended();
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    const [result, ...lines] = stdout.trim().split("\n").reverse();
    expect(lines.reverse()).toEqual(COUNTDOWN);
    expect(result).toMatch(/^\{ started: '[^']+', liftOff: true \}$/);
  });

  it("has a command that submits to its agent", async () => {
    await startDev();
    const [, ...args] = words(TYPED.find((line) => line.startsWith("leasehold submit")) ?? "");
    const { code, stdout } = await place.run(args);
    expect(code).toBe(0);
    for (const line of COUNTDOWN) expect(stdout).toContain(line);
    expect(stdout).toContain('"liftOff": true');
  });

  it("has programs that the compiler accepts", () => {
    const files = readdirSync(folder).filter((name) => name.endsWith(".ts"));
    expect(files).toEqual(["agents.ts", "client.ts"]);
    const config = join(folder, "tsconfig.json");
    writeFileSync(config, JSON.stringify({ extends: join(ROOT, "tsconfig.json"), include: files }));
    const compiler = join(ROOT, "node_modules/typescript/bin/tsc");
    const { status, stdout } = spawnSync(process.execPath, [compiler, "-p", config], { encoding: "utf8" });
    expect({ status, stdout }).toEqual({ status: 0, stdout: "" });
  });

  it("names only npm scripts that there are, and arguments that they take", async () => {
    const { scripts } = JSON.parse(readFile("package.json")) as { scripts: Readonly<Record<string, string>> };
    const commands = TYPED.filter((line) => line.startsWith("npm "));
    const named = commands.map((line) => /^npm (?:run )?(\S+)/.exec(line)?.[1] ?? line);
    expect(named).toEqual(["start", "test", "leasehold"]);
    for (const name of named) expect(scripts).toHaveProperty(name);

    // The second terminal's command, with the repository's own runtime in a place of its own.
    const example = join(ROOT, "examples/repo-report/agent.ts");
    const dev = place.start(["dev", example, "--port", "0", "--json"]);
    await dev.until("the line that says where it serves", (stdout) => jsonLines(stdout)[0]);
    const [, , , , ...args] = words(commands.find((line) => line.startsWith("npm run leasehold -- ")) ?? "");
    await mkdir(place.path("src"));
    await place.write("src/main.ts", "// TODO: begin\n");
    const { code, stdout, stderr } = await place.run(args);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toContain("1 files, 1 lines");
  });
});
