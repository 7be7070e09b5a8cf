import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { aJob } from "../contract/rows.ts";
import { openSqliteStore } from "./sqlite-store.ts";

const STORE_MODULE = new URL("./sqlite-store.ts", import.meta.url).href;
const ROWS_MODULE = new URL("../contract/rows.ts", import.meta.url).href;

/** Opens the store, makes sure that it holds the job "theirs", says so, and keeps the store open until it is killed or its input ends. */
const HOLDER = `
  const { openSqliteStore } = await import(${JSON.stringify(STORE_MODULE)});
  const { aJob } = await import(${JSON.stringify(ROWS_MODULE)});
  const store = await openSqliteStore({ directory: process.argv[1] });
  if (!(await store.readJob("theirs"))) await store.commit({ claims: [], rows: { jobs: [aJob("theirs")] } });
  console.log("open");
  process.stdin.resume().on("end", () => store.close());
`;

describe("a data directory in use", () => {
  let directory: string;
  let children: ChildProcessWithoutNullStreams[];

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "leasehold-lock-"));
    children = [];
  });
  afterEach(async () => {
    for (const child of children.filter(({ exitCode, signalCode }) => exitCode === null && signalCode === null)) {
      child.kill("SIGKILL");
      await once(child, "exit");
    }
    rmSync(directory, { recursive: true });
  });

  async function startHolder(): Promise<ChildProcessWithoutNullStreams> {
    const child = spawn(process.execPath, ["--input-type=module", "--eval", HOLDER, directory]);
    children.push(child);
    child.stderr.pipe(process.stderr);
    await once(child.stdout, "data");
    return child;
  }

  /** The data's bytes: the lock and the pid are not data. */
  const dataFiles = () =>
    readdirSync(directory)
      .filter((name) => name === "leasehold.db" || name === "leasehold.db-wal")
      .map((name) => [name, readFileSync(join(directory, name)).toString("base64")]);

  async function opens(): Promise<boolean> {
    const store = await openSqliteStore({ directory });
    const found = await store.readJob("theirs");
    await store.close();
    return found !== undefined;
  }

  it("refuses a second process, names the first one's pid, and touches nothing", async () => {
    const child = await startHolder();
    const before = dataFiles();
    const refused = openSqliteStore({ directory });
    await expect(refused).rejects.toThrow(`${directory} is in use by process ${child.pid}`);
    await expect(refused).rejects.toMatchObject({ name: "StoreError", fatal: false });
    expect(dataFiles()).toEqual(before);
  });

  it("is free as soon as the first process was killed, with what it committed", async () => {
    for (let cycle = 0; cycle < 2; cycle++) {
      const child = await startHolder();
      child.kill("SIGKILL");
      await once(child, "exit");
      expect(await opens()).toBe(true);
    }
  });

  it("is free once the first process closed its store", async () => {
    const child = await startHolder();
    child.stdin.end();
    await once(child, "exit");
    expect(await opens()).toBe(true);
    expect(readdirSync(directory)).not.toContain("leasehold.pid");
  });

  it("refuses a second store in the same process", async () => {
    const store = await openSqliteStore({ directory });
    await expect(openSqliteStore({ directory })).rejects.toThrow(`in use by process ${process.pid}`);
    await store.commit({ claims: [], rows: { jobs: [aJob("theirs")] } });
    await expect(openSqliteStore({ directory })).rejects.toThrow("in use");
    await store.close();
    expect(await opens()).toBe(true);
  });

  it("is not locked by a pid that was left behind, whoever has that number now", async () => {
    writeFileSync(join(directory, "leasehold.pid"), `${process.ppid}\n`);
    expect(await opens()).toBe(false);
  });

  it("names no process that is not there", async () => {
    const store = await openSqliteStore({ directory });
    writeFileSync(join(directory, "leasehold.pid"), "not a pid");
    await expect(openSqliteStore({ directory })).rejects.toThrow("in use by another process");
    await store.close();
  });
});
