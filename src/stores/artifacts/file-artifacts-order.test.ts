/** What is on the disk when `put` resolves, should the power fail right then: told from the order of its file operations. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { expect, it, onTestFinished, vi } from "vitest";
import { createFakeWorld } from "../../testing/fake-world.ts";
import { pieces } from "./artifacts-contract.ts";
import { createFileArtifacts } from "./file-artifacts.ts";

const operations: [what: string, path: string, to?: string][] = [];

vi.mock(import("node:fs/promises"), async (original) => {
  const real = await original();
  return {
    ...real,
    mkdir: (async (path: string, options: object) => {
      operations.push(["mkdir", path]);
      return real.mkdir(path, options);
    }) as never,
    rename: async (from, to) => {
      await real.rename(from, to);
      operations.push(["rename", String(from), String(to)]);
    },
    open: async (path, flags, mode) => {
      const file = await real.open(path, flags, mode);
      const { sync, write } = file;
      file.sync = async () => {
        await sync.call(file);
        operations.push(["sync", String(path)]);
      };
      file.write = ((...parameters: unknown[]) => {
        operations.push(["write", String(path)]);
        return (write as (...all: unknown[]) => unknown).apply(file, parameters);
      }) as never;
      return file;
    },
  };
});

it("has content, name and every directory on the way synced before it tells of them [law-artifact-complete]", async () => {
  const parent = mkdtempSync(join(tmpdir(), "leasehold-order-"));
  onTestFinished(() => rmSync(parent, { recursive: true, force: true }));
  const artifacts = createFileArtifacts(join(parent, "artifacts"), createFakeWorld().ids);
  // At the same time, for neither may rely on a directory that the other has made and not synced.
  const both = [artifacts.put(pieces("one ", "two")), artifacts.put(pieces("one ", "two"))];
  for (const putting of both) {
    const { sha256 } = await putting;
    const shard = join("artifacts", sha256.slice(0, 2));
    const done = operations.map(
      ([what, ...paths]) => `${what} ${paths.map((path = "") => relative(parent, path)).join(" ")}`,
    );
    const last = (operation: string): number => done.lastIndexOf(operation);
    expect(last("mkdir artifacts")).toBeLessThan(last("sync "));
    expect(last(`mkdir ${shard}`)).toBeLessThan(last("sync artifacts"));
    const renames = operations.filter(([what]) => what === "rename");
    expect(renames.length).toBeGreaterThan(0);
    for (const [, from, to] of renames) {
      const temporary = relative(parent, from);
      expect(relative(parent, String(to))).toBe(join(shard, sha256));
      expect(last(`write ${temporary}`)).toBeLessThan(last(`sync ${temporary}`));
      expect(last(`sync ${temporary}`)).toBeLessThan(last(`rename ${temporary} ${join(shard, sha256)}`));
    }
    const firstRename = done.findIndex((operation) => operation.startsWith("rename"));
    expect(done.indexOf(`sync ${shard}`)).toBeGreaterThan(firstRename);
  }
  // Each was told of only after a sync of the directory that came after its own rename.
  expect(operations.filter(([what]) => what === "rename")).toHaveLength(2);
});
