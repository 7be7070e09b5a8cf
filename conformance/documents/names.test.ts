/** What the pages name: commands, options, routes, environment variables, each other. All of it has to be there. */
import type { Command } from "commander";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { listFiles, readFile, readFiles } from "../../scripts/repository.ts";
import { createProgram } from "../../src/cli/program.ts";
import { createTestIo } from "../../src/cli/test-io.ts";
import { createRuntime, type Runtime } from "../../src/server/runtime.ts";
import { createMemoryStore } from "../../src/testing/index.ts";
import { type Block, commandsOf, PAGES, words } from "./pages.ts";

const BLOCKS = PAGES.flatMap(({ blocks }) => blocks);

/** The command as it is, but that nothing it is told to do is done. */
function idleProgram(): Command {
  const program = createProgram(createTestIo(), () => {});
  const idle = (command: Command): void => {
    if (command.commands.length === 0) command.action(() => {});
    for (const one of command.commands) idle(one);
  };
  idle(program);
  return program;
}

function leafCommands(command: Command): readonly Command[] {
  return command.commands.length === 0 ? [command] : command.commands.flatMap(leafCommands);
}

/** Why the command does not take these words; undefined when it does. */
async function refusalOf(args: readonly string[]): Promise<string | undefined> {
  try {
    await idleProgram().parseAsync([...args], { from: "user" });
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

/** Calls of `leasehold` in a shell block, a service's unit, or a container's description, as words. */
function callsIn({ lang, text }: Block): readonly (readonly string[])[] {
  if (lang === "sh") {
    return commandsOf(text)
      .flatMap((line) => line.split(/ (?:\||\|\||&&|>|2>&1) ?|[()]/))
      .map((line) => words(line.replace(/^(?:\w+=\S+ )+/, "")))
      .filter(([command]) => command === "leasehold");
  }
  if (lang === "ini") return [...text.matchAll(/^ExecStart=(.*)$/gm)].map(([, line = ""]) => words(line));
  if (lang === "dockerfile") return [...text.matchAll(/^CMD (.*)$/gm)].map(([, line = ""]) => JSON.parse(line));
  return [];
}

describe("blocks", () => {
  it("are in languages that something is done with", () => {
    const langs = new Set(BLOCKS.map(({ lang }) => lang));
    expect([...langs].filter((lang) => !/^(ts|sh|text|json|ini|dockerfile|nginx|yaml)$/.test(lang))).toEqual([]);
  });

  it("of TypeScript are programs, which are run", () => {
    const nameless = BLOCKS.filter(({ lang, info }) => lang === "ts" && !/^[\w./-]+\.ts$/.test(info));
    expect(nameless).toEqual([]);
  });

  it("of shell that are not run hold calls of the command or npm only, which are looked at", () => {
    const shells = BLOCKS.filter(({ lang, info }) => lang === "sh" && info === "");
    const others = shells
      .flatMap(({ text }) => commandsOf(text))
      .filter((line) => !/^(\w+=\S+ )*(leasehold|npm) /.test(line));
    expect(others).toEqual([]);
  });

  it.each(
    BLOCKS.flatMap((block) => callsIn(block).map((call) => [block.page, call.join(" "), call.slice(1)] as const)),
  )("%s: %s is understood by the command", async (_page, _line, args) => expect(await refusalOf(args)).toBeUndefined());

  it("of JSON are JSON", () => {
    for (const { text } of BLOCKS.filter(({ lang }) => lang === "json")) expect(() => JSON.parse(text)).not.toThrow();
  });

  it("that say what is printed belong to a program", () => {
    const strays = PAGES.flatMap(({ path, snippets }) =>
      snippets
        .filter(({ file }) => file.endsWith(".txt"))
        .filter(
          ({ file }) =>
            !snippets.some((other) => /\.(ts|sh)$/.test(other.file) && other.file.replace(/\.\w+$/, ".txt") === file),
        )
        .map(({ file }) => `${path}: ${file}`),
    );
    expect(strays).toEqual([]);
  });
});

describe("the command", () => {
  const commands = leafCommands(idleProgram());
  const options = new Set(commands.flatMap((command) => command.options.map(({ long }) => long ?? "")));
  /** Of npm's scripts and other programs. */
  const FOREIGN = new Set(["--help", "--import"]);

  it("has every option that a page names", () => {
    const named = PAGES.flatMap(({ path, text }) =>
      [...text.matchAll(/`[^`\n]*?(--[a-z][a-z-]+)/g)].map(([, option = ""]) => [path, option] as const),
    );
    expect(named.filter(([, option]) => !options.has(option) && !FOREIGN.has(option))).toEqual([]);
  });

  it("has every command that a page names", () => {
    const names = new Set(idleProgram().commands.map((command) => command.name()));
    const named = PAGES.flatMap(({ path, text }) =>
      [...text.matchAll(/`leasehold ([a-z]+)/g)].map(([, name = ""]) => [path, name] as const),
    );
    expect(named.filter(([, name]) => !names.has(name))).toEqual([]);
  });

  it("is described whole: every command in docs/cli.md, every option on some page", () => {
    const reference = readFile("docs/cli.md");
    const names = idleProgram().commands.map((command) => command.name());
    expect(names.filter((name) => !reference.includes(`| \`${name}`))).toEqual([]);
    const missing = commands.flatMap((command) =>
      command.options
        .filter(({ long }) => !PAGES.some(({ text }) => new RegExp(`[^\\w-]${long}\\b(?!-)`).test(text)))
        .map(({ long }) => `${command.name()} ${long}`),
    );
    expect(missing).toEqual([]);
  });
});

describe("the HTTP API", () => {
  let runtime: Runtime;
  let paths: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  beforeAll(async () => {
    runtime = await createRuntime({ agents: [], store: createMemoryStore() });
    const { port } = await runtime.listen({ port: 0 });
    const response = await fetch(`http://127.0.0.1:${port}/api/openapi.json`);
    ({ paths } = (await response.json()) as { paths: typeof paths });
  });
  afterAll(() => runtime.close());

  const named = PAGES.flatMap(({ path, text }) =>
    [...text.matchAll(/`(GET|POST|HEAD) (\/api\/[\w/{}:.-]+)/g)].map(([, method = "", route = ""]) => ({
      page: path,
      route: `${method} ${route.replaceAll(/\{\w+\}/g, "{}")}`,
    })),
  );
  const served = (): readonly string[] =>
    Object.entries(paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path.replaceAll(/\{\w+\}/g, "{}")}`),
    );

  it("has every route that a page names", () => {
    const routes = new Set(served());
    expect(named.filter(({ route }) => !routes.has(route))).toEqual([]);
  });

  it("is described whole in docs/api.md", () => {
    const routes = new Set(named.filter(({ page }) => page === "docs/api.md").map(({ route }) => route));
    expect(served().filter((route) => !routes.has(route) && !route.startsWith("HEAD "))).toEqual([]);
  });
});

describe("metrics", () => {
  const PATTERN = /\bleasehold_[a-z_]+\b/g;
  const made = new Set(
    ["src/server/metrics/registry.ts", "src/provisioners/gateway/tally.ts"].flatMap(
      (file) => readFile(file).match(PATTERN) ?? [],
    ),
  );
  const named = new Set(PAGES.flatMap(({ text }) => text.match(PATTERN) ?? []));

  it("that a page names are made", () => expect([...named].filter((name) => !made.has(name))).toEqual([]));
  it("are all named on some page", () => expect([...made].filter((name) => !named.has(name))).toEqual([]));
});

describe("pages", () => {
  it("name only environment variables that are read", () => {
    const source = readFiles("src/**/*.ts").map(({ text }) => text);
    const named = new Set(PAGES.flatMap(({ text }) => text.match(/\bLEASEHOLD_[A-Z_]+\b/g) ?? []));
    expect([...named].filter((name) => !source.some((text) => text.includes(name)))).toEqual([]);
  });

  it.each(["docs/README.md", "llms.txt"])("are all in %s", (index) => {
    const text = readFile(index);
    const prefix = index.startsWith("docs/") ? "docs/" : "";
    const pages = listFiles("docs/**/*.md").filter((path) => path !== "docs/README.md");
    expect(pages.filter((path) => !text.includes(`(${path.slice(prefix.length)})`))).toEqual([]);
  });
});
