/** What may be published: the command, what the build made, and the documents that belong to it. Pure. */
import { TEST_ONLY } from "./layers.cjs";

export interface PackageManifest {
  readonly bin: Readonly<Record<string, string>>;
  readonly exports: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

const ALLOWED = /^(bin\/.+\.js|dist\/.+\.(js|d\.ts)|LICENSE|README\.md|CHANGELOG\.md|package\.json)$/;
/** The condition under which this repository imports itself; users never set it. */
const SOURCE_CONDITION = "leasehold-source";

/** What is packed and should not be, and what is promised and not packed. */
export function findPackageProblems({ bin, exports }: PackageManifest, packed: readonly string[]): string[] {
  const strays = packed.filter((path) => !ALLOWED.test(path) || TEST_ONLY.test(path));
  const exported = Object.values(exports).flatMap((targets) =>
    Object.entries(targets).flatMap(([condition, target]) => (condition === SOURCE_CONDITION ? [] : [target])),
  );
  const promised = [...Object.values(bin), ...exported, "LICENSE", "README.md", "CHANGELOG.md"];
  const missing = promised.map((path) => path.replace("./", "")).filter((path) => !packed.includes(path));
  return [
    ...strays.map((path) => `${path} would be published.`),
    ...missing.map((path) => `${path} is promised, but would not be published.`),
  ];
}
