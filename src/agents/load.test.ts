import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { loadAgents } from "./load.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "leasehold-load-"));
});
afterEach(() => rm(folder, { recursive: true }));

const DEFINE_AGENT = new URL("./define-agent.ts", import.meta.url).href;

async function file(name: string, text: string): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, `import { defineAgent } from ${JSON.stringify(DEFINE_AGENT)};\n${text}`);
  return path;
}

const define = (name: string): string => `defineAgent({ name: "${name}", version: "1", run: () => null })`;

describe("loadAgents", () => {
  it("collects what modules export by itself, in arrays and in objects, each once", async () => {
    const one = await file(
      "one.ts",
      `export const a: unknown = ${define("a")};\nexport const agents = [a, ${define("b")}] as const;`,
    );
    const two = await file(
      "two.mjs",
      `export const named = { c: ${define("c")}, other: 3 };\nexport const none = null;`,
    );
    const names = (await loadAgents([one, two])).map((agent) => agent.name);
    expect(names).toEqual(["a", "b", "c"]);
  });

  it("names the file that does not exist, is none, or has no agent", async () => {
    await expect(loadAgents([join(folder, "missing.ts")])).rejects.toThrow(
      /agent file .*missing\.ts cannot be read: ENOENT/,
    );
    await expect(loadAgents([folder])).rejects.toThrow("is not a file");
    const empty = await file("empty.ts", "export const agent = { name: 'a' };");
    await expect(loadAgents([empty])).rejects.toThrow(/empty\.ts exports no agent/);
  });

  it("names the file that throws when it is loaded, and keeps the cause", async () => {
    const broken = await file("broken.ts", 'export const never: number = JSON.parse("{");');
    const failure = await loadAgents([broken]).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(Error);
    expect((failure as Error).message).toMatch(/agent file .*broken\.ts failed to load: /);
    expect((failure as Error).cause).toBeInstanceOf(SyntaxError);
    const refused = await file("refused.ts", define("NotAName"));
    await expect(loadAgents([refused])).rejects.toThrow(/refused\.ts failed to load: agent name "NotAName"/);
  });
});
