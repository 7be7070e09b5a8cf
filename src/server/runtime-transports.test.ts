/** A whole runtime, reached in each of the ways it can be. */
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { createInterface } from "node:readline";
import { PassThrough } from "node:stream";
import { afterEach, describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import { defineAgent } from "../agents/define-agent.ts";
import { connect } from "../client/connect.ts";
import { createMemoryStore } from "../stores/memory/memory-store.ts";
import { createQueue } from "../transports/websocket-test-server.ts";
import { createRuntime, type Runtime } from "./runtime.ts";
import type { RuntimeOptions } from "./runtime-options.ts";

const echo = defineAgent({ name: "echo", version: "1.0.0", run: async (_, input) => input });
const authenticator = { authenticate: async () => ({ id: "me", tenant: "t", roles: ["user"] }) as const };

const cleanUps: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).toReversed()) await cleanUp();
});

async function start(options: Partial<RuntimeOptions> = {}): Promise<Runtime> {
  const runtime = await createRuntime({ agents: [echo], store: createMemoryStore(), authenticator, ...options });
  cleanUps.push(() => runtime.close());
  return runtime;
}

async function ownServer() {
  const server = createServer((_, response) => response.end("the owner's"));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  cleanUps.push(
    () => server.closeAllConnections(),
    () => server.close(),
  );
  const { port } = server.address() as AddressInfo;
  return { server, base: `http://127.0.0.1:${port}`, url: `ws://127.0.0.1:${port}/arcp` };
}

/** The other end of a runtime's stdio: frames by hand. */
function speak(runtime: Runtime) {
  const input = new PassThrough();
  const output = new PassThrough();
  const frames = createQueue<Record<string, unknown>>();
  createInterface({ input: output }).on("line", (line) => frames.put(JSON.parse(line)));
  const serving = runtime.serveStdio({ input, output });
  const say = (type: string, payload: unknown) =>
    input.write(`${JSON.stringify({ arcp: "1.1", id: type, type, payload })}\n`);
  const hello = (auth?: object) => {
    say("session.hello", { ...(auth === undefined ? {} : { auth }), capabilities: { features: [] } });
    return frames.next();
  };
  return { input, serving, say, hello, next: frames.next };
}

describe("a runtime attached to a server", () => {
  it("serves sessions there, and gives the server back when it closes", async () => {
    const runtime = await start();
    const { server, base, url } = await ownServer();
    runtime.attach(server);
    await using session = await connect(url, { token: "any" });
    expect(await (await session.submit("echo", 1)).result()).toBe(1);
    expect((await fetch(`${base}/healthz`)).headers.get("content-type")).toContain("json");
    await session.close();
    await runtime.close();
    expect(await (await fetch(`${base}/healthz`)).text()).toBe("the owner's");
    expect(() => runtime.attach(server)).toThrow("closed");
    expect(() => runtime.serveStdio()).toThrow("closed");
  });

  it("counts its connections with those of its ports", async () => {
    const runtime = await start({ maxConnections: 1 });
    const { server, url } = await ownServer();
    runtime.attach(server);
    const { url: port } = await runtime.listen({ port: 0 });
    await using session = await connect(url, { token: "any" });
    const refused = new WebSocket(port);
    refused.on("error", () => {});
    const [, response] = await once(refused, "unexpected-response");
    response.resume();
    expect(response.statusCode).toBe(503);
    expect(await (await session.submit("echo", 1)).result()).toBe(1);
    await expect(start({ maxConnections: 0 })).rejects.toThrow("maxConnections must be a whole number from 1, not 0");
  });
});

describe("a runtime over stdio [reading-frames-stdio]", () => {
  const noTokens = { authenticate: async () => undefined };

  it("serves the one who holds the other ends, without a token, until the input ends [reading-stdio-trust]", async () => {
    const runtime = await start({ authenticator: noTokens });
    const peer = speak(runtime);
    expect(await peer.hello()).toMatchObject({ type: "session.welcome" });
    peer.say("job.submit", { agent: "echo", input: { a: "ö" } });
    const types: unknown[] = [];
    while (types.at(-1) !== "job.result") types.push((await peer.next()).type);
    expect(types[0]).toBe("job.accepted");
    peer.input.end();
    expect(await peer.serving.ended).toMatchObject({ reason: "the input has ended" });
  });

  it("refuses a token that is not valid [reading-stdio-trust]", async () => {
    const peer = speak(await start({ authenticator: noTokens }));
    const refusal = await peer.hello({ scheme: "bearer", token: "wrong" });
    expect(refusal).toMatchObject({ type: "session.error", payload: { code: "UNAUTHENTICATED" } });
    await peer.serving.ended;
  });

  it("lets nobody else in without a token", async () => {
    const runtime = await start({ authenticator: noTokens });
    speak(runtime);
    const { url } = await runtime.listen({ port: 0 });
    await expect(connect(url, {})).rejects.toMatchObject({ code: "UNAUTHENTICATED" });
  });

  it("ends the connection when it closes", async () => {
    const runtime = await start();
    const peer = speak(runtime);
    await peer.hello();
    await runtime.close();
    expect(await peer.serving.ended).toMatchObject({ reason: "the runtime is shutting down" });
  });
});
