import { describe, expect, it } from "vitest";
import { findArchitectureProblems, findLayerOrderProblems, findLinkProblems } from "./documents.ts";

const existing = new Set(["src/kernel/ports.ts", "docs/errors.md", "README.md"]);
const exists = (path: string): boolean => existing.has(path);

describe("ARCHITECTURE.md", () => {
  const page = (text: string) => ({ path: "ARCHITECTURE.md", text });

  it("may name what exists", () => {
    expect(
      findArchitectureProblems(page("see `src/kernel/ports.ts`\n| `src/kernel/` | jobs |"), ["kernel"], (path) =>
        ["src/kernel/ports.ts", "src/kernel/"].includes(path),
      ),
    ).toEqual([]);
  });

  it("may not name what does not", () => {
    expect(findArchitectureProblems(page("see `src/kernel/gone.ts`"), [], exists)).toEqual([
      "ARCHITECTURE.md names src/kernel/gone.ts, which does not exist.",
    ]);
  });

  it("has a row for every folder", () => {
    expect(findArchitectureProblems(page("| folder | job |"), ["kernel"], exists)).toEqual([
      "ARCHITECTURE.md has no row for src/kernel/.",
    ]);
  });

  it("lists folders as the layers stand", () => {
    const rows = (...folders: string[]) => page(folders.map((folder) => `| \`src/${folder}/\` | |`).join("\n"));
    const layers = ["cli", "kernel", "platform"];
    expect(findLayerOrderProblems(rows("cli", "platform"), layers)).toEqual([]);
    expect(findLayerOrderProblems(rows("platform", "cli"), layers)).toHaveLength(1);
    expect(findLayerOrderProblems(rows("cli", "attic"), layers)).toEqual([
      "ARCHITECTURE.md has rows for folders that are no layer: attic.",
    ]);
  });
});

describe("links", () => {
  const pages: Readonly<Record<string, string>> = {
    "docs/errors.md": "# Errors\n## All the `codes`, [listed](x.md)\n```sh\n# no heading\n```\n## Twice\n## Twice\n",
    "README.md": "# Leasehold",
  };
  const problemsOf = (target: string, path: string, text = `# Here\n[text](${target})`) =>
    findLinkProblems({ path, text }, exists, (read) => pages[read] ?? "");

  it.each([
    ["docs/errors.md", "README.md"],
    ["errors.md#all-the-codes-listed", "docs/guide.md"],
    ["errors.md#twice-1", "docs/guide.md"],
    ["../README.md", "docs/guide.md"],
    ["../src/kernel/ports.ts#L1", "docs/guide.md"],
    ["https://example.com/gone.md#here", "README.md"],
    ["#here", "README.md"],
  ])("to %s from %s are fine", (target, path) => expect(problemsOf(target, path)).toEqual([]));

  it.each([["#there"], ["docs/errors.md#no-heading"], ["docs/errors.md#twice-2"], ["docs/errors.md#"]])(
    "to %s, where no heading is, are found",
    (target) => expect(problemsOf(target, "README.md")).toEqual([`README.md links to ${target}, where no heading is.`]),
  );

  it("that lead nowhere are found, but not in code", () => {
    const text = "[text](gone.md)\n```md\n[text](also-gone.md)\n```\n";
    expect(problemsOf("", "README.md", text)).toEqual(["README.md links to gone.md, which does not exist."]);
  });
});
