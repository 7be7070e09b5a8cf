/** Isolated agents that try to get out, for this folder's tests: each tells what it got, or how it was refused. */
import childProcess from "node:child_process";
import cluster from "node:cluster";
import crypto from "node:crypto";
import dgram from "node:dgram";
import dns from "node:dns";
import { once } from "node:events";
import fs from "node:fs";
import inspector from "node:inspector";
import { createRequire } from "node:module";
import net from "node:net";
import os from "node:os";
import { dirname, join, relative } from "node:path";
import process, { kill } from "node:process";
import type * as Sqlite from "node:sqlite";
import { promisify } from "node:util";
import v8 from "node:v8";
import { WASI } from "node:wasi";
import { Worker } from "node:worker_threads";
import { type AgentContext, defineAgent } from "leasehold";
import { createSystemWorld } from "../../platform/system-world.ts";

const isolated = { version: "1.0.0", isolate: "process", module: import.meta.url } as const;
const require = createRequire(import.meta.url);
const hidden = process as unknown as Readonly<Record<string, (...args: unknown[]) => unknown>>;

const { timers } = createSystemWorld();
const nextTurn = (): Promise<void> => new Promise((resolve) => timers.soon(resolve));

/** Each is given a path of the test's choice. */
const ESCAPES: Readonly<Record<string, (path: string, ctx: AgentContext) => unknown>> = {
  "read a file by the runtime": (path, { fs }) => fs.readText(path),
  "read a file": (path) => fs.readFileSync(path, "utf8"),
  "read a file by a buffer": (path) => fs.readFileSync(Buffer.from(path), "utf8"),
  "read a file by promises": (path) => fs.promises.readFile(path, "utf8"),
  "read a file as a blob": async (path) => (await fs.openAsBlob(path)).text(),
  "copy a file": (path) => fs.copyFileSync(path, `${path}.copy`),
  "list a directory": (path) => fs.readdirSync(path),
  "watch a directory": (path) => fs.watch(path).close(),
  "write a file": (path) => fs.writeFileSync(path, "x"),
  "remove a file": (path) => fs.rmSync(path),
  "rename a file": (path) => fs.renameSync(path, `${path}.renamed`),
  "make a symlink": (path) => fs.symlinkSync(path, `${path}.link`),
  "make a hard link": (path) => fs.linkSync(path, `${path}.link`),
  "import a file": (path) => import(path),
  "require a file": (path) => require(path),
  "load an environment file": (path) => process.loadEnvFile(path),
  "change directory": (path) => process.chdir(path),
  "read a file while it changes directory": readWhileMoving,
  "make a socket's file": (path) => once(net.createServer().listen(`${path}.socket`), "listening").then(() => null),
  "connect to a socket's file": (path) => once(net.connect(path), "connect").then(() => null),
  "write a heap snapshot": (path) => v8.writeHeapSnapshot(path),
  "write a report": (path) => process.report.writeReport(path),
  "open a database": (path) => openDatabase(require("node:sqlite"), path),
  "open a database, imported": async (path) => openDatabase(await import("node:sqlite"), path),
  "open a database, built in": (path) => openDatabase(process.getBuiltinModule("node:sqlite"), path),
  "start a process": () => childProcess.execFileSync("/bin/true"),
  "start a process by spawn": () => childProcess.spawn("/bin/true").pid,
  "fork itself": () => childProcess.fork(process.argv[1] ?? "").pid,
  "fork a cluster": () => cluster.fork(),
  "hold a process that was never started": () => new childProcess.ChildProcess().kill(0),
  "start a thread": () => new Worker("", { eval: true }),
  "become another program": () => hidden.execve?.("/bin/true", ["true"], {}),
  "load an addon": () => hidden.dlopen?.({ exports: {} }, "/tmp/addon.node"),
  "use WASI": () => new WASI({ version: "preview1" }),
  "use a binding": () => hidden.binding?.("fs"),
  "use a linked binding": () => hidden._linkedBinding?.("fs"),
  "open an inspector": () => inspector.open(0, "127.0.0.1"),
  "connect an inspector": () => new inspector.Session().connect(),
  "connect over TCP": () => once(net.connect(9, "127.0.0.1"), "connect").then(() => null),
  "connect over TCP, by a handle": () => {
    const socket = new net.Socket();
    socket.connect({ host: "none", port: 1, lookup: () => {} });
    const { _handle } = socket as unknown as { readonly _handle: { connect(...args: unknown[]): number } };
    return assertDone(_handle.connect({}, "127.0.0.1", 9));
  },
  "fetch over TCP": async () =>
    (await fetch("http://localhost:49151/").catch(({ cause }) => Promise.reject(cause))).status,
  "listen over TCP": () => once(net.createServer().listen(0, "127.0.0.1"), "listening").then(() => null),
  "open a port over UDP, by a handle": () => {
    const socket = dgram.createSocket("udp4") as unknown as Readonly<Record<symbol, { readonly handle?: unknown }>>;
    const states = Object.getOwnPropertySymbols(socket).map((symbol) => socket[symbol]);
    const { handle } = states.find((state) => state?.handle !== undefined) ?? {};
    return assertDone((handle as { bind(...args: unknown[]): number }).bind("127.0.0.1", 0, 0));
  },
  "look up a name": () => dns.promises.lookup("localhost"),
  "look up a name, by a call": () => promisify(dns.lookup)("localhost"),
  "look up a name, by a resolver": () => new dns.Resolver().setServers(["127.0.0.1"]),
  "signal the runtime": () => process.kill(process.ppid, 0),
  "signal the runtime, imported": () => kill(process.ppid, 0),
  "signal the runtime, deeper": () => hidden._kill?.(process.ppid, 0),
  "debug the runtime": () => hidden._debugProcess?.(process.ppid),
  "slow the runtime down": () => os.setPriority(process.ppid, 19),
  "unlock the engine": () => v8.setFlagsFromString("--allow-natives-syntax"),
  "become another user": () => hidden.setuid?.(0),
  "read the runtime's environment": () => fs.readFileSync(`/proc/${process.ppid}/environ`, "utf8"),
  "read the runtime's memory": () => fs.readFileSync(`/proc/${process.ppid}/maps`, "utf8"),
};

