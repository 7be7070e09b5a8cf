import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createSystemWorld } from "../platform/system-world.ts";
import { createFakeWorld } from "../testing/fake-world.ts";
import { LOCK_WAIT_MS } from "./file-lock.ts";
import { createTokens } from "./token-file.ts";
import { hashToken } from "./token-hash.ts";

let directory: string;
let file: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "leasehold-tokens-"));
  file = join(directory, "data", "tokens.json");
});

afterEach(() => rm(directory, { recursive: true }));

const code = (expected: string) => expect.objectContaining({ name: "TokenFileError", code: expected });

describe("a token", () => {
  test("authenticates as the principal it was made for", async () => {
    const tokens = createTokens(file, createFakeWorld());
    const plain = await tokens.create({ name: "alice" });
    const full = await tokens.create({ name: "ci", principal: "ci-bot", tenant: "acme", roles: ["user", "operator"] });
    expect(plain.token).toMatch(/^lh_[A-Za-z0-9_-]{43}$/);
    expect(plain.id).toMatch(/^tok_/);
    expect(await tokens.authenticate(plain.token)).toEqual({ id: "alice", tenant: "default", roles: ["user"] });
    expect(await tokens.authenticate(full.token)).toEqual({
      id: "ci-bot",
      tenant: "acme",
      roles: ["user", "operator"],
    });
    expect(await tokens.authenticate(`${plain.token}x`)).toBeUndefined();
    expect(await tokens.authenticate("")).toBeUndefined();
    expect(await tokens.authenticate(hashToken(plain.token))).toBeUndefined();
  });

  test("is not in the file, nor its hash in a listing", async () => {
    const world = createFakeWorld();
    const tokens = createTokens(file, world);
    const expiresAt = world.clock.now() + 60_000;
    const { id, token } = await tokens.create({ name: "alice", expiresAt });
    const text = await readFile(file, "utf8");
    expect(text).not.toContain(token);
    expect(JSON.parse(text)).toEqual({
      version: 1,
      tokens: [
        {
          id,
          name: "alice",
          principal: "alice",
          tenant: "default",
          roles: ["user"],
          hash: hashToken(token),
          created_at: "2026-01-01T00:00:00.000Z",
          expires_at: "2026-01-01T00:01:00.000Z",
        },
      ],
    });
    const createdAt = world.clock.now();
    expect(await tokens.list()).toEqual([
      { id, name: "alice", principal: "alice", tenant: "default", roles: ["user"], createdAt, expiresAt },
    ]);
  });

  test("is refused from the moment it expires", async () => {
    const world = createFakeWorld();
    const tokens = createTokens(file, world);
    const { token } = await tokens.create({ name: "alice", expiresAt: world.clock.now() + 1_000 });
    await world.advance(999);
    expect(await tokens.authenticate(token)).toMatchObject({ id: "alice" });
    await world.advance(1);
    expect(await tokens.authenticate(token)).toBeUndefined();
    expect(await tokens.list()).toHaveLength(1);
  });

  test("is revoked by id or by name, for every reader of the file", async () => {
    const world = createFakeWorld();
    const serving = createTokens(file, world);
    const command = createTokens(file, world);
    const first = await command.create({ name: "first" });
    const second = await command.create({ name: "second" });
    const third = await command.create({ name: "third" });
    expect(await serving.authenticate(first.token)).toBeDefined();
    expect(await command.revoke(first.id)).toMatchObject({ id: first.id, name: "first" });
    expect(await command.revoke("second")).toMatchObject({ id: second.id });
    expect(await command.revoke("second")).toBeUndefined();
    expect(await serving.authenticate(first.token)).toBeUndefined();
    expect(await serving.authenticate(second.token)).toBeUndefined();
    expect(await serving.authenticate(third.token)).toMatchObject({ id: "third" });
    expect((await serving.list()).map(({ name }) => name)).toEqual(["third"]);
  });

  test("cannot have a name in use, or one that reads as an id", async () => {
    const tokens = createTokens(file, createFakeWorld());
    await tokens.create({ name: "alice" });
    await expect(tokens.create({ name: "alice" })).rejects.toEqual(code("name_taken"));
    await tokens.revoke("alice");
    await tokens.create({ name: "alice" });
    await expect(tokens.create({ name: "tok_1" })).rejects.toEqual(code("invalid"));
  });

  test.each([
    [{ name: "" }, "name"],
    [{ name: "two words" }, "name"],
    [{ name: "a".repeat(129) }, "name"],
    [{ name: "a", principal: "a/b" }, "principal"],
    [{ name: "a", tenant: "../b" }, "tenant"],
    [{ name: "a", roles: [] }, "roles"],
    [{ name: "a", expiresAt: 0 }, "expiry"],
    [{ name: "a", expiresAt: Number.NaN }, "expiry"],
  ])("%j is refused, and says why", async (request, field) => {
    const tokens = createTokens(file, createFakeWorld());
    const refused = expect(tokens.create(request)).rejects;
    await refused.toEqual(code("invalid"));
    await refused.toThrow(field);
    expect(await tokens.list()).toEqual([]);
  });
});

