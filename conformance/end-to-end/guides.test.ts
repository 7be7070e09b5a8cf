/** The programs in the guides, run: their agents served, and each program held against what the guide says it prints. */
import { spawnSync } from "node:child_process";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readmeSnippets, type Snippet, writeSnippets } from "../../scripts/check-readme.ts";
import { ROOT } from "../../scripts/repository.ts";
import { createPlace, jsonLines, type Place } from "./test-place.ts";

/** Guides whose programs talk to a runtime with the agents of the same page. Each program `x.ts` prints `x.txt`. */
const GUIDES = ["client", "jobs-in-operation"];
const AGENTS = "agents.ts";

describe.each(GUIDES)("docs/guides/%s.md", (guide) => {
  const snippets = readmeSnippets(join(ROOT, `docs/guides/${guide}.md`));
  const programs = snippets.filter(({ file }) => file.endsWith(".ts") && file !== AGENTS);
  const printed = ({ file }: Snippet): string | undefined =>
    snippets.find((snippet) => snippet.file === file.replace(/\.ts$/, ".txt"))?.text;
  let folder: string;
  let place: Place;
  let env: Readonly<Record<string, string>>;

  beforeAll(async () => {
    folder = writeSnippets(snippets);
    place = await createPlace();
    const dev = place.start(["dev", join(folder, AGENTS), "--port", "0", "--json"]);
    const ready = await dev.until("the line that says where it serves", (stdout) => jsonLines(stdout)[0]);
    env = { LEASEHOLD_URL: String(ready.url), LEASEHOLD_TOKEN: String(ready.token) };
  });
  afterAll(async () => {
    await place[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true, force: true });
  });

  it("has programs", () => expect(programs.length).toBeGreaterThan(0));

  it.each(programs.map((program) => [program.file, program] as const))(
    "%s prints what it says",
    async (file, program) => {
      const args = ["--conditions=leasehold-source", join(folder, file)];
      const { code, stdout, stderr } = await place.spawn(process.execPath, args, { env }).ended();
      expect({ code, stderr, stdout }).toEqual({ code: 0, stderr: "", stdout: printed(program) });
    },
  );

  it("has programs that the compiler accepts", () => {
    const config = join(folder, "tsconfig.json");
    const include = [AGENTS, ...programs.map(({ file }) => file)];
    writeFileSync(config, JSON.stringify({ extends: join(ROOT, "tsconfig.json"), include }));
    const compiler = join(ROOT, "node_modules/typescript/bin/tsc");
    const { status, stdout } = spawnSync(process.execPath, [compiler, "-p", config], { encoding: "utf8" });
    expect({ status, stdout }).toEqual({ status: 0, stdout: "" });
  });
});
