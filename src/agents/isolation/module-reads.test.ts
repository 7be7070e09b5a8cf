import { mkdir, mkdtemp, realpath, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it, onTestFinished } from "vitest";
import { findModuleReads } from "./module-reads.ts";

const OWN_CODE = fileURLToPath(new URL("../../", import.meta.url));

/** What may be read to load `module` of a project with these files; paths are told from the project. */
async function readsOf(files: Readonly<Record<string, string>>, module: string): Promise<readonly string[]> {
  const root = await realpath(await mkdtemp(join(tmpdir(), "leasehold-reads-")));
  onTestFinished(() => rm(root, { recursive: true }));
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    if (text.startsWith("→")) await symlink(join(root, text.slice(1)), join(root, path));
    else await writeFile(join(root, path), text);
  }
  const reads = await findModuleReads(join(root, module));
  expect(reads).toContain(join(OWN_CODE, "*"));
  return reads
    .filter((path) => path.startsWith(root))
    .map((path) => path.slice(root.length + 1))
    .toSorted();
}

it("names the files of the project that its source names, and what theirs names", async () => {
  const files = {
    "package.json": '{"type":"module","imports":{"#names":"./lib/named.js"}}',
    "agents.ts": `import { a } from "./lib/a.ts";
      export * from './b.js'; import "./c.mjs"; await import(\`./d.ts\`); require("./e"); import "#names";
      const prompt = new URL("./prompt.md", import.meta.url);
      import data from "./data.json" with { type: "json" };`,
    "lib/a.ts": 'import "../f.ts";',
    "lib/named.js": "",
    "b.js": "",
    "c.mjs": "",
    "d.ts": "",
    "e.cjs": "",
    "f.ts": 'import "./agents.ts"; import "fastify";',
    "prompt.md": 'import "./not-followed.ts"',
    "data.json": "{}",
    "not-followed.ts": "",
    "not-named.ts": "",
    ".env.local": "",
  };
  const named = ["agents.ts", "b.js", "c.mjs", "d.ts", "data.json", "e.cjs", "f.ts", "lib/a.ts", "lib/named.js"];
  expect(await readsOf(files, "agents.ts")).toEqual([...named, "package.json", "prompt.md"]);
});

it("names nothing that is hidden, that is no file, or that lies outside of the project", async () => {
  const files = {
    "secret.json": "{}",
    "project/package.json": "{}",
    "project/.env.local": "",
    "project/.leasehold/leasehold.db": "",
    "project/dir/file": "",
    "project/link.json": "→secret.json",
    "project/agents.js": `new URL("./.env.local", import.meta.url); new URL("./.leasehold/leasehold.db", import.meta.url);
      import "../secret.json"; import "./link.json"; import "/etc/hostname"; new URL(".", import.meta.url);
      new URL("./dir", import.meta.url); import "./missing.js"; import "file:///etc/hostname";`,
  };
  expect(await readsOf(files, "project/agents.js")).toEqual(["project/agents.js", "project/package.json"]);
});

it("names packages, and those of a workspace without what is hidden", async () => {
  const files = {
    "package.json": "{}",
    "node_modules/a/index.js": "",
    "node_modules/@scope/linked": "→packages/scoped",
    "node_modules/linked": "→packages/linked",
    "packages/linked/package.json": "{}",
    "packages/linked/src/index.js": "",
    "packages/linked/.env": "",
    "packages/linked/node_modules/b/index.js": "",
    "packages/scoped/index.js": "",
    "app/package.json": "{}",
    "app/agents.js": 'import "linked"',
  };
  expect(await readsOf(files, "app/agents.js")).toEqual([
    "app/agents.js",
    "app/package.json",
    "node_modules/*",
    "packages/linked/node_modules/*",
    "packages/linked/package.json",
    "packages/linked/src/*",
    "packages/scoped/index.js",
  ]);
});
