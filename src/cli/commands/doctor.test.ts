import { once } from "node:events";
import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer as createHttpServer, type RequestListener } from "node:http";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { defineAgent } from "../../agents/define-agent.ts";
import { createTokens, TOKEN_FILE } from "../../identity/token-file.ts";
import { createSystemWorld } from "../../platform/system-world.ts";
import type { World } from "../../platform/world.ts";
import type { ListenOptions } from "../../server/listener.ts";
import { createRuntime } from "../../server/runtime.ts";
import { FIRST } from "../../server/test-certificates.ts";
import { openSqliteStore } from "../../stores/sqlite/sqlite-store.ts";
import type { Finding } from "../doctor/finding.ts";
import { checkNode } from "../doctor/machine.ts";
import { createTestIo } from "../test-io.ts";
import { type DoctorOptions, doctor } from "./doctor.ts";

const cleanUps: (() => unknown)[] = [];
let cwd: string;
beforeEach(async () => {
  cwd = await mkdtemp(join(tmpdir(), "leasehold-doctor-"));
  cleanUps.push(() => rm(cwd, { recursive: true }));
});
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).toReversed()) await cleanUp();
});

interface Examined {
  readonly code: number;
  readonly findings: Readonly<Record<string, Finding>>;
  readonly summary: unknown;
}

async function examine(options: Partial<DoctorOptions> = {}, offsetMs = 0): Promise<Examined> {
  const system = createSystemWorld();
  const world: World = { ...system, clock: { now: () => system.clock.now() + offsetMs } };
  const io = createTestIo({ cwd });
  const code = await doctor({ data: "data", host: "127.0.0.1", port: "0", json: true, ...options }, { ...io, world });
  const lines = io.stdout.lines.map((line) => JSON.parse(line));
  const summary = lines.pop();
  return { code, summary, findings: Object.fromEntries(lines.map((line: Finding) => [line.check, line])) };
}

const data = () => join(cwd, "data");
const makeData = async () => {
  await (await openSqliteStore({ directory: data() })).close();
  return createTokens(join(data(), TOKEN_FILE), createSystemWorld());
};

async function serve(answer: RequestListener): Promise<string> {
  const server = createHttpServer(answer).listen(0, "127.0.0.1");
  await once(server, "listening");
  cleanUps.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return `ws://127.0.0.1:${(server.address() as AddressInfo).port}/arcp`;
}

async function serveRuntime(options: ListenOptions = {}) {
  const { token } = await (await makeData()).create({ name: "ada" });
  const echo = defineAgent({ name: "echo", version: "1.0.0", run: async (_, input) => input });
  const runtime = await createRuntime({ agents: [echo], data: data() });
  cleanUps.push(() => runtime.close());
  const { url, port } = await runtime.listen({ port: 0, ...options });
  return { url, port: String(port), token };
}

describe("this machine", () => {
  it("passes before anything was ever started", async () => {
    const { code, findings, summary } = await examine();
    expect(code).toBe(0);
    expect(findings).toMatchObject({
      node: { status: "ok", message: process.versions.node },
      "data directory": { status: "skip" },
      disk: { status: "ok" },
      port: { status: "ok" },
      runtime: { status: "skip", remedy: expect.stringContaining("leasehold dev") },
    });
    expect(summary).toEqual({ type: "summary", ok: 3, warnings: 0, failed: 0, skipped: 2 });
  });

  it("needs a Node that is new enough", () => {
    expect(checkNode("22.14.0")).toMatchObject({ status: "fail", remedy: expect.stringContaining("24") });
    expect(checkNode("25.0.0")).toMatchObject({ status: "ok" });
  });

  it("passes with a database and a token, and warns of none, or of an expired one only", async () => {
    const tokens = await makeData();
    expect((await examine()).findings).toMatchObject({ store: { status: "ok" }, tokens: { status: "warn" } });
    await tokens.create({ name: "short", expiresAt: createSystemWorld().clock.now() + 60_000 });
    expect((await examine()).findings.tokens).toMatchObject({ status: "ok", message: "1 valid, 0 expired" });
    expect((await examine({}, 120_000)).findings.tokens).toMatchObject({ status: "warn" });
  });

  it("warns of a directory that others may enter", async () => {
    await makeData();
    await chmod(data(), 0o755);
    const { code, findings } = await examine();
    expect([code, findings["data directory"]]).toEqual([
      0,
      expect.objectContaining({ status: "warn", remedy: `run chmod 700 ${data()}` }),
    ]);
  });

  it("fails over a file in the directory's place, a damaged database, and a damaged token file", async () => {
    await writeFile(data(), "");
    expect(await examine()).toMatchObject({ code: 1, findings: { "data directory": { status: "fail" } } });
    await rm(data());
    await mkdir(data(), { mode: 0o700 });
    await writeFile(join(data(), "leasehold.db"), "this is no database".repeat(1_000));
    await writeFile(join(data(), TOKEN_FILE), "{");
    expect(await examine()).toMatchObject({
      code: 1,
      findings: { store: { status: "fail" }, tokens: { status: "fail" } },
    });
  });

  it("tells who listens on the port, if somebody does", async () => {
    const stranger = createServer((socket) => socket.end("220 hello\r\n")).listen(0, "127.0.0.1");
    await once(stranger, "listening");
    cleanUps.push(() => stranger.close());
    const port = String((stranger.address() as AddressInfo).port);
    expect((await examine({ port })).findings.port).toMatchObject({ status: "warn" });
    expect((await examine({ host: "203.0.113.1" })).findings.port).toMatchObject({ status: "fail" });
  });
});

