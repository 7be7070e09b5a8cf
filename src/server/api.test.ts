import { once } from "node:events";
import { get, type IncomingMessage } from "node:http";
import { connect as connectSocket } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { defineAgent } from "../agents/define-agent.ts";
import { connect } from "../client/connect.ts";
import { createMemoryStore } from "../stores/memory/memory-store.ts";
import { createRuntime, type Runtime } from "./runtime.ts";

const echo = defineAgent({ name: "echo", version: "1.0.0", run: async (_, input) => input });
const writer = defineAgent({
  name: "writer",
  version: "1.0.0",
  run: async (ctx) => ctx.artifact({ name: "a.txt", contentType: "text/plain", data: "what was left" }),
});
const endless = defineAgent({
  name: "endless",
  version: "1.0.0",
  run: (ctx) => new Promise<void>((resolve) => ctx.signal.addEventListener("abort", () => resolve())),
});

let runtime: Runtime | undefined;
afterEach(() => runtime?.close());

async function start() {
  runtime = await createRuntime({
    agents: [echo, writer, endless],
    store: createMemoryStore(),
    authenticator: {
      authenticate: async ({ token }) =>
        token === "root"
          ? { id: "root", tenant: "default", roles: ["operator"] }
          : { id: token ?? "", tenant: "t", roles: ["user"] },
    },
  });
  const { port, url } = await runtime.listen({ port: 0 });
  const headers = { authorization: "Bearer me" };
  const api = async (path: string, init: RequestInit = {}) =>
    fetch(`http://127.0.0.1:${port}/api${path}`, { ...init, headers: { ...headers, ...init.headers } });
  return { runtime, port, url, api, headers };
}

describe("the API on the runtime's port", () => {
  it("sees and stops what was submitted over ARCP, and the other way round", async () => {
    const { api, url } = await start();
    await using session = await connect(url, { token: "me" });
    const job = await session.submit("endless", {});
    expect(await (await api(`/jobs/${job.id}`)).json()).toMatchObject({ status: "running", principal: "t/me" });
    const stopped = await api(`/jobs/${job.id}:cancel`, { method: "POST" });
    expect(await stopped.json()).toEqual({ job_id: job.id, final_status: "cancelled" });
    await expect(job.result()).rejects.toMatchObject({ code: "CANCELLED" });
  });

  it("leads from an artifact's event to its bytes", async () => {
    const { api, port, url, headers } = await start();
    await using session = await connect(url, { token: "me" });
    const job = await session.submit("writer", {});
    await job.result();
    const lines = await (await api(`/jobs/${job.id}/events?kinds=artifact_ref`)).text();
    const { uri } = JSON.parse(lines.split("\n")[0] ?? "").payload.body;
    const artifact = await fetch(new URL(uri, `http://127.0.0.1:${port}`), { headers });
    expect(await artifact.text()).toBe("what was left");
  });

  it("answers no host and no page but ours", async () => {
    const { port, api } = await start();
    const page = await api("/jobs", { headers: { origin: "https://evil.example" } });
    expect([page.status, await page.json()]).toMatchObject([
      403,
      { error: { code: "PERMISSION_DENIED", retryable: false } },
    ]);
    const socket = connectSocket(port, "127.0.0.1");
    socket.end("GET /api/jobs HTTP/1.1\r\nHost: evil.example\r\nAuthorization: Bearer me\r\nConnection: close\r\n\r\n");
    const [head] = (await once(socket, "data")) as [Buffer];
    expect(head.toString()).toMatch(/^HTTP\/1.1 403 /);
  });

  it.each([
    [{ perSecond: 0, burst: 1 }, "requestRate.perSecond"],
    [{ perSecond: Number.NaN, burst: 1 }, "requestRate.perSecond"],
    [{ perSecond: 1, burst: 0.5 }, "requestRate.burst"],
  ])("has no rate at which nobody can ask: %j", async (requestRate, name) => {
    await expect(createRuntime({ agents: [], store: createMemoryStore(), requestRate })).rejects.toThrow(name);
  });

  it("counts what there is", async () => {
    const { api, url } = await start();
    await using session = await connect(url, { token: "me" });
    const job = await session.submit("endless", {});
    const health = await (await api("/health", { headers: { authorization: "Bearer root" } })).json();
    expect(health).toMatchObject({ sessions: 1, jobs: { pending: 0, running: 1 }, store_bytes: expect.any(Number) });
    await job.cancel();
  });

  it("ends what goes on when the runtime closes", async () => {
    const { runtime, port, headers } = await start();
    const request = get(`http://127.0.0.1:${port}/api/feed`, { headers });
    const [response] = (await once(request, "response")) as [IncomingMessage];
    const text = response.setEncoding("utf8").toArray();
    await runtime.close();
    const lines = (await text).join("").trim().split("\n");
    expect(lines.map((line) => JSON.parse(line))).toMatchObject([
      { type: "feed.opened" },
      { type: "error", error: { code: "INTERNAL_ERROR", retryable: true } },
    ]);
  });
});
