import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { InMemoryTransport } from "@modelcontextprotocol/sdk/inMemory.js";
import { McpServer, ResourceTemplate } from "@modelcontextprotocol/sdk/server/mcp.js";
import { afterEach, describe, expect, expectTypeOf, it } from "vitest";
import { z } from "zod";
import { CodedError } from "../protocol/errors.ts";
import { createFakeWorld } from "../testing/fake-world.ts";
import { createEmit } from "./emission.ts";
import { createMcp } from "./mcp.ts";
import { createOperate } from "./operation.ts";
import { createTestHost } from "./test-host.ts";

const open: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const peer of open.splice(0)) await peer.close();
});

/** What reached the server: method and trace of each request. */
interface Seen {
  readonly what: string;
  readonly traceparent: unknown;
  readonly signal?: AbortSignal;
}

async function connectServer(seen: Seen[]): Promise<Client> {
  const server = new McpServer({ name: "liar", version: "1.0.0" });
  const note = (
    what: string,
    extra: { readonly _meta?: Record<string, unknown> | undefined; readonly signal: AbortSignal },
  ) => seen.push({ what, traceparent: extra._meta?.traceparent, signal: extra.signal });
  server.registerTool("read", { inputSchema: { path: z.string() } }, ({ path }, extra) => {
    note(`read ${path}`, extra);
    return {
      content: [
        { type: "text", text: `content of ${path}` },
        { type: "image", data: "aGk=", mimeType: "image/png" },
        { type: "resource", resource: { uri: "file:///b", blob: "aGkh" } },
      ],
    };
  });
  server.registerTool("delete", { inputSchema: { path: z.string() } }, (_, extra) => {
    note("delete", extra);
    return { content: [] };
  });
  server.registerTool("fail", {}, () => ({ isError: true, content: [{ type: "text", text: "no such file" }] }));
  server.registerTool("wait", {}, async (extra) => {
    note("wait", extra);
    await new Promise((resolve) => extra.signal.addEventListener("abort", resolve));
    return { content: [] };
  });
  server.registerTool("huge", {}, () => ({ content: [{ type: "text", text: "x".repeat(1_500_000) }] }));
  const texts = (
    uri: URL,
    extra: { readonly _meta?: Record<string, unknown> | undefined; readonly signal: AbortSignal },
  ) => {
    note(`resource ${uri.href}`, extra);
    return { contents: [{ uri: uri.href, text: "secret" }] };
  };
  server.registerResource("a", "file:///a", {}, texts);
  server.registerResource("b", "file:///b", {}, texts);
  server.registerResource("any", new ResourceTemplate("file:///{name}", { list: undefined }), {}, (uri, _, extra) =>
    texts(uri, extra),
  );
  server.registerPrompt("greet", { argsSchema: { name: z.string() } }, ({ name }, extra) => {
    note("prompt", extra);
    return { messages: [{ role: "user", content: { type: "text", text: `greet ${name}` } }] };
  });
  const client = new Client({ name: "agent", version: "1.0.0" });
  const [here, there] = InMemoryTransport.createLinkedPair();
  await Promise.all([server.connect(there), client.connect(here)]);
  open.push(client, server);
  return client;
}

async function createStage(allowed?: readonly string[]) {
  let refusal: CodedError | undefined;
  const guard = {
    check({ namespace, target }: { readonly namespace: string; readonly target: string }): undefined {
      if (refusal !== undefined) throw refusal;
      if (allowed === undefined || (namespace === "tool.call" && allowed.includes(target))) return;
      throw new CodedError("PERMISSION_DENIED", `${namespace} on ${target}`);
    },
  };
  const host = createTestHost({ guard });
  const emit = createEmit(host, (run, ...args) => run(...args));
  const { ids } = createFakeWorld();
  const signal = () => host.signal;
  const operate = createOperate({ host, emit, ids, flush: () => host.flush(), signal, span: undefined });
  const seen: Seen[] = [];
  const client = await connectServer(seen);
  const mcp = createMcp({ guard: host.guard, operate, signal, traceparent: () => "00-of-the-attempt" });
  return {
    host,
    seen,
    client,
    mcp,
    files: mcp(client, { name: "files" }),
    refuseAll(error: CodedError) {
      refusal = error;
    },
  };
}

