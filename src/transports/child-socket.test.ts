/** With real children: tiny programs that stand in for a runtime. */
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { afterEach, describe, expect, test } from "vitest";
import type { OpenWebSocket, WebSocketLike } from "../client/web-socket.ts";
import { createSystemWorld } from "../platform/system-world.ts";
import { CLOSE } from "../protocol/framing.ts";
import { createFakeWorld } from "../testing/fake-world.ts";
import { type ChildSocketOptions, createChildSockets } from "./child-socket.ts";
import { createQueue } from "./websocket-test-server.ts";

const children: ChildProcess[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
});

const ECHO = "process.stdin.pipe(process.stdout)";
const DEAF = "process.stdin.resume(); setInterval(() => {}, 1e6); process.stdout.write('ready\\n')";

function prepare(script: string, options: Partial<ChildSocketOptions> = {}): OpenWebSocket {
  return createChildSockets(process.execPath, ["--eval", script], {
    timers: createSystemWorld().timers,
    stderr: "ignore",
    onSpawn: (child) => void children.push(child),
    ...options,
  });
}

function watch(socket: WebSocketLike) {
  const events = createQueue<string>();
  socket.addEventListener("open", () => events.put("open"));
  socket.addEventListener("message", ({ data }) => events.put(String(data)));
  socket.addEventListener("close", ({ code, reason }) => events.put(`closed ${code} ${reason}`));
  return events;
}

describe("a child as a socket", () => {
  test("opens, carries text both ways, and ends with its input when it is closed", async () => {
    const socket = prepare(ECHO)("stdio:");
    const events = watch(socket);
    expect(await events.next()).toBe("open");
    for (const text of ["größer 日本語", "x".repeat(100_000), "{}"]) {
      socket.send(text);
      expect(await events.next()).toBe(text);
    }
    socket.close();
    expect(await events.next()).toBe("closed 1000 ");
    const [code, signal] = await once(children[0] as ChildProcess, "exit");
    expect([code, signal]).toEqual([0, null]);
  });

  test("that ends says how, after its last words", async () => {
    const events = watch(prepare("process.stdout.write('last\\n', () => process.exit(3))")("stdio:"));
    expect(await events.next()).toBe("open");
    expect(await events.next()).toBe("last");
    expect(await events.next()).toBe("closed 1006 the child ended with code 3");
  });

  test("that is killed says so", async () => {
    const events = watch(prepare(ECHO)("stdio:"));
    expect(await events.next()).toBe("open");
    children[0]?.kill("SIGKILL");
    expect(await events.next()).toBe("closed 1006 the child was ended by SIGKILL");
  });

  test("that cannot be started is a connection that failed", async () => {
    const open = createChildSockets("/nowhere/leasehold", [], { timers: createSystemWorld().timers });
    for (const _ of [1, 2])
      expect(await watch(open("stdio:")).next()).toContain("closed 1006 spawn /nowhere/leasehold");
  });

  test("that does not end with its input is killed in the end", async () => {
    const world = createFakeWorld();
    const socket = prepare(DEAF, { timers: world.timers, exitTimeoutMs: 500 })("stdio:");
    const events = watch(socket);
    expect([await events.next(), await events.next()]).toEqual(["open", "ready"]);
    const [child] = children;
    const exited = once(child as ChildProcess, "exit");
    socket.close();
    await world.advance(499);
    expect(child?.killed).toBe(false);
    await world.advance(1);
    expect((await exited)[1]).toBe("SIGKILL");
  });

  test("that was given up for dead is killed at once", async () => {
    const socket = prepare(DEAF)("stdio:");
    const events = watch(socket);
    expect([await events.next(), await events.next()]).toEqual(["open", "ready"]);
    const exited = once(children[0] as ChildProcess, "exit");
    socket.close(CLOSE.heartbeatLost, "silent");
    expect((await exited)[1]).toBe("SIGKILL");
  });

  test("is followed by another one only when it has ended", async () => {
    const open = prepare(ECHO);
    const socket = open("stdio:");
    const events = watch(socket);
    expect(await events.next()).toBe("open");
    expect(() => open("stdio:")).toThrow(/process \d+\) has not ended yet/);
    const exited = once(children[0] as ChildProcess, "exit");
    socket.close();
    await exited;
    expect(await watch(open("stdio:")).next()).toBe("open");
    expect(children).toHaveLength(2);
  });
});