/** What a handle returns is an error of the system when it is negative. */
function assertDone(code: number): number {
  if (code >= 0) return code;
  throw Object.assign(new Error(`a handle refused with ${code}`), {
    code: code === -os.constants.errno.EACCES ? "EACCES" : "",
  });
}

/** A relative path is checked from one directory and opened, once a thread is free for it, from another. */
async function readWhileMoving(path: string): Promise<string> {
  // Directories that it may read without a lease; seen from below, the path leads to a place within the one above.
  const above = dirname(dirname(require.resolve("zod")));
  const below = join(above, "zod", "v4", "core");
  process.chdir(below);
  for (let index = 0; index < 16; index++) crypto.pbkdf2("a", "b", 100_000, 64, "sha512", () => {});
  const reading = fs.promises.readFile(relative(above, path), "utf8");
  process.chdir(above);
  return await reading;
}

export const ESCAPE_NAMES = Object.keys(ESCAPES);

function openDatabase({ DatabaseSync }: typeof Sqlite, path: string): unknown {
  return new DatabaseSync(path).prepare("SELECT * FROM sqlite_schema").all();
}

/** Input: names of escapes, and a path. Returns what came of each, by its name. */
export const escaping = defineAgent({
  ...isolated,
  name: "escaping",
  async run(ctx, input) {
    const [names, path] = input as [readonly string[], string];
    const outcomes: Record<string, unknown> = {};
    for (const name of names) {
      try {
        outcomes[name] = { got: (await ESCAPES[name]?.(path, ctx)) ?? null };
      } catch (error) {
        outcomes[name] = { refused: (error as NodeJS.ErrnoException).code ?? String(error) };
      }
    }
    return outcomes;
  },
});

/** Takes memory without end. Input: where. */
export const greedy = defineAgent({
  ...isolated,
  name: "greedy",
  memoryMb: 192,
  async run(_ctx, where) {
    const kept: unknown[] = [];
    for (;;) {
      if (where === "buffers") kept.push(Buffer.alloc(4_194_304, 1));
      else kept.push(Array.from({ length: 65_536 }, (_, index) => ({ index })));
      // The process stays as it would be: it answers, and emits nothing.
      await nextTurn();
    }
  },
});

/** Writes lines to the pipe behind the back of its context. Input: the lines. */
export const forging = defineAgent({
  ...isolated,
  name: "forging",
  async run(ctx, lines) {
    await ctx.log("begun");
    await ctx.flush();
    for (const line of lines as string[]) {
      const text = line === "LONG" ? "x".repeat(20_000_000) : line;
      for (let sent = 0; sent < text.length || sent === 0; ) sent += write(`${text.slice(sent, sent + 65_536)}`);
      write("\n");
    }
    // Until it is ended for it.
    await new Promise(() => {});
  },
});

/** To the pipe's descriptor itself, which may be full for a moment. */
function write(text: string): number {
  const bytes = Buffer.from(text);
  for (let sent = 0; sent < bytes.length; ) {
    try {
      sent += fs.writeSync(3, bytes, sent);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EAGAIN") throw error;
    }
  }
  return text.length;
}

/** Goes on emitting whatever its signal says, and tells another runtime's worth of things that nobody asked for. */
export const deaf = defineAgent({
  ...isolated,
  name: "deaf",
  async run(ctx) {
    await ctx.log("begun");
    await ctx.flush();
    for (;;) {
      write(
        `${JSON.stringify({ type: "append", kind: "log", name: "log", body: { level: "info", message: "late" } })}\n`,
      );
      await nextTurn();
    }
  },
});

/** Closes its pipe, and goes on. */
export const hanging = defineAgent({
  ...isolated,
  name: "hanging",
  async run(ctx) {
    await ctx.log(String(process.pid));
    await ctx.flush();
    fs.closeSync(3);
    for (;;);
  },
});

/** What Node leaves open: see docs/guides/isolation.md. Input: a port of this machine. */
export const networking = defineAgent({
  ...isolated,
  name: "networking",
  async run(_ctx, port) {
    return await new Promise((resolve, reject) => {
      const socket = net.connect(Number(port), "127.0.0.1", () => {
        socket.destroy();
        resolve("connected");
      });
      socket.on("error", reject);
    });
  },
});