const failure = (promise: Promise<unknown>) =>
  promise.then(
    () => "no failure",
    (error: unknown) => error,
  );

describe("a tool of a server", () => {
  it("is called under the name the agent gives the server, with the trace [reading-mcp-targets] [arcp-11-forwarded]", async () => {
    const { host, files, seen } = await createStage(["files/read"]);
    const result = await files.callTool({ name: "read", arguments: { path: "/a" }, _meta: { mine: 1 } });
    expect(result.content).toMatchObject([
      { text: "content of /a" },
      { data: "aGk=" },
      { resource: { uri: "file:///b", blob: "aGkh" } },
    ]);
    expect(seen).toMatchObject([{ what: "read /a", traceparent: expect.stringContaining(host.job.traceId) }]);
    expect(host.bodies("tool_call")).toMatchObject([{ tool: "files/read", args: { path: "/a" } }]);
    expect(host.bodies("tool_result")[0]?.result).toEqual({
      content: [
        { type: "text", text: "content of /a" },
        { type: "image", mimeType: "image/png", characters: 4 },
        { type: "resource", resource: { uri: "file:///b", characters: 4 } },
      ],
    });
  });

  it("that the lease does not allow never reaches the server, whatever that calls itself", async () => {
    const { host, files, seen } = await createStage(["files/read", "liar/delete", "delete"]);
    const error = await failure(files.callTool({ name: "delete", arguments: { path: "/a" } }));
    expect(error).toMatchObject({ code: "PERMISSION_DENIED", message: expect.stringContaining("files/delete") });
    expect(seen).toEqual([]);
    expect(host.bodies("tool_result")).toMatchObject([{ error: { code: "PERMISSION_DENIED" } }]);
  });

  it("is called as it was asked for and recorded, whatever becomes of the arguments meanwhile", async () => {
    const { host, files, seen } = await createStage(["files/read", "files/resource:file:///a", "files/prompt:greet"]);
    const tool = { name: "read", arguments: { path: "/a" } };
    const resource = { uri: "file:///a" };
    const prompt = { name: "greet", arguments: { name: "Ada" } };
    const pending = [files.callTool(tool), files.readResource(resource), files.getPrompt(prompt)];
    tool.name = "delete";
    tool.arguments.path = "/b";
    resource.uri = "file:///b";
    prompt.name = "other";
    await Promise.all(pending);
    let asked = 0;
    const fickle = {
      get name() {
        return asked++ === 0 ? "read" : "delete";
      },
      get arguments() {
        return { path: asked++ > 1 ? "/b" : "/a" };
      },
    };
    await files.callTool(fickle);
    expect(seen.map(({ what }) => what).toSorted()).toEqual(["prompt", "read /a", "read /a", "resource file:///a"]);
    expect(host.bodies("tool_call").filter(({ tool }) => tool === "files/read")).toMatchObject([
      { args: { path: "/a" } },
      { args: { path: "/a" } },
    ]);
  });

  it("that fails is a result to the agent, and an error on the log", async () => {
    const { host, files } = await createStage();
    expect(await files.callTool({ name: "fail" })).toMatchObject({ isError: true });
    expect(host.bodies("tool_result")).toMatchObject([{ error: { message: "the tool failed: no such file" } }]);
  });

  it("is told to stop with the job", async () => {
    const { host, files, seen } = await createStage();
    const pending = failure(files.callTool({ name: "wait" }));
    await expect.poll(() => seen.length).toBe(1);
    host.stop();
    expect(await pending).not.toBe("no failure");
    await expect.poll(() => seen[0]?.signal?.aborted).toBe(true);
  });

  it("may return what no event can hold whole", async () => {
    const { host, files } = await createStage();
    const { content } = await files.callTool({ name: "huge" });
    expect(JSON.stringify(content).length).toBeGreaterThan(1_500_000);
    expect(host.bodies("tool_result")).toMatchObject([{ result: { truncated: true } }]);
  });

  it("is not taken for a resource, or a prompt", async () => {
    const { files } = await createStage();
    expect(await failure(files.callTool({ name: "resource:trick" }))).toMatchObject({ code: "INVALID_REQUEST" });
    expect(await failure(files.callTool({ name: "" }))).toMatchObject({ code: "INVALID_REQUEST" });
  });
});