describe("the file", () => {
  test("when missing, knows nobody and lists nothing", async () => {
    const tokens = createTokens(file, createFakeWorld());
    expect(await tokens.authenticate("lh_x")).toBeUndefined();
    expect(await tokens.list()).toEqual([]);
    expect(await tokens.revoke("x")).toBeUndefined();
  });

  test("is its owner's alone, also when it was not before, and leaves nothing half-written beside it", async () => {
    const tokens = createTokens(file, createFakeWorld());
    await tokens.create({ name: "alice" });
    await chmod(file, 0o644);
    await writeFile(`${file}.new`, "left by a crash", { mode: 0o644 });
    await tokens.create({ name: "bob" });
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect((await stat(join(directory, "data"))).mode & 0o777).toBe(0o700);
    expect((await readdir(join(directory, "data"))).sort()).toEqual(["tokens.json", "tokens.json.lock"]);
  });

  test.each([
    ["empty", ""],
    ["cut short", '{"version":1,"tokens":[{"id":"tok_1"'],
    ["of another version", '{"version":2,"tokens":[]}'],
    ["no object", "[]"],
    ["missing a field", '{"version":1,"tokens":[{"id":"tok_1","name":"a"}]}'],
  ])("when %s, is an error that names it: nobody is let in and nothing overwritten", async (_, text) => {
    const tokens = createTokens(file, createFakeWorld());
    const { token } = await tokens.create({ name: "alice" });
    await writeFile(file, text);
    for (const attempt of [
      () => tokens.authenticate(token),
      () => tokens.list(),
      () => tokens.create({ name: "bob" }),
      () => tokens.revoke("alice"),
    ]) {
      await expect(attempt()).rejects.toEqual(code("corrupt"));
      await expect(attempt()).rejects.toThrow(file);
    }
    expect(await readFile(file, "utf8")).toBe(text);
  });

  test("with an expiry that is no date is damaged, not valid for ever", async () => {
    const tokens = createTokens(file, createFakeWorld());
    const { token } = await tokens.create({ name: "alice", expiresAt: Date.UTC(2026, 1, 28) });
    await writeFile(file, (await readFile(file, "utf8")).replace("2026-02-28T00:00:00.000Z", "2026-02-28T00:00:00+01"));
    await expect(tokens.authenticate(token)).rejects.toEqual(code("corrupt"));
  });
});

describe("changes of the file", () => {
  test("are told at the next reading, whoever made them; what was there before is not", async () => {
    const world = createFakeWorld();
    const command = createTokens(file, world);
    const old = await command.create({ name: "old" });
    const told: [string, string][] = [];
    const serving = createTokens(file, world, ({ action, token }) => told.push([action, token.name]));
    await serving.list();
    expect(told).toEqual([]);
    await command.create({ name: "new", roles: ["operator"] });
    await command.revoke(old.id);
    expect(told).toEqual([]);
    await serving.authenticate("anything");
    await serving.list();
    expect(told).toEqual([
      ["revoked", "old"],
      ["created", "new"],
    ]);
  });

  test("are told of a file that was not there, or that was taken away", async () => {
    const world = createFakeWorld();
    const told: string[] = [];
    const serving = createTokens(file, world, ({ action, token }) => told.push(`${action} ${token.name}`));
    await serving.list();
    await createTokens(file, world).create({ name: "first" });
    await serving.list();
    await rm(file);
    await serving.list();
    expect(told).toEqual(["created first", "revoked first"]);
  });
});

describe("writers at the same time", () => {
  test("of one process lose nothing", async () => {
    const world = createSystemWorld();
    const writers = Array.from({ length: 8 }, () => createTokens(file, world));
    const made = await Promise.all(writers.map((tokens, index) => tokens.create({ name: `t${index}` })));
    for (const { token } of made) expect(await createTokens(file, world).authenticate(token)).toBeDefined();
  });

  test("of several processes lose nothing", async () => {
    const program = `
      import { createTokens } from ${JSON.stringify(new URL("./token-file.ts", import.meta.url).href)};
      import { createSystemWorld } from ${JSON.stringify(new URL("../platform/system-world.ts", import.meta.url).href)};
      const [file, name] = process.argv.slice(1);
      const world = createSystemWorld();
      const writers = [createTokens(file, world), createTokens(file, world)];
      for (let count = 0; count < 10; count += 2)
        await Promise.all(writers.map((tokens, index) => tokens.create({ name: name + (count + index) })));
    `;
    const children = ["a", "b", "c"].map((name) =>
      spawn(process.execPath, ["--input-type=module", "--eval", program, file, name], { stdio: "inherit" }),
    );
    const exits = await Promise.all(children.map((child) => once(child, "exit")));
    expect(exits.map(([status]) => status)).toEqual([0, 0, 0]);
    const names = (await createTokens(file, createFakeWorld()).list()).map(({ name }) => name);
    expect(names.sort()).toEqual(["a", "b", "c"].flatMap((name) => Array.from({ length: 10 }, (_, i) => name + i)));
  });

  test("wait for a lock, and give up with an error that names the file; a holder's death frees it", async () => {
    const world = createFakeWorld();
    const tokens = createTokens(file, world);
    await tokens.create({ name: "alice" });
    const program = `
      import { DatabaseSync } from "node:sqlite";
      const database = new DatabaseSync(process.argv[1]);
      database.exec("BEGIN EXCLUSIVE");
      console.log("held");
      setInterval(() => database.isOpen, 1e6);
    `;
    const holder = spawn(process.execPath, ["--input-type=module", "--eval", program, `${file}.lock`], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const died = once(holder, "exit");
    try {
      await once(holder.stdout, "data");
      const waiting = tokens.create({ name: "bob" });
      const refused = expect(waiting).rejects.toEqual(code("locked"));
      let isOver = false;
      void waiting.catch(() => {
        isOver = true;
      });
      const start = world.clock.now();
      // Each round waits for the real file system, and moves the fake clock by one retry.
      while (!isOver) {
        await stat(file);
        await world.advance(20);
      }
      await refused;
      expect(world.clock.now() - start).toBeGreaterThanOrEqual(LOCK_WAIT_MS);
      expect(world.pendingTimers).toBe(0);
    } finally {
      holder.kill("SIGKILL");
      await died;
    }
    await tokens.create({ name: "bob" });
    expect(await tokens.list()).toHaveLength(2);
  });
});
