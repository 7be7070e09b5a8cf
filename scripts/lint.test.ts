/** The lint finds what would put a moment out of the reach of tests, and what a browser cannot run. */
import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { plantProject } from "./planted-project.ts";
import { ROOT } from "./repository.ts";

const FORBIDDEN = {
  "date-now": "export const found = Date.now();",
  "date-now-passed": "export const found = { now: Date.now };",
  "new-date": "export const found = new Date();",
  "performance-now": "export const found = performance.now();",
  "math-random": "export const found = Math.random();",
  "set-timeout": "setTimeout(() => {}, 1);",
  "set-interval": "setInterval(() => {}, 1);",
  "set-immediate": "setImmediate(() => {});",
  "global-this-set-timeout": "globalThis.setTimeout(() => {}, 1);",
  "abort-signal-timeout": "export const found = AbortSignal.timeout(1);",
  "timers-module": `import { setTimeout as sleep } from "node:timers/promises";\nexport const found = sleep;`,
  "crypto-named": `import { randomUUID } from "node:crypto";\nexport const found = randomUUID;`,
  "crypto-namespace": `import * as crypto from "node:crypto";\nexport const found = crypto.randomBytes(1);`,
  "crypto-global": "export const found = crypto.randomUUID();",
  "type-import-expression": `export type Found = import("./date-now.ts").found;`,
} as const;

const ALLOWED = {
  "date-of": "export const found = new Date(0).toISOString();",
  "crypto-hash": `import { createHash } from "node:crypto";\nexport const found = createHash("sha256");`,
  "clear-timeout": "export const found = clearTimeout;",
} as const;

const BROWSER = {
  process: "export const found = process.env;",
  buffer: "export const found = Buffer.alloc(1);",
  "new-function": `export const found = new Function("return 1");`,
  timer: "setTimeout(() => {}, 1);",
} as const;

function inFolder(folder: string, texts: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(texts).map(([name, text]) => [`${folder}/${name}.ts`, `${text}\n`]));
}

interface LintReport {
  readonly diagnostics: readonly { readonly severity: string; readonly location: { readonly path: string | null } }[];
}

/** Paths of the files in which the lint finds an error. */
function lint(): ReadonlySet<string> {
  using project = plantProject({
    ".gitignore": "dist/\n",
    ...inFolder("src/kernel", { ...FORBIDDEN, ...ALLOWED }),
    ...inFolder("src/platform", FORBIDDEN),
    ...inFolder("src/protocol", BROWSER),
    "src/server/default-export.ts": "export default 1;\n",
    "src/server/CamelCase.ts": "export const found = 1;\n",
    "src/server/skipped.test.ts": `import { it } from "vitest";\nit.skip("is skipped", () => {});\n`,
  });
  mkdirSync(join(project.root, "scripts/lint"), { recursive: true });
  for (const file of ["biome.json", "scripts/lint/injected-world.grit"]) {
    copyFileSync(join(ROOT, file), join(project.root, file));
  }
  const args = [
    join(ROOT, "node_modules/@biomejs/biome/bin/biome"),
    "lint",
    "--reporter=json",
    "--max-diagnostics=none",
  ];
  const { stdout } = spawnSync(process.execPath, args, { cwd: project.root, encoding: "utf8" });
  const { diagnostics } = JSON.parse(stdout) as LintReport;
  return new Set(diagnostics.filter(({ severity }) => severity === "error").map(({ location }) => location.path ?? ""));
}

describe("the lint", () => {
  let broken: ReadonlySet<string>;
  beforeAll(() => {
    broken = lint();
  });

  it.each(Object.keys(FORBIDDEN))("forbids %s", (name) => {
    expect(broken).toContain(`src/kernel/${name}.ts`);
  });

  it.each(Object.keys(ALLOWED))("allows %s", (name) => {
    expect(broken).not.toContain(`src/kernel/${name}.ts`);
  });

  it("lets platform/ read the real clock, timers and randomness", () => {
    const strays = [...broken].filter((path) => path.startsWith("src/platform/"));
    expect(strays).toEqual([]);
  });

  it.each(Object.keys(BROWSER))("forbids %s where a browser runs the code", (name) => {
    expect(broken).toContain(`src/protocol/${name}.ts`);
  });

  it.each(["default-export.ts", "CamelCase.ts", "skipped.test.ts"])("forbids what %s shows", (file) => {
    expect(broken).toContain(`src/server/${file}`);
  });
});
