/** The layer check finds every kind of import it forbids, and nothing else. */
import { spawnSync } from "node:child_process";
import { createRequire } from "node:module";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { LAYERS } from "./layers.cjs";
import { plantProject } from "./planted-project.ts";
import { ROOT } from "./repository.ts";

interface Planting {
  readonly file: string;
  readonly text: string;
  /** Names of the rules that must speak up about the file. */
  readonly rules: readonly string[];
}

const imports = (target: string): string => `import { thing } from "${target}";\nexport const taken = thing;\n`;
const importsType = (target: string): string => `import type { Thing } from "${target}";\nexport type Taken = Thing;\n`;

function plant(file: string, text: string, ...rules: string[]): Planting {
  return { file, text, rules };
}

/** One file per layer, which the plantings import. */
const targets = LAYERS.map((layer) =>
  plant(`src/${layer}/target.ts`, "export const thing = 1;\nexport type Thing = 1;\n"),
);

/** Each layer reaching for the one right above it, the faces aside: they have a rule of their own. */
const upward = LAYERS.slice(1).map((layer, index) =>
  plant(`src/${layer}/upward.ts`, imports(`../${LAYERS[index]}/target.ts`), `upward-from-${layer}`),
);

const PLANTINGS: readonly Planting[] = [
  ...targets,
  ...upward.map((planting) => {
    const face = /^src\/(coordinator|api)\//.exec(planting.file)?.[1];
    const extra = face === undefined ? [] : [`face-to-face-from-${face}`];
    return { ...planting, rules: [...planting.rules, ...extra] };
  }),
  plant("src/kernel/far-upward.ts", importsType("../cli/target.ts"), "upward-from-kernel"),
  plant("src/stores/lazy.ts", `export const late = () => import("../cli/target.ts");\n`, "upward-from-stores"),
  plant(
    "src/stores/held.ts",
    `export async function hold() {\n  await using held = await import("../cli/target.ts");\n  return held;\n}\n`,
    "upward-from-stores",
  ),
  plant("src/stores/passed-on.ts", `export * from "../cli/target.ts";\n`, "upward-from-stores"),
  plant("src/stores/own-name.ts", imports("leasehold/target"), "upward-from-stores"),
  plant("src/sessions/face.test.ts", imports("../api/target.ts"), "face-to-face-from-sessions"),
  plant("src/server/one.ts", `${importsType("./other.ts")}export type Thing = 1;\n`, "no-cycle"),
  // A circle is reported once, at the file it was found from.
  plant("src/server/other.ts", `${importsType("./one.ts")}export type Thing = 1;\n`),
  plant("src/server/nowhere.ts", imports("./missing.ts"), "unresolvable"),
  plant("src/helpers/stray.ts", imports("../platform/target.ts"), "unknown-layer"),
  plant("src/index.ts", imports("./cli/target.ts"), "public-entry-not-to-cli"),
  plant("src/server/through-index.ts", imports("../index.ts"), "public-entry-is-top"),
  plant("src/server/outside.ts", imports("../../scripts/target.ts"), "src-stands-alone"),
  plant("scripts/target.ts", "export const thing = 1;\n"),
  plant("src/server/with-test.ts", imports("./some.test.ts"), "ship-no-tests"),
  plant("src/server/with-suite.ts", imports("./contract/cases.ts"), "ship-no-tests"),
  plant("src/server/with-vitest.ts", imports("vitest"), "ship-no-tests"),
  plant("src/server/some.test.ts", "export const thing = 1;\n"),
  plant("src/server/contract/cases.ts", imports("vitest")),
  plant("src/kernel/messages.ts", imports("../protocol/target.ts"), "kernel-protocol"),
  plant("src/kernel/client.ts", importsType("../client/target.ts"), "kernel-client"),
  plant("src/kernel/file.ts", imports("node:fs/promises"), "kernel-io"),
  plant("src/kernel/database.ts", imports("node:sqlite"), "kernel-io"),
  plant("src/kernel/package.ts", imports("left"), "kernel-packages"),
  plant("src/client/node.ts", imports("node:crypto"), "browser-clean"),
  plant("src/protocol/node.ts", imports("node:path"), "browser-clean"),
  plant("src/protocol/far-from-node.ts", imports("../platform/node.ts"), "browser-clean"),
  plant("src/platform/node.ts", imports("node:os")),
  plant("src/client/package.ts", imports("left"), "client-packages"),
  plant("src/sessions/store.ts", imports("../stores/target.ts"), "sessions-stores"),
  plant("src/sessions/transport.ts", imports("../transports/target.ts"), "sessions-transports"),
  plant("src/transports/message.ts", imports("../protocol/target.ts"), "transports-messages"),
  plant("examples/inside.ts", imports("../src/server/target.ts"), "examples-as-users"),
  // What is allowed.
  plant("src/protocol/errors.ts", "export const thing = 1;\n"),
  plant("src/protocol/event-kinds.ts", "export const thing = 1;\n"),
  plant("src/kernel/allowed.ts", `${imports("../protocol/errors.ts")}export * from "../protocol/event-kinds.ts";\n`),
  plant("src/kernel/digest.ts", imports("node:crypto")),
  plant("src/transports/connection.ts", "export type Thing = 1;\n"),
  plant("src/sessions/allowed.ts", importsType("../transports/connection.ts")),
  plant("src/transports/socket.ts", importsType("../client/web-socket.ts")),
  plant("src/client/web-socket.ts", "export type Thing = 1;\n"),
  plant("src/platform/test-world.ts", imports("../testing/target.ts")),
  plant("src/platform/clock-test-cases.ts", imports("vitest")),
  plant("src/platform/upward.test.ts", imports("../testing/target.ts")),
  plant("src/cli/downward.ts", imports("../platform/target.ts")),
  plant("examples/as-user.ts", imports("leasehold/target")),
];

