/** `npm run build`: JavaScript and declarations into `dist/`, and a look at what `npm pack` would publish. */
import { execFileSync } from "node:child_process";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { findPackageProblems } from "./package-contents.ts";
import { ROOT, readFile } from "./repository.ts";

interface PackedPackage {
  readonly files: readonly { readonly path: string }[];
}

rmSync(join(ROOT, "dist"), { recursive: true, force: true });
execFileSync(process.execPath, ["node_modules/typescript/bin/tsc", "-p", "tsconfig.build.json"], {
  cwd: ROOT,
  stdio: "inherit",
});

const npm = ["pack", "--dry-run", "--json", "--ignore-scripts", "--loglevel=error"];
const answer = execFileSync("npm", npm, { cwd: ROOT, encoding: "utf8", shell: process.platform === "win32" });
const packed = Object.values(JSON.parse(answer) as Record<string, PackedPackage>).flatMap(({ files }) => files);
const problems = findPackageProblems(
  JSON.parse(readFile("package.json")),
  packed.map(({ path }) => path),
);
for (const problem of problems) console.error(problem);
console.log(`${packed.length} files would be published`);
process.exitCode = problems.length === 0 ? 0 : 1;
