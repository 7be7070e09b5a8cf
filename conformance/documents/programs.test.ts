/**
 * Every program on every page, run. A page's `agents.ts` is served; its other programs run in order, in one folder, with
 * the address and token of that runtime, and print what the page says.
 */
import { spawnSync } from "node:child_process";
import { chmodSync, rmSync, writeFileSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Snippet, writeSnippets } from "../../scripts/check-readme.ts";
import { ROOT } from "../../scripts/repository.ts";
import { createPlace, jsonLines, LEASEHOLD, type Place } from "../end-to-end/test-place.ts";
import { PAGES } from "./pages.ts";

const AGENTS = "agents.ts";
/** Runs the file it is given, with errors among the rest of what it prints, as on a terminal. */
const SHOW_ERRORS = 'exec 2>&1; . "$0"';
const SOURCES = "--conditions=leasehold-source";

const pages = PAGES.filter(({ snippets }) => snippets.length > 0).map((page) => ({
  ...page,
  folder: writeSnippets(page.snippets),
}));
afterAll(() => {
  for (const { folder } of pages) rmSync(folder, { recursive: true, force: true });
});

/** Puts a `leasehold` that runs from the sources into a folder, and `node` beside it: how a shell finds them. */
function putCommands(folder: string): string {
  const quoted = LEASEHOLD.map((word) => `'${word}'`).join(" ");
  for (const [name, command] of [
    ["leasehold", quoted],
    ["node", `'${process.execPath}' ${SOURCES}`],
  ] as const) {
    writeFileSync(join(folder, name), `#!/bin/sh\nexec ${command} "$@"\n`);
    chmodSync(join(folder, name), 0o755);
  }
  return [folder, dirname(process.execPath), process.env.PATH].join(delimiter);
}

/** `…` in what a page says is printed stands for any text within a line. */
function asPattern(printed: string): RegExp {
  const literally = (text: string): string => text.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&");
  return new RegExp(`^${printed.split("…").map(literally).join("[^\\n]*")}$`);
}

describe.each(pages)("$path", ({ snippets, folder }) => {
  const programs = snippets.filter(({ file }) => /\.(ts|sh)$/.test(file) && file !== AGENTS);
  const hasAgents = snippets.some(({ file }) => file === AGENTS);
  let place: Place;
  let env: Readonly<Record<string, string>>;

  beforeAll(async () => {
    place = await createPlace();
    env = { PATH: putCommands(place.directory) };
    if (!hasAgents) return;
    const dev = place.start(["dev", join(folder, AGENTS), "--port", "0", "--json"]);
    const ready = await dev.until("the line that says where it serves", (stdout) => jsonLines(stdout)[0]);
    env = { ...env, LEASEHOLD_URL: String(ready.url), LEASEHOLD_TOKEN: String(ready.token) };
  });
  afterAll(() => place[Symbol.asyncDispose]());

  function printedBy({ file }: Snippet): string | undefined {
    return snippets.find((snippet) => snippet.file === file.replace(/\.(ts|sh)$/, ".txt"))?.text;
  }

  it("has something to run", () => expect(programs.length).toBeGreaterThan(0));

  it.each(programs)("$file prints what it says", async (program) => {
    const file = join(folder, program.file);
    const running =
      program.lang === "sh"
        ? place.spawn("/bin/sh", ["-euc", SHOW_ERRORS, file], { env, cwd: folder })
        : place.spawn(process.execPath, [SOURCES, file], { env, cwd: folder });
    const { code, stdout, stderr } = await running.ended();
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    const printed = printedBy(program);
    if (printed !== undefined && !asPattern(printed).test(stdout)) expect(stdout).toBe(printed);
  });
});

describe("all programs", () => {
  it("are accepted by the compiler", () => {
    const include = pages.map(({ folder }) => join(folder, "**/*.ts"));
    const config = join(pages[0]?.folder ?? "", "tsconfig.json");
    writeFileSync(config, JSON.stringify({ extends: join(ROOT, "tsconfig.json"), include, exclude: [] }));
    const compiler = join(ROOT, "node_modules/typescript/bin/tsc");
    const { status, stdout } = spawnSync(process.execPath, [compiler, "-p", config], { encoding: "utf8" });
    expect({ status, stdout }).toEqual({ status: 0, stdout: "" });
  });
});
