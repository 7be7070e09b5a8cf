import { expect, it } from "vitest";
import { readManifest } from "./dependencies.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

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
] as const)("reads %s", (name, text, dependencies) => {
  expect(readManifest(`below/${name}`, bytes(text))).toEqual({ path: `below/${name}`, dependencies });
});

it("says which manifest it could not read, and why; other files are none", () => {
  expect(readManifest("package.json", bytes("{"))).toEqual({
    path: "package.json",
    dependencies: [],
    problem: expect.stringContaining("JSON"),
  });
  expect(readManifest("go.mod", new Uint8Array(1_048_577))).toMatchObject({ dependencies: [], problem: "too large" });
  expect(readManifest("other.txt", bytes("flask"))).toBeUndefined();
});
