import { mkdir, mkdtemp, realpath, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { findLeasePaths } from "./lease-paths.ts";

async function place(): Promise<string> {
  const root = await realpath(await mkdtemp(join(tmpdir(), "leasehold-paths-")));
  onTestFinished(() => rm(root, { recursive: true }));
  await mkdir(join(root, "a/b"), { recursive: true });
  await mkdir(join(root, "data/deep"), { recursive: true });
  await writeFile(join(root, "a/file"), "");
  await symlink(join(root, "a"), join(root, "link"));
  return root;
}

/** What comes of patterns below the place; paths are told from there. */
async function found(
  root: string,
  patterns: readonly string[],
  apart: readonly string[] = [],
): Promise<readonly string[]> {
  const under = (text: string): string => (text.startsWith("/") ? root + text : text);
  const paths = await findLeasePaths(patterns.map(under), apart.map(under));
  return paths.map((path) => path.replace(root, "")).toSorted();
}

it.each([
  ["all below a directory", "/a/**", ["/a/*"]],
  ["all below one that is not there yet", "/new/**", ["/new/*"]],
  ["a file", "/a/file", ["/a/file"]],
  ["a file that is not there yet", "/a/new", ["/a/new"]],
  ["a directory by itself, which Node would take for all below", "/a", []],
  ["names of a shape", "/a/*.txt", []],
  ["a shape further up", "/*/b/**", []],
  ["one character", "/a/fil?", []],
  ["what a link leads to", "/link/**", []],
  ["a file by a link", "/link/file", []],
  ["a new file by a link", "/link/new", []],
  ["no path", "a/**", []],
])("grants node:fs %s as Node can say it: %s", async (_what, pattern, paths) => {
  expect(await found(await place(), [pattern])).toEqual(paths);
});

it("walks around what is kept apart", async () => {
  const root = await place();
  expect(await found(root, ["/**"], ["/data"])).toEqual(["/a/*"]);
  expect(await found(root, ["/**"], ["/data/deep"])).toEqual(["/a/*"]);
  expect(await found(root, ["/data/**", "/data/deep/x", "/data/deep/**"], ["/data"])).toEqual([]);
  expect(await found(root, ["/a/**"], ["/a/b"])).toEqual(["/a/file"]);
});

it("never grants what the system tells of other processes, not even under a lease of everything", async () => {
  for (const pattern of ["/**", "**", "/proc/**", "/proc/1/environ"]) {
    const paths = await findLeasePaths([pattern], []);
    expect(paths.filter((path) => /^\/(\*|proc|sys|dev)/.test(path))).toEqual([]);
  }
});
