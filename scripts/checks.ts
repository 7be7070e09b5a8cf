/** Everything `npm test` checks besides running the tests. Slow ones first, so that two at a time end together. */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { findAttackProblems } from "../conformance/attacks/attack-table.ts";
import { ATTACKS } from "../conformance/attacks/attacks.ts";
import { findManifestProblems } from "../conformance/manifest.ts";
import { REQUIREMENTS } from "../conformance/requirements.ts";
import { type Check, commandCheck, problemCheck } from "./check.ts";
import { findArchitectureProblems, findLayerOrderProblems, findLinkProblems } from "./documents.ts";
import { LAYERS } from "./layers.cjs";
import { readAttackCitations, readCitations, renderPages } from "./pages.ts";
import { listFiles, ROOT, readFile } from "./repository.ts";

const ROOTS = ["src", "bin", "scripts", "conformance", "benchmarks", "examples"];

const exists = (path: string): boolean => existsSync(join(ROOT, path));

export const CHECKS: readonly Check[] = [
  commandCheck("dead code", "node_modules/knip/bin/knip.js", ["--no-progress"]),
  commandCheck("package", "scripts/build.ts"),
  commandCheck("types", "node_modules/typescript/bin/tsc", ["-p", "."]),
  commandCheck("layers", "node_modules/dependency-cruiser/bin/dependency-cruise.mjs", [
    "--config",
    ".dependency-cruiser.cjs",
    ...ROOTS.filter(exists),
  ]),
  commandCheck("format and lint", "node_modules/@biomejs/biome/bin/biome", ["check", "--error-on-warnings"]),
  problemCheck("documents", findDocumentProblems),
  problemCheck("conformance manifest", () => findManifestProblems(REQUIREMENTS, readCitations())),
  problemCheck("attacks", () => findAttackProblems(ATTACKS, REQUIREMENTS, readAttackCitations())),
  problemCheck("written pages", findStalePages),
];

function findDocumentProblems(): readonly string[] {
  const architecture = { path: "ARCHITECTURE.md", text: readFile("ARCHITECTURE.md") };
  const folders = readdirSync(join(ROOT, "src"), { withFileTypes: true }).filter((entry) => entry.isDirectory());
  return [
    ...findArchitectureProblems(
      architecture,
      folders.map((folder) => folder.name),
      exists,
    ),
    ...findLayerOrderProblems(architecture, LAYERS),
    ...listFiles("**/*.md", "llms.txt").flatMap((path) =>
      findLinkProblems({ path, text: readFile(path) }, exists, readFile),
    ),
  ];
}

function findStalePages(): readonly string[] {
  return renderPages()
    .filter(({ path, text }) => !exists(path) || readFile(path) !== text)
    .map(({ path }) => `${path} is stale: run \`npm run conformance\`.`);
}