describe("what a server has besides", () => {
  it("is asked for by its kind and name, and its content is not on the log [reading-mcp-targets]", async () => {
    const { host, files, seen } = await createStage(["files/resource:file:///a", "files/prompt:greet"]);
    const { contents } = await files.readResource({ uri: "file:///a" });
    expect(contents).toMatchObject([{ text: "secret" }]);
    expect((await files.getPrompt({ name: "greet", arguments: { name: "Ada" } })).messages).toHaveLength(1);
    expect(await failure(files.readResource({ uri: "file:///b" }))).toMatchObject({ code: "PERMISSION_DENIED" });
    expect(seen.map(({ what }) => what)).toEqual(["resource file:///a", "prompt"]);
    expect(seen.every(({ traceparent }) => String(traceparent).includes(host.job.traceId))).toBe(true);
    expect(host.bodies("tool_call").map(({ tool }) => tool)).toEqual([
      "files/resource:file:///a",
      "files/prompt:greet",
      "files/resource:file:///b",
    ]);
    expect(JSON.stringify(host.entries)).not.toContain("secret");
  });

  it.each([
    "file:///a/../b",
    "file:///a/./b",
    "file:///a/%2e%2E/b",
    "file:///a/..%2fb",
    "file:///a\\..\\b",
    "file:///a/.\t./b",
    "file:///a/\n../b",
    "file:../b",
    "file:///a/..",
  ])("is asked for by a name that a server cannot take for another: %j", async (uri) => {
    const { files, seen } = await createStage([`files/resource:${uri}`]);
    expect(await failure(files.readResource({ uri }))).toMatchObject({ code: "INVALID_REQUEST" });
    expect(seen).toEqual([]);
  });

  it("is listed as far as the lease allows it", async () => {
    const { files } = await createStage(["files/read", "files/resource:file:///b"]);
    expect((await files.listTools()).tools.map(({ name }) => name)).toEqual(["read"]);
    expect((await files.listResources()).resources.map(({ uri }) => uri)).toEqual(["file:///b"]);
    expect((await files.listPrompts()).prompts).toEqual([]);
    expect((await files.listResourceTemplates()).resourceTemplates).toHaveLength(1);
    expect(files.getServerVersion()).toMatchObject({ name: "liar" });
    expect(files.getServerCapabilities()).toHaveProperty("tools");
    expect(files.getInstructions()).toBeUndefined();
  });

  it("is not said to be nothing where everything is refused", async () => {
    const { files, refuseAll } = await createStage();
    refuseAll(new CodedError("LEASE_EXPIRED", "over"));
    expect(await failure(files.listTools())).toMatchObject({ code: "LEASE_EXPIRED" });
  });
});

describe("the client that comes out", () => {
  it("has the same types, and no way round the lease", async () => {
    const { client, files } = await createStage();
    expectTypeOf(files.callTool).toEqualTypeOf<typeof client.callTool>();
    for (const way of ["request", "notification", "transport", "experimental", "setRequestHandler"]) {
      expect(way in files).toBe(false);
    }
  });

  it.each([[{}], [{ name: "" }], [{ name: "a/b" }], [{ name: "*" }], [{ name: "x".repeat(65) }], [undefined]])(
    "needs a name: %j",
    async (options) => {
      const { mcp, client } = await createStage();
      expect(() => mcp(client, options as never)).toThrow(/mcp\.name/);
      expect(() => mcp({} as never, { name: "files" })).toThrow(/mcp\.client/);
    },
  );
});
