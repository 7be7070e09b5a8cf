import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { readManifests } from "./dependencies.ts";

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "manifests-"));
});
afterEach(() => rm(root, { recursive: true }));

it.each([
  ["package.json", '{ "dependencies": { "b": "1" }, "devDependencies": { "@s/a": "1", "b": "2" } }', ["@s/a", "b"]],
  ["package.json", "[]", []],
  ["requirements.txt", "# all\nflask[async]>=2 ; python_version > '3'\n-r other.txt\nnumpy==1\n", ["flask", "numpy"]],
  [
    "pyproject.toml",
    '[project]\nname = "x"\ndependencies = [\n  "httpx[http2]>=1", # why\n  \'rich\',\n]\n[tool.other]\ndependencies = ["no"]\n',
    ["httpx", "rich"],
  ],
  [
    "pyproject.toml",
    '[tool.poetry.dependencies]\npython = "^3"\nflask = "1"\n[tool.poetry.group.dev.dependencies]\npytest = "8"\n',
    ["flask", "pytest"],
  ],
  [
    "Cargo.toml",
    '[package]\nname = "x"\n[dependencies]\nserde = { version = "1" }\nlog.workspace = true\n[dev-dependencies]\nproptest = "1"\n[dependencies.tokio]\nversion = "1"\n',
    ["log", "proptest", "serde", "tokio"],
  ],
  [
    "go.mod",
    "module m\ngo 1.22\nrequire a.io/x v1\nrequire (\n\tb.io/y v2 // indirect\n\tc.io/z v0.1.0\n)\n",
    ["a.io/x", "b.io/y", "c.io/z"],
  ],
] as const)("reads %s", async (name, text, dependencies) => {
  await writeFile(join(root, name), text);
  expect(await readManifests(root, [name, "other.txt"], new AbortController().signal)).toEqual([
    { path: name, dependencies },
  ]);
});

it("says which manifest it could not read, and why", async () => {
  await writeFile(join(root, "package.json"), "{");
  const manifests = await readManifests(root, ["package.json", "gone/go.mod"], new AbortController().signal);
  expect(manifests).toEqual([
    { path: "package.json", dependencies: [], problem: expect.stringContaining("JSON") },
    { path: "gone/go.mod", dependencies: [], problem: expect.stringContaining("ENOENT") },
  ]);
});
