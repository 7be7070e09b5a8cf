import { describe, expect, it } from "vitest";
import { findPackageProblems } from "./package-contents.ts";

const MANIFEST = {
  bin: { leasehold: "bin/leasehold.js" },
  exports: { ".": { "leasehold-source": "./src/index.ts", types: "./dist/index.d.ts", default: "./dist/index.js" } },
};
const COMPLETE = [
  "LICENSE",
  "README.md",
  "CHANGELOG.md",
  "package.json",
  "bin/leasehold.js",
  "dist/index.js",
  "dist/index.d.ts",
];

describe("the package", () => {
  it("is complete with the command, the build and its documents", () => {
    expect(findPackageProblems(MANIFEST, COMPLETE)).toEqual([]);
  });

  it.each(["src/index.ts", "dist/kernel/job.test.js", "dist/stores/contract/logs.js", "scripts/test.ts", ".env.local"])(
    "does not publish %s",
    (path) => {
      expect(findPackageProblems(MANIFEST, [...COMPLETE, path])).toEqual([`${path} would be published.`]);
    },
  );

  it.each(["bin/leasehold.js", "dist/index.js", "dist/index.d.ts", "LICENSE"])("does not leave out %s", (path) => {
    const packed = COMPLETE.filter((other) => other !== path);
    expect(findPackageProblems(MANIFEST, packed)).toEqual([`${path} is promised, but would not be published.`]);
  });
});