describe("a running runtime", () => {
  it("passes when all is well, and is named as the one that has the directory", async () => {
    const { url, port, token } = await serveRuntime();
    const { code, findings } = await examine({ url, token, port });
    expect(code).toBe(0);
    expect(findings).toMatchObject({
      store: { status: "ok", message: `in use by process ${process.pid}` },
      port: { status: "ok", message: expect.stringContaining("a runtime answers") },
      runtime: { status: "ok" },
      session: { status: "ok", message: expect.stringMatching(/agents: echo; features: .*\bsubscribe\b/) },
      clock: { status: "ok" },
    });
  });

  it("fails by a wrong token, and says what to check", async () => {
    const { url } = await serveRuntime();
    expect(await examine({ url, token: "wrong" })).toMatchObject({
      code: 1,
      findings: { session: { status: "fail", remedy: expect.stringContaining("token") }, clock: { status: "skip" } },
    });
  });

  it.each([
    [5_000, "warn", "behind"],
    [-60_000, "fail", "ahead"],
  ])("is told from one whose clock is off by %i ms", async (offset, status, word) => {
    const { url, token } = await serveRuntime();
    const { clock } = (await examine({ url, token }, offset)).findings;
    expect(clock).toMatchObject({ status, message: expect.stringContaining(word) });
  });

  it("fails when it is not reached, and warns when it is not ready, or none of ours", async () => {
    const gone = createServer().listen(0, "127.0.0.1");
    await once(gone, "listening");
    const { port } = gone.address() as AddressInfo;
    gone.close();
    await once(gone, "close");
    const { runtime } = (await examine({ url: `ws://127.0.0.1:${port}/arcp`, token: "t" })).findings;
    expect(runtime).toMatchObject({ status: "fail", message: expect.stringContaining("ECONNREFUSED") });
    const failing = await serve((_, response) => {
      response.writeHead(503).end('{"status":"not_ready","reason":"store_failing"}');
    });
    expect((await examine({ url: failing, token: "t" })).findings.runtime).toMatchObject({ status: "warn" });
    const stranger = await serve((_, response) => response.end("hello"));
    expect((await examine({ url: stranger, token: "t" })).findings).toMatchObject({
      runtime: { status: "warn" },
      session: { status: "fail" },
    });
  });

  it("is told when its certificate is not trusted, or has expired", async () => {
    const cert = join(cwd, "cert.pem");
    const key = join(cwd, "key.pem");
    await writeFile(cert, FIRST.cert);
    await writeFile(key, FIRST.key);
    const { url, token } = await serveRuntime({ tls: { cert, key } });
    const { code, findings } = await examine({ url, token });
    expect([code, findings.certificate]).toEqual([
      1,
      expect.objectContaining({ status: "fail", remedy: expect.stringContaining("NODE_EXTRA_CA_CERTS") }),
    ]);
    const later = (await examine({ url, token }, 120 * 365 * 86_400_000)).findings.certificate;
    expect(later).toMatchObject({ status: "fail", message: expect.stringContaining("expired") });
  });
});

it("prints a line for each check for people, with what to do below it", async () => {
  const io = createTestIo({ cwd });
  await doctor({ data: "data", host: "127.0.0.1", port: "0" }, { ...io, world: createSystemWorld() });
  expect(io.stdout.lines[0]).toMatch(/^ok {4}node {12}\d/);
  expect(io.stdout.text).toMatch(/\n {22}→ start one/);
  expect(io.stdout.lines.at(-1)).toBe("0 failed, 0 warnings");
});
