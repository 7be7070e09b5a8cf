/**
 * Every program on every page, run. A page's `agents.ts` is served, or else the agent of `examples/repo-report/`; its other
 * programs run in order, in one folder, with the address and token of that runtime, and print what the page says. Where
 * they name the default address, they get that of the runtime.
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

/** Where a runtime listens unless told otherwise, as programs of the shell name it. */
const DEFAULT_ADDRESS = "127.0.0.1:7777";
const EXAMPLE = join(ROOT, "examples/repo-report/agent.ts");
const CURL = join(import.meta.dirname, "curl.ts");

/** Puts commands into a folder, where a shell finds them: those that run from the sources, and `curl` where there is none. */
function putCommands(folder: string): string {
  const node = `'${process.execPath}' ${SOURCES}`;
  const quoted = LEASEHOLD.map((word) => `'${word}'`).join(" ");
  const hasCurl = spawnSync("curl", ["--version"], { stdio: "ignore" }).status === 0;
  for (const [name, command] of [
    ["leasehold", quoted],
    ["node", node],
    ...(hasCurl ? [] : [["curl", `${node} '${CURL}'`] as const]),
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
  const agents = snippets.some(({ file }) => file === AGENTS) ? join(folder, AGENTS) : EXAMPLE;
  let place: Place;
  let env: Readonly<Record<string, string>>;

  beforeAll(async () => {
    place = await createPlace();
    const dev = place.start(["dev", agents, "--port", "0", "--json"]);
    const ready = await dev.until("the line that says where it serves", (stdout) => jsonLines(stdout)[0]);
    const path = putCommands(place.directory);
    env = { PATH: path, LEASEHOLD_URL: String(ready.url), LEASEHOLD_TOKEN: String(ready.token) };
    for (const { file, text } of programs.filter(({ lang }) => lang === "sh")) {
      writeFileSync(join(folder, file), text.replaceAll(DEFAULT_ADDRESS, new URL(String(ready.url)).host));
    }
  });
  afterAll(() => place[Symbol.asyncDispose]());

  /** Nothing, where the page does not say. */
  function printedBy({ file }: Snippet): string {
    return snippets.find((snippet) => snippet.file === file.replace(/\.(ts|sh)$/, ".txt"))?.text ?? "";
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
    // A page's last line is always a whole one.
    const shown = stdout === "" || stdout.endsWith("\n") ? stdout : `${stdout}\n`;
    if (!asPattern(printed).test(shown)) expect(shown).toBe(printed);
  });
});

describe("all programs", () => {
  it("are accepted by the compiler", () => {
    const include = pages.flatMap(({ folder, snippets }) =>
      snippets.filter(({ lang }) => lang === "ts").map(({ file }) => join(folder, file)),
    );
    const config = join(pages[0]?.folder ?? "", "tsconfig.json");
    writeFileSync(config, JSON.stringify({ extends: join(ROOT, "tsconfig.json"), include, exclude: [] }));
    const compiler = join(ROOT, "node_modules/typescript/bin/tsc");
    const { status, stdout } = spawnSync(process.execPath, [compiler, "-p", config], { encoding: "utf8" });
    expect({ status, stdout }).toEqual({ status: 0, stdout: "" });
  });
});
