/** `npm run build`: JavaScript and declarations into `dist/`, and a look at what `npm pack` would publish. */
import { execFileSync, spawnSync } from "node:child_process";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { findPackageProblems, type PackageManifest } from "./package-contents.ts";
import { ROOT, readFile } from "./repository.ts";

interface PackedPackage {
  readonly files: readonly { readonly path: string }[];
}

rmSync(join(ROOT, "dist"), { recursive: true, force: true });
const compiler = ["node_modules/typescript/bin/tsc", "-p", "tsconfig.build.json"];
const { status } = spawnSync(process.execPath, compiler, { cwd: ROOT, stdio: "inherit" });
const problems = status === 0 ? checkPackage() : ["The sources do not compile."];
for (const problem of problems) console.error(problem);
process.exitCode = problems.length === 0 ? 0 : 1;

function checkPackage(): readonly string[] {
  const npm = ["pack", "--dry-run", "--json", "--ignore-scripts", "--loglevel=error"];
  const answer = execFileSync("npm", npm, { cwd: ROOT, encoding: "utf8", shell: process.platform === "win32" });
  // An array, or from npm 12 on an object by name; of one package.
  const packages = Object.values(JSON.parse(answer) as Record<string, PackedPackage>);
  const paths = packages.flatMap(({ files }) => files.map(({ path }) => path));
  console.log(`${paths.length} files would be published`);
  return findPackageProblems(JSON.parse(readFile("package.json")) as PackageManifest, paths);
}
