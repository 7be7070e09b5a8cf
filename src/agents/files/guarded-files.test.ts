import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, realpathSync, rmSync, statSync } from "node:fs";
import { chmod, link, mkdir, readdir, readFile, rename, symlink, truncate, unlink, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { CodedError } from "../../protocol/errors.ts";
import { openTestContext, type TestContext } from "../test-context.ts";
import { listDirectory } from "./directory-entries.ts";
import { DEFAULT_MAX_READ_BYTES, MAX_OPEN_FILES } from "./guarded-files.ts";

let root: string;
/** Covered by the lease of `open()`, to read and to write. */
let inside: string;
let outside: string;
const SECRET = "the secret of the house";

beforeEach(async () => {
  root = realpathSync(mkdtempSync(join(tmpdir(), "leasehold-files-")));
  inside = join(root, "inside");
  outside = join(root, "outside");
  for (const directory of [inside, join(inside, "sub"), outside]) await mkdir(directory);
  await writeFile(join(inside, "a.txt"), "hello");
  await writeFile(join(inside, "sub", "b.txt"), "below");
  await writeFile(join(outside, "secret.txt"), SECRET);
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

function open(options: Parameters<typeof openTestContext>[1] = {}): TestContext {
  return openTestContext({ "fs.read": [`${inside}/**`], "fs.write": [`${inside}/**`] }, options);
}

const denied = { code: "PERMISSION_DENIED" };
const outsideIsUntouched = () => {
  expect(readFileSync(join(outside, "secret.txt"), "utf8")).toBe(SECRET);
  expect(execFileSync("ls", ["-A", outside], { encoding: "utf8" })).toBe("secret.txt\n");
};

describe("files under a lease", () => {
  it("are read, written, added to, listed, looked at, made and removed", async () => {
    const { ctx } = open();
    const { fs } = ctx;
    expect(await fs.readText(join(inside, "a.txt"))).toBe("hello");
    expect([...(await fs.read(join(inside, "a.txt")))]).toEqual([...Buffer.from("hello")]);
    await fs.write(join(inside, "new.txt"), "größer");
    await fs.append(join(inside, "new.txt"), new Uint8Array([33]));
    await fs.append(join(inside, "other.txt"), "begun");
    expect(await fs.readText(join(inside, "new.txt"))).toBe("größer!");
    expect(await fs.stat(join(inside, "new.txt"))).toEqual({
      type: "file",
      size: 9,
      modifiedAt: Math.floor(statSync(join(inside, "new.txt")).mtimeMs),
    });
    await fs.mkdir(join(inside, "x/y/z"));
    await fs.mkdir(join(inside, "x/y/z"));
    await symlink("a.txt", join(inside, "link"));
    expect(await fs.list(inside)).toEqual([
      { name: "a.txt", type: "file" },
      { name: "link", type: "link" },
      { name: "new.txt", type: "file" },
      { name: "other.txt", type: "file" },
      { name: "sub", type: "directory" },
      { name: "x", type: "directory" },
    ]);
    await fs.remove(join(inside, "new.txt"));
    await fs.remove(join(inside, "x/y/z"));
    await fs.remove(join(inside, "link"));
    expect(await fs.stat(join(inside, "new.txt"))).toBeUndefined();
    expect(await readdir(inside)).toEqual(["a.txt", "other.txt", "sub", "x"]);
    expect(await readdir(join(inside, "x"))).toEqual(["y"]);
  });

  it("are on the log by path and size, never by content [attack-secrets-on-the-log]", async () => {
    const { ctx, host, calls } = open();
    const path = join(inside, "a.txt");
    await ctx.fs.readText(path);
    await ctx.fs.write(path, SECRET);
    await ctx.fs.stat(path);
    await ctx.fs.stat(join(inside, "none"));
    await ctx.fs.list(inside);
    await ctx.fs.mkdir(join(inside, "n"));
    await ctx.fs.remove(path);
    expect(calls()).toEqual([
      { tool: "fs.read", args: { path }, result: { bytes: 5 } },
      { tool: "fs.write", args: { path }, result: { bytes: SECRET.length } },
      { tool: "fs.stat", args: { path }, result: { type: "file", bytes: SECRET.length } },
      { tool: "fs.stat", args: { path: join(inside, "none") }, result: { found: false } },
      { tool: "fs.list", args: { path: inside }, result: { entries: 2 } },
      { tool: "fs.mkdir", args: { path: join(inside, "n") }, result: { made: true } },
      { tool: "fs.remove", args: { path }, result: {} },
    ]);
    expect(JSON.stringify(host.entries)).not.toContain(SECRET);
  });

  it("are told of where a link led within the lease", async () => {
    await symlink("sub/b.txt", join(inside, "link"));
    const { ctx, calls } = open();
    expect(await ctx.fs.readText(join(inside, "link"))).toBe("below");
    await ctx.fs.write(join(inside, "link"), "changed");
    expect(await readFile(join(inside, "sub/b.txt"), "utf8")).toBe("changed");
    expect(calls()[1]).toMatchObject({
      args: { path: join(inside, "link") },
      result: { bytes: 7, path: join(inside, "sub/b.txt") },
    });
  });

  it("are refused with what the lease has, and before they are opened [arcp-9.3-permission-denied]", async () => {
    const { ctx, host, calls } = open();
    const path = join(outside, "secret.txt");
    const details = { capability: "fs.read", target: path, patterns: [`${inside}/**`] };
    await expect(ctx.fs.read(path)).rejects.toMatchObject({ ...denied, details });
    expect(calls()).toMatchObject([{ tool: "fs.read", args: { path }, error: { ...denied, details } }]);
    expect(host.trace).not.toContain("flush");
  });

  it("need the namespace of what is done to them", async () => {
    const reader = openTestContext({ "fs.read": [`${inside}/**`] }).ctx.fs;
    for (const call of [
      () => reader.write(join(inside, "a.txt"), "x"),
      () => reader.append(join(inside, "a.txt"), "x"),
      () => reader.mkdir(join(inside, "n")),
      () => reader.remove(join(inside, "a.txt")),
    ]) {
      await expect(call()).rejects.toMatchObject({ ...denied, details: { capability: "fs.write" } });
    }
    const writer = openTestContext({ "fs.write": [`${inside}/**`] }).ctx.fs;
    for (const call of [
      () => writer.read(join(inside, "a.txt")),
      () => writer.list(inside),
      () => writer.stat(join(inside, "a.txt")),
    ]) {
      await expect(call()).rejects.toMatchObject({ ...denied, details: { capability: "fs.read" } });
    }
    await expect(openTestContext(null).ctx.fs.stat("/")).rejects.toMatchObject(denied);
    expect(await readFile(join(inside, "a.txt"), "utf8")).toBe("hello");
  });

  it("can be had from the root, and a directory is needed by itself to be listed", async () => {
    expect(await openTestContext({ "fs.read": ["**"] }).ctx.fs.stat("/")).toMatchObject({ type: "directory" });
    const { ctx } = openTestContext({ "fs.read": [`${inside}/*`] });
    expect(await ctx.fs.readText(join(inside, "a.txt"))).toBe("hello");
    await expect(ctx.fs.list(inside)).rejects.toMatchObject(denied);
    await expect(ctx.fs.read(join(inside, "sub/b.txt"))).rejects.toMatchObject(denied);
  });

  it("fail as the system says, told by the path that was asked for", async () => {
    const { ctx, calls } = open();
    const path = join(inside, "none");
    const missing = { code: "ENOENT", path, message: `ENOENT: no such file or directory, fs.read '${path}'` };
    await expect(ctx.fs.read(path)).rejects.toMatchObject(missing);
    await expect(ctx.fs.write(join(inside, "no/such"), "x")).rejects.toMatchObject({ code: "ENOENT" });
    await expect(ctx.fs.list(join(inside, "a.txt"))).rejects.toMatchObject({ code: "ENOTDIR" });
    await expect(ctx.fs.mkdir(join(inside, "a.txt"))).rejects.toMatchObject({ code: "ENOTDIR" });
    await expect(ctx.fs.mkdir(join(inside, "a.txt/n"))).rejects.toMatchObject({ code: "ENOTDIR" });
    await expect(ctx.fs.remove(join(inside, "sub"))).rejects.toMatchObject({ code: "ENOTEMPTY" });
    await expect(ctx.fs.remove(path)).rejects.toMatchObject({ code: "ENOENT" });
    expect(calls()[0]?.error).toMatchObject({ code: "INTERNAL_ERROR", message: missing.message });
    expect(await readdir(inside)).toEqual(["a.txt", "sub"]);
  });

  it.each([
    ["a.txt", "absolute"],
    ["", "absolute"],
    ["/a\0b", "absolute"],
    ["file:///a", "absolute"],
    [7, "absolute"],
    [`/${"a".repeat(4_096)}`, "4096"],
  ])("refuse the path %j", async (path, what) => {
    const { ctx, host } = open();
    const refusal = { code: "INVALID_REQUEST", details: { field: "fs.read.path" } };
    const error = await ctx.fs.read(path as string).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject(refusal);
    expect(String(error)).toContain(what);
    expect(host.entries).toEqual([]);
  });

  it("refuse data that is neither text nor bytes, and a limit that is none", async () => {
    const { ctx } = open();
    await expect(ctx.fs.write(join(inside, "a.txt"), { a: 1 } as never)).rejects.toMatchObject({
      details: { field: "fs.write.data" },
    });
    await expect(ctx.fs.read(join(inside, "a.txt"), { maxBytes: -1 })).rejects.toMatchObject({
      details: { field: "fs.read.maxBytes" },
    });
  });

  it("are not read beyond the limit, whatever they say of their size", async () => {
    const { ctx } = open();
    const path = join(inside, "a.txt");
    expect(await ctx.fs.readText(path, { maxBytes: 5 })).toBe("hello");
    await expect(ctx.fs.read(path, { maxBytes: 4 })).rejects.toMatchObject({
      code: "INVALID_REQUEST",
      details: { limit: 4 },
    });
    await truncate(path, DEFAULT_MAX_READ_BYTES + 1);
    await expect(ctx.fs.read(path)).rejects.toMatchObject({ details: { limit: DEFAULT_MAX_READ_BYTES } });
    // Says that it is empty.
    const proc = openTestContext({ "fs.read": ["/proc/**"] }).ctx.fs;
    expect((await proc.read("/proc/version")).length).toBeGreaterThan(10);
    await expect(proc.read("/proc/version", { maxBytes: 10 })).rejects.toMatchObject({ details: { limit: 10 } });
  });

  it("are not listed beyond the limit", async () => {
    const { signal } = new AbortController();
    const isHidden = () => false;
    expect(await listDirectory(inside, { maxEntries: 2, signal, isHidden })).toHaveLength(2);
    await expect(listDirectory(inside, { maxEntries: 1, signal, isHidden })).rejects.toMatchObject({
      code: "INVALID_REQUEST",
      details: { limit: 1 },
    });
  });

  it("are read whole when they are longer than a piece", async () => {
    const data = Buffer.alloc(3_000_001, "abc");
    const { ctx } = open();
    await ctx.fs.write(join(inside, "long"), data);
    expect(Buffer.compare(Buffer.from(await ctx.fs.read(join(inside, "long"))), data)).toBe(0);
  });

  it("keep their permissions when they are replaced, and are another file than their hard links", async () => {
    await chmod(join(inside, "a.txt"), 0o750);
    await link(join(outside, "secret.txt"), join(inside, "hard"));
    const { ctx } = open();
    await ctx.fs.write(join(inside, "a.txt"), "x");
    expect(statSync(join(inside, "a.txt")).mode & 0o7777).toBe(0o750);
    // By the name inside it is covered: a hard link is a name as good as the other.
    expect(await ctx.fs.readText(join(inside, "hard"))).toBe(SECRET);
    await ctx.fs.write(join(inside, "hard"), "mine");
    outsideIsUntouched();
  });

  it("of the runtime are covered by no lease, and not told of [attack-runtime-data]", async () => {
    await symlink("sub/b.txt", join(inside, "link"));
    const { ctx, host } = open({ apart: [join(inside, "sub")] });
    for (const path of ["sub/b.txt", "sub", "link", "sub/none", "./sub/../sub/b.txt"].map(
      (name) => `${inside}/${name}`,
    )) {
      for (const attempt of [
        ctx.fs.stat(path),
        ctx.fs.write(path, "x"),
        ctx.fs.mkdir(path),
        ctx.authorize("fs.read", path),
      ].map((promise) => promise.catch((error: unknown) => error))) {
        expect(await attempt).toMatchObject({ ...denied, details: { target: path } });
      }
    }
    expect((await ctx.fs.list(inside)).map(({ name }) => name)).toEqual(["a.txt", "link"]);
    expect(JSON.stringify(host.entries)).not.toContain("below");
    expect(await readFile(join(inside, "sub/b.txt"), "utf8")).toBe("below");
    await expect(ctx.fs.remove(join(inside, "sub"))).rejects.toMatchObject(denied);
    await ctx.fs.write(join(inside, "subway"), "x");
  });

  it.runIf(process.platform === "linux")("are not what the system tells of its processes", async () => {
    const { ctx } = openTestContext({ "fs.read": ["**"], "fs.write": ["**"] });
    for (const path of [
      "/proc/self/environ",
      "/proc/thread-self/environ",
      `/proc/${process.ppid}/environ`,
      "/proc/self/root/proc/self/environ",
      "/dev/fd",
    ]) {
      await expect(ctx.fs.stat(path), path).rejects.toMatchObject(denied);
      await expect(ctx.authorize("fs.read", path), path).rejects.toMatchObject(denied);
    }
    await expect(ctx.fs.append("/proc/self/comm", "taken")).rejects.toMatchObject(denied);
    expect((await ctx.fs.list("/proc")).map(({ name }) => name).filter((name) => /^\d+$/.test(name))).toEqual([]);
    expect(await ctx.fs.readText("/proc/uptime")).toMatch(/^\d/);
  });

  it("are not made in a directory of more missing ones than can be asked about at once", async () => {
    const { ctx, host } = open();
    const path = (levels: number) => `${inside}${"/d".repeat(levels)}`;
    await expect(ctx.fs.mkdir(path(2_000))).rejects.toMatchObject({ details: { field: "fs.mkdir.path" } });
    expect(host.trace).toEqual([]);
    await ctx.fs.mkdir(path(32));
    await ctx.fs.mkdir(path(60));
    expect(statSync(path(60)).isDirectory()).toBe(true);
  });

  it("may be used many at a time", async () => {
    const { ctx } = open();
    const many = Array.from({ length: MAX_OPEN_FILES * 3 }, (_, n) => join(inside, `n${n}`));
    await Promise.all(many.map((path) => ctx.fs.write(path, path)));
    expect(await Promise.all(many.map((path) => ctx.fs.readText(path)))).toEqual(many);
    await Promise.all(many.map(() => ctx.fs.write(join(inside, "same"), "x".repeat(1_000))));
    expect(await ctx.fs.readText(join(inside, "same"))).toBe("x".repeat(1_000));
    expect((await readdir(inside)).filter((name) => name.startsWith("."))).toEqual([]);
  });
});

describe("no way out", () => {
  /** All that would read, and all that would write, through a path. */
  const attempts = ({ ctx: { fs } }: TestContext, path: string): readonly Promise<unknown>[] => [
    fs.read(path),
    fs.readText(path),
    fs.stat(path),
    fs.list(path),
    fs.write(path, "x"),
    fs.append(path, "x"),
    fs.mkdir(path),
  ];

  async function expectNoWay(path: string): Promise<void> {
    const context = open();
    for (const attempt of await Promise.allSettled(attempts(context, path))) {
      expect(attempt).toMatchObject({ status: "rejected", reason: denied });
    }
    const told = JSON.stringify(context.host.entries);
    expect(told).not.toContain(SECRET);
    // What the agent has not named itself it is not told.
    if (!path.includes("outside")) expect(told).not.toContain(outside);
    outsideIsUntouched();
  }

  it("by `..` [attack-fs-dot-dot]", async () => {
    for (const path of [
      `${inside}/../outside/secret.txt`,
      `${inside}/sub/../../outside/secret.txt`,
      `${inside}/./sub//../../outside/secret.txt`,
      `${inside}/none/../../outside/secret.txt`,
      `${inside}/../outside/new`,
      `${inside}/..`,
    ]) {
      await expectNoWay(path);
    }
  });

  it("by a link to a file, a directory, a link, or nothing [attack-fs-symlink]", async () => {
    await symlink(join(outside, "secret.txt"), join(inside, "file"));
    await symlink("../outside/secret.txt", join(inside, "relative"));
    await symlink(outside, join(inside, "directory"));
    await symlink("directory", join(inside, "chain"));
    await symlink("chain/secret.txt", join(inside, "longer"));
    await symlink(join(outside, "new"), join(inside, "dangling"));
    await symlink("../outside/new/deeper", join(inside, "deep"));
    await symlink("/proc/self/root", join(inside, "proc"));
    for (const name of [
      "file",
      "relative",
      "directory",
      "directory/",
      "directory/secret.txt",
      "directory/new",
      "directory/new/deeper",
      "chain/secret.txt",
      "longer",
      "dangling",
      "dangling/x",
      "deep",
      "sub/../directory/secret.txt",
      `proc${outside}/secret.txt`,
    ]) {
      await expectNoWay(join(inside).concat("/", name));
    }
    // What is there and what is not get one answer.
    const { ctx } = open();
    const [there, missing] = await Promise.all(
      ["directory/secret.txt", "directory/none"].map((name) =>
        ctx.fs.read(join(inside, name)).catch((error: Error) => error.message.replace(name, "…")),
      ),
    );
    expect(there).toBe(missing);
  });

  it("by links that lead in circles", async () => {
    await symlink("two", join(inside, "one"));
    await symlink("one", join(inside, "two"));
    const { ctx } = open();
    await expect(ctx.fs.read(join(inside, "one"))).rejects.toMatchObject({ code: expect.stringMatching(/^(ELOOP|P)/) });
    await ctx.fs.remove(join(inside, "one"));
    expect(await readdir(inside)).toEqual(["a.txt", "sub", "two"]);
  });

  it("by removing what a link leads to: the link itself goes", async () => {
    await symlink(join(outside, "secret.txt"), join(inside, "file"));
    await symlink(outside, join(inside, "directory"));
    const { ctx } = open();
    await ctx.fs.remove(join(inside, "file"));
    await expect(ctx.fs.remove(join(inside, "directory/secret.txt"))).rejects.toMatchObject(denied);
    await expect(ctx.fs.remove(`${inside}/directory/../outside`)).rejects.toMatchObject(denied);
    await ctx.fs.remove(join(inside, "directory"));
    outsideIsUntouched();
  });

  /** Runs `exchange` after the guard was asked for the first time: when the record is on the disk. */
  const whenChecked = (exchange: () => Promise<void>): TestContext => {
    let done = false;
    return open({
      async flushed() {
        if (done) return;
        done = true;
        await exchange();
      },
    });
  };

  it.each(["read", "stat", "list", "write", "append", "mkdir", "remove"] as const)(
    "by a directory that becomes a link between the check and %s [attack-fs-swap]",
    async (method) => {
      await writeFile(join(inside, "sub", "secret.txt"), "mine");
      const { ctx, calls } = whenChecked(async () => {
        await rename(join(inside, "sub"), join(inside, "moved"));
        await symlink(outside, join(inside, "sub"));
      });
      const path = join(inside, method === "list" ? "sub" : method === "mkdir" ? "sub/new" : "sub/secret.txt");
      await expect(ctx.fs[method](path, "x" as never)).rejects.toMatchObject({ code: expect.any(String) });
      expect(JSON.stringify(calls())).not.toContain(outside);
      outsideIsUntouched();
    },
  );

  it.each(["read", "stat", "write", "append"] as const)(
    "by a file that becomes a link between the check and %s [attack-fs-swap]",
    async (method) => {
      const { ctx } = whenChecked(async () => {
        await unlink(join(inside, "a.txt"));
        await symlink(join(outside, "secret.txt"), join(inside, "a.txt"));
      });
      await expect(ctx.fs[method](join(inside, "a.txt"), "x" as never)).rejects.toMatchObject(denied);
      outsideIsUntouched();
    },
  );

  describe("above", () => {
    let deep: string;
    let farAway: string;
    beforeEach(async () => {
      deep = join(inside, "sub/deep");
      farAway = join(root, "far");
      for (const directory of [deep, join(farAway, "deep")]) await mkdir(directory, { recursive: true });
      await writeFile(join(deep, "secret.txt"), "mine");
      await writeFile(join(farAway, "deep/secret.txt"), SECRET);
    });

    const exchange = async () => {
      await rename(join(inside, "sub"), join(inside, "moved"));
      await symlink(farAway, join(inside, "sub"));
    };
    const putBack = async () => {
      await unlink(join(inside, "sub"));
      await rename(join(inside, "moved"), join(inside, "sub"));
    };
    const farAwayIsUntouched = async () => {
      expect(await readdir(join(farAway, "deep"))).toEqual(["secret.txt"]);
      expect(await readFile(join(farAway, "deep/secret.txt"), "utf8")).toBe(SECRET);
    };

    it.each(["read", "stat", "list", "write", "append", "mkdir", "remove"] as const)(
      "by a directory that becomes a link between the check and %s [attack-fs-swap]",
      async (method) => {
        const { ctx, calls } = whenChecked(exchange);
        const path = method === "list" ? deep : join(deep, method === "mkdir" ? "new" : "secret.txt");
        await expect(ctx.fs[method](path, "x" as never)).rejects.toMatchObject(denied);
        expect(JSON.stringify(calls())).not.toContain(farAway);
        await farAwayIsUntouched();
      },
    );

    it("by a directory that is exchanged back and forth all the while [attack-fs-swap]", async () => {
      const { ctx } = open();
      const path = join(deep, "secret.txt");
      let over = false;
      const attacker = (async () => {
        while (!over) {
          await exchange();
          await putBack();
        }
      })();
      for (let round = 0; round < 80; round++) {
        const [read] = await Promise.allSettled([
          ctx.fs.readText(path),
          ctx.fs.write(path, "mine"),
          ctx.fs.append(join(deep, "more.txt"), "x"),
          ctx.fs.list(deep),
        ]);
        if (read.status === "fulfilled") expect(read.value).toBe("mine");
        await farAwayIsUntouched();
      }
      over = true;
      await attacker;
      expect(await ctx.fs.readText(path)).toBe("mine");
    });
  });

  it("[attack-fs-pipes] by pipes, sockets and devices: they are refused, and nobody waits for them", async () => {
    const pipe = join(inside, "pipe");
    const socket = join(inside, "socket");
    execFileSync("sh", ["-c", 'mkfifo "$0"', pipe]);
    const server = createServer().listen(socket);
    await new Promise((resolve) => server.once("listening", resolve));
    try {
      const { ctx } = openTestContext({
        "fs.read": [`${inside}/**`, "/dev/zero"],
        "fs.write": [`${inside}/**`, "/dev/null"],
      });
      const refused = { code: "INVALID_REQUEST", details: { field: "path" } };
      for (const path of [pipe, socket, inside, "/dev/zero"]) {
        await expect(ctx.fs.read(path)).rejects.toMatchObject(refused);
      }
      for (const path of [pipe, socket, join(inside, "sub"), "/dev/null"]) {
        await expect(ctx.fs.write(path, "x")).rejects.toMatchObject(refused);
        await expect(ctx.fs.append(path, "x")).rejects.toMatchObject(refused);
      }
      expect(await ctx.fs.stat(pipe)).toMatchObject({ type: "other" });
    } finally {
      server.close();
    }
  });
});

describe("a stop or an expiry", () => {
  it("between the record and the start: nothing is opened [arcp-9.5-checked-on-every-operation]", async () => {
    const context = open({
      expiresInMs: 1_000,
      flushed: () => context.world.advance(1_000),
    });
    await expect(context.ctx.fs.write(join(inside, "a.txt"), "late")).rejects.toMatchObject({ code: "LEASE_EXPIRED" });
    const stopped = new CodedError("CANCELLED", "stop");
    const other = open({ flushed: () => other.host.stop(stopped) });
    await expect(other.ctx.fs.write(join(inside, "a.txt"), "late")).rejects.toBe(stopped);
    expect(await readFile(join(inside, "a.txt"), "utf8")).toBe("hello");
    expect(await readdir(inside)).toEqual(["a.txt", "sub"]);
  });

  it("does not say where links lead", async () => {
    await symlink(outside, join(inside, "directory"));
    const { ctx, world, host } = open({ expiresInMs: 1_000 });
    await world.advance(1_000);
    const path = join(inside, "directory/secret.txt");
    await expect(ctx.fs.read(path)).rejects.toMatchObject({ code: "LEASE_EXPIRED", details: { target: path } });
    expect(JSON.stringify(host.entries)).not.toContain(outside);
  });
});
