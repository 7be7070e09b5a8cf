import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { findTarget } from "./connection.ts";
import { devFilePath, readDevFile, removeDevFile, writeDevFile } from "./dev-file.ts";
import { createTestIo } from "./test-io.ts";

const DEV = { url: "ws://127.0.0.1:7001/arcp", token: "dev-token", pid: 77 };
let cwd = "";

beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), "leasehold-cli-"));
});
afterEach(() => rmSync(cwd, { recursive: true }));

describe("findTarget", () => {
  it("takes options before the environment before the file", async () => {
    await writeDevFile(cwd, DEV);
    const env = { LEASEHOLD_URL: "ws://env/arcp", LEASEHOLD_TOKEN: "env-token" };
    const io = createTestIo({ cwd, env, alive: [77] });
    expect(await findTarget({ url: "ws://option/arcp", token: "t" }, io)).toEqual({
      url: "ws://option/arcp",
      token: "t",
    });
    expect(await findTarget({ token: "t" }, io)).toEqual({ url: "ws://env/arcp", token: "t" });
    expect(await findTarget({}, io)).toEqual({ url: "ws://env/arcp", token: "env-token" });
    expect(await findTarget({}, createTestIo({ cwd, alive: [77] }))).toEqual({ url: DEV.url, token: DEV.token });
  });

  it.each([
    ["http://127.0.0.1:7001", "ws://127.0.0.1:7001/arcp"],
    ["https://runtime.example", "wss://runtime.example/arcp"],
    ["wss://runtime.example/other", "wss://runtime.example/other"],
  ])("takes %s for %s", async (url, expected) => {
    expect((await findTarget({ url, token: "t" }, createTestIo({ cwd }))).url).toBe(expected);
  });

  it("sends the file's token to the file's URL only", async () => {
    await writeDevFile(cwd, DEV);
    const io = createTestIo({ cwd, alive: [77] });
    expect(await findTarget({ url: "http://127.0.0.1:7001" }, io)).toEqual({ url: DEV.url, token: DEV.token });
    await expect(findTarget({ url: "ws://elsewhere/arcp" }, io)).rejects.toMatchObject({
      code: "NO_TARGET",
      exitCode: 6,
    });
  });

  it("sends a token of the environment to a URL of the file on this machine only: projects come from anywhere", async () => {
    const io = createTestIo({ cwd, env: { LEASEHOLD_TOKEN: "of-production" }, alive: [77] });
    await writeDevFile(cwd, DEV);
    expect(await findTarget({}, io)).toEqual({ url: DEV.url, token: "of-production" });
    for (const url of ["wss://evil.example/arcp", "ws://127.0.0.1.evil.example/arcp"]) {
      await writeDevFile(cwd, { ...DEV, url });
      const refused = { code: "NO_TARGET", exitCode: 6, message: expect.not.stringContaining("of-production") };
      await expect(findTarget({}, io)).rejects.toMatchObject(refused);
      await expect(findTarget({ token: "typed" }, createTestIo({ cwd, alive: [77] }))).rejects.toMatchObject(refused);
    }
  });

  it("says what to set when nothing is known", async () => {
    const error = findTarget({}, createTestIo({ cwd, env: { LEASEHOLD_URL: "" } }));
    await expect(error).rejects.toMatchObject({
      code: "NO_TARGET",
      exitCode: 7,
      remedy: expect.stringMatching(/leasehold dev.*LEASEHOLD_URL.*LEASEHOLD_TOKEN/),
    });
  });

  it("sees that the runtime of the file is gone", async () => {
    await writeDevFile(cwd, DEV);
    const error = findTarget({}, createTestIo({ cwd }));
    await expect(error).rejects.toMatchObject({ exitCode: 7, message: expect.stringContaining("77") });
  });

  it("refuses what is no URL of a runtime", async () => {
    const error = findTarget({ url: "file:///etc/passwd", token: "t" }, createTestIo({ cwd }));
    await expect(error).rejects.toMatchObject({ code: "USAGE", exitCode: 1 });
  });
});

describe("the development file", () => {
  it("is its owner's alone, also where another stood before, and leaves nothing beside it", async () => {
    await writeDevFile(cwd, { ...DEV, pid: 1 });
    await writeDevFile(cwd, DEV);
    expect(statSync(devFilePath(cwd)).mode & 0o777).toBe(0o600);
    expect(readdirSync(join(cwd, ".leasehold"))).toEqual(["dev.json"]);
    expect(await readDevFile(cwd)).toEqual(DEV);
  });

  it("is removed by the process it belongs to only", async () => {
    await writeDevFile(cwd, DEV);
    await removeDevFile(cwd, 78);
    expect(await readDevFile(cwd)).toEqual(DEV);
    await removeDevFile(cwd, 77);
    expect(await readDevFile(cwd)).toBeUndefined();
  });
});
