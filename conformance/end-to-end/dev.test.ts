/** `leasehold dev` while its agents are being worked on: files change, break, are mended; and one `dev` for a directory. */
import { mkdir, rename, symlink } from "node:fs/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ROOT } from "../../scripts/repository.ts";
import { type Command, createPlace, jsonLines, type Place, within } from "./test-place.ts";

let place: Place;
beforeEach(async () => {
  place = await createPlace();
  await mkdir(place.path("node_modules"));
  await symlink(ROOT, place.path("node_modules/leasehold"));
});
afterEach(() => place[Symbol.asyncDispose]());

/** An agent that says what it was given by another module, once there is a file of the name it is given. */
function agentText(version: string, from = "./words.ts"): string {
  return `import { existsSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
import { defineAgent } from "leasehold";
import { word } from ${JSON.stringify(from)};
export const say = defineAgent({
  name: "say",
  version: ${JSON.stringify(version)},
  async run(ctx, input) {
    await ctx.log("running");
    while (input !== null && !existsSync(input.until)) await setTimeout(20, undefined, { signal: ctx.signal });
    return word;
  },
});
`;
}

const wordText = (word: string): string => `export const word: string = ${JSON.stringify(word)};\n`;

async function startDev(...args: readonly string[]): Promise<Command> {
  const dev = place.start(["dev", "agents.ts", "--port", "0", "--json", ...args]);
  await dev.until("the line that says where it serves", (stdout) => jsonLines(stdout)[0]);
  return dev;
}

/** As editors do, a new file takes the place of the old one: half of one is never seen. */
async function replace(name: string, text: string): Promise<void> {
  await place.write("draft", text);
  await rename(place.path("draft"), place.path(name));
}

/** Resolves once agents were loaded anew so often; with what is served then. */
function reloaded(dev: Command, times: number): Promise<unknown> {
  const reloads = (stdout: string) => jsonLines(stdout).filter(({ type }) => type === "reloaded");
  return dev.until(`reload ${times}`, (stdout) => reloads(stdout)[times - 1]?.agents);
}

/** Resolves once a load has failed so often; with what was said of it. */
async function refused(dev: Command, times: number): Promise<string> {
  const errors = () => jsonLines(dev.stderr()).filter((line) => line.error !== undefined);
  const more = () => new Promise((resolve) => dev.child.stderr?.once("data", resolve));
  while (errors().length < times) await within(more(), () => `failure ${times} of a load`);
  const error = errors()[times - 1]?.error as { readonly message: string } | undefined;
  return error?.message ?? "";
}

async function say(agent = "say"): Promise<string> {
  const { code, stdout, stderr } = await place.run(["submit", agent, "null", "--result-only"]);
  return code === 0 ? stdout : stderr;
}

describe("agents that change", () => {
  it("are loaded anew with what they import, for new jobs; jobs under way keep what they started with", async () => {
    await place.write("agents.ts", agentText("1.0.0"));
    await place.write("words.ts", wordText("one"));
    const dev = await startDev();
    const early = place.start(["submit", "say", JSON.stringify({ until: place.path("go") })]);
    await early.until("the job to run", (stdout) => /running/.exec(stdout)?.[0]);

    await replace("words.ts", wordText("two"));
    expect(await reloaded(dev, 1)).toEqual(["say@1.0.0"]);
    expect(await say()).toBe("two");

    await replace("words.ts", wordText("three"));
    await reloaded(dev, 2);
    expect(await say()).toBe("three");

    await replace("agents.ts", agentText("1.1.0"));
    expect(await reloaded(dev, 3)).toEqual(["say@1.1.0"]);
    expect(await say("say@1.0.0")).toBe("three");
    expect(await say("say@1.1.0")).toBe("three");

    await place.write("go", "");
    expect((await early.ended()).stdout).toMatch(/^one$/m);
  });

  it("that break leave the old ones in place, and say where they break", async () => {
    await place.write("agents.ts", agentText("1.0.0"));
    await place.write("words.ts", wordText("one"));
    const dev = await startDev();
    await replace("words.ts", "export const word = ;\n");
    expect(await refused(dev, 1)).toMatch(/failed to load: .*\(\S*\/words\.ts:1\): the agents stay as they were$/);
    expect(await say()).toBe("one");

    await replace("agents.ts", agentText("1.0.0", "./not-yet.ts"));
    expect(await refused(dev, 2)).toMatch(/Cannot find module \S*\/not-yet\.ts' imported from \S*\/agents\.ts: /);
    expect(await say()).toBe("one");
    await replace("not-yet.ts", wordText("late"));
    await reloaded(dev, 1);
    expect(await say()).toBe("late");

    await replace("agents.ts", `${agentText("1.0.0", "./not-yet.ts")}export const twice = { ...say };\n`);
    expect(await refused(dev, 3)).toContain("registered twice");
    expect(await say()).toBe("late");
    dev.child.kill("SIGINT");
    expect((await dev.ended()).code).toBe(0);
  });

  it("may go with their directory, and come again", async () => {
    await mkdir(place.path("parts"));
    await place.write("agents.ts", agentText("1.0.0", "./parts/words.ts"));
    await place.write("parts/words.ts", wordText("one"));
    const dev = await startDev();
    await rename(place.path("parts"), place.path("elsewhere"));
    expect(await refused(dev, 1)).toContain("parts/words.ts");
    await place.write("elsewhere/words.ts", wordText("two"));
    await rename(place.path("elsewhere"), place.path("parts"));
    await reloaded(dev, 1);
    expect(await say()).toBe("two");
    await place.write("draft", wordText("three"));
    await rename(place.path("draft"), place.path("parts/words.ts"));
    await reloaded(dev, 2);
    expect(await say()).toBe("three");
  });

  it("stay as they were loaded with --no-reload", async () => {
    await place.write("agents.ts", agentText("1.0.0"));
    await place.write("words.ts", wordText("one"));
    const dev = await startDev("--no-reload");
    await replace("words.ts", wordText("two"));
    expect(await say()).toBe("one");
    expect(jsonLines(dev.stdout())).toHaveLength(1);
  });
});

describe("dev", () => {
  it("loads .env.local, which overrides nothing", async () => {
    await place.write(".env.local", "FROM_FILE=file\nFROM_BOTH=file\n");
    await place.write(
      "agents.ts",
      `import { defineAgent } from "leasehold";
const { FROM_FILE, FROM_BOTH } = process.env;
export const say = defineAgent({ name: "say", version: "1", run: () => [FROM_FILE, FROM_BOTH].join() });\n`,
    );
    const args = ["dev", "agents.ts", "--port", "0", "--run", "say", "--exit"];
    const { code, stdout } = await place.run(args, { env: { FROM_BOTH: "environment" } });
    expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringMatching(/^file,environment$/m) });
    expect(stdout).toMatch(/env +\.env\.local/);
  });

  it("says who serves the directory already, and leaves that one alone", async () => {
    await place.write("agents.ts", agentText("1.0.0"));
    await place.write("words.ts", wordText("one"));
    const first = await startDev();
    const [ready] = jsonLines(first.stdout());
    const second = await place.run(["dev", "agents.ts", "--port", "0", "--data", "other"]);
    expect(second).toMatchObject({ code: 1, stdout: "" });
    expect(second.stderr).toContain(`process ${first.pid} serves this directory already, at ${ready?.url}: `);
    expect(await say()).toBe("one");
  });
});