const SCAFFOLD = {
  "package.json": JSON.stringify({
    name: "leasehold",
    type: "module",
    exports: { "./target": { "leasehold-source": "./src/cli/target.ts" } },
  }),
  "node_modules/left/package.json": `{ "name": "left", "main": "index.js" }`,
  "node_modules/left/index.js": "exports.thing = 1;\n",
  "node_modules/vitest/package.json": `{ "name": "vitest", "main": "index.js" }`,
  "node_modules/vitest/index.js": "exports.thing = 1;\n",
};

interface CruiseResult {
  readonly summary: {
    readonly violations: readonly { readonly from: string; readonly rule: { readonly name: string } }[];
  };
}

/** Names of the broken rules by file. */
function cruise(): ReadonlyMap<string, readonly string[]> {
  const files = Object.fromEntries(PLANTINGS.map(({ file, text }) => [file, text]));
  using project = plantProject({ ...SCAFFOLD, ...files });
  const script = join(ROOT, "node_modules/dependency-cruiser/bin/dependency-cruise.mjs");
  const args = [
    "--config",
    join(ROOT, ".dependency-cruiser.cjs"),
    "--output-type",
    "json",
    "src",
    "scripts",
    "examples",
  ];
  const { stdout, stderr } = spawnSync(process.execPath, [script, ...args], { cwd: project.root, encoding: "utf8" });
  expect(stderr).toBe("");
  const broken = new Map<string, string[]>();
  for (const { from, rule } of (JSON.parse(stdout) as CruiseResult).summary.violations) {
    broken.set(from, [...new Set([...(broken.get(from) ?? []), rule.name])].sort());
  }
  return broken;
}

describe("the layer check", () => {
  let broken: ReadonlyMap<string, readonly string[]>;
  beforeAll(() => {
    broken = cruise();
  });

  it.each(PLANTINGS.map(({ file, rules }) => [file, rules] as const))("judges %s", (file, rules) => {
    expect(broken.get(file) ?? []).toEqual([...rules].sort());
  });

  it("has a planting for every rule", () => {
    const config = createRequire(import.meta.url)("../.dependency-cruiser.cjs") as {
      readonly forbidden: readonly { readonly name: string }[];
    };
    const planted = new Set(PLANTINGS.flatMap(({ rules }) => rules));
    expect(config.forbidden.map(({ name }) => name).filter((name) => !planted.has(name))).toEqual([]);
  });
});
