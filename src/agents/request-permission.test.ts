import { mkdtemp, readFile, realpath, rm, symlink, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { createGuard } from "../kernel/authority/guard.ts";
import { parseLease } from "../kernel/authority/lease.ts";
import type { PermissionAsk } from "../kernel/authority/permission-ask.ts";
import { CodedError } from "../protocol/errors.ts";
import { createFakeWorld } from "../testing/fake-world.ts";
import { openTestContext } from "./test-context.ts";

/** Under a lease for the tool `look`; whoever is asked says yes, unless `refuse` says why not. */
function open({ refuse, expiresAt = null }: { readonly refuse?: string; readonly expiresAt?: number | null } = {}) {
  const asked: PermissionAsk[] = [];
  const { clock } = createFakeWorld();
  const request = { "tool.call": ["look"] };
  const guard = createGuard({
    lease: parseLease(request, undefined, clock.now()),
    expiresAt,
    clock,
    grants: {
      covers: ({ namespace, operation = "call", digest }, target) =>
        asked.some(
          (ask) =>
            ask.permission === namespace &&
            ask.resource === target &&
            ask.operation === operation &&
            (ask.argsDigest === undefined || ask.argsDigest === digest?.()),
        ),
    },
  });
  const test = openTestContext(request, {
    guard,
    async grant(ask) {
      if (refuse !== undefined) throw new CodedError("PERMISSION_DENIED", refuse, { details: { state: "denied" } });
      asked.push(ask);
      return { permissionId: "perm_1", leaseId: "lease_1", expiresAt: 1, ...ask };
    },
  });
  return { ...test, asked };
}

async function place(): Promise<string> {
  const directory = await realpath(await mkdtemp(join(tmpdir(), "leasehold-ask-")));
  onTestFinished(() => rm(directory, { recursive: true }));
  return directory;
}

describe("a tool that asks instead of failing", () => {
  it("is asked for as itself, with its own arguments, and goes on", async () => {
    const { ctx, asked, host, calls } = open();
    const ask = { onDenied: "ask", reason: "A-17", leaseSeconds: 60 } as const;
    expect(await ctx.tool("refund", { amount: "50" }, () => "paid", ask)).toBe("paid");
    expect(asked).toEqual([
      {
        permission: "tool.call",
        resource: "refund",
        operation: "call",
        args: { amount: "50" },
        argsDigest: expect.stringMatching(/^[0-9a-f]{64}$/),
        reason: "A-17",
        leaseSeconds: 60,
        waitSeconds: undefined,
      },
    ]);
    expect(calls()).toEqual([{ tool: "refund", args: { amount: "50" }, result: "paid" }]);
    expect(host.trace.indexOf("ask:refund")).toBeLessThan(host.trace.indexOf("append:tool_call"));
  });

  it("asks again for other arguments, and not for the same [attack-grant-other-args]", async () => {
    const { ctx, asked } = open();
    const ask = { onDenied: "ask" } as const;
    for (const amount of ["50", "50", "5000"]) await ctx.tool("refund", { amount }, () => amount, ask);
    expect(asked.map(({ args }) => args)).toEqual([{ amount: "50" }, { amount: "5000" }]);
    const start = vi.fn();
    await expect(ctx.tool("refund", { amount: "7" }, start)).rejects.toMatchObject({ code: "PERMISSION_DENIED" });
    expect(start).not.toHaveBeenCalled();
  });

  it("asks about what the log tells, whatever the arguments say when they are read again [attack-grant-other-args]", async () => {
    const { ctx, asked, calls } = open();
    let reads = 0;
    const shifty = { toJSON: () => ({ amount: ++reads === 1 ? "50" : "5000" }) };
    await ctx.tool("refund", shifty, () => null, { onDenied: "ask" });
    expect([asked[0]?.args, calls()[0]?.args]).toEqual([{ amount: "50" }, { amount: "50" }]);
  });

  it("is one of a set of tools as well", async () => {
    const { ctx, asked } = open();
    const set = { refund: { execute: async ({ amount }: { amount: string }) => `${amount} paid` } };
    const { refund } = ctx.tools(set, { onDenied: "ask", reason: "the model wants it" });
    expect(await refund.execute({ amount: "50" })).toBe("50 paid");
    expect(asked).toMatchObject([{ resource: "refund", args: { amount: "50" }, reason: "the model wants it" }]);
    await expect(ctx.tools(set).refund.execute({ amount: "60" })).rejects.toMatchObject({ code: "PERMISSION_DENIED" });
  });

  it("is refused as it is told, on the log too, and does not start", async () => {
    const { ctx, calls } = open({ refuse: "no money back" });
    const start = vi.fn();
    await expect(ctx.tool("refund", 1, start, { onDenied: "ask" })).rejects.toMatchObject({
      code: "PERMISSION_DENIED",
      message: "no money back",
    });
    expect(start).not.toHaveBeenCalled();
    expect(calls()).toMatchObject([{ tool: "refund", error: { code: "PERMISSION_DENIED", message: "no money back" } }]);
  });

  it("asks nobody for what the lease allows, nor once it has expired", async () => {
    const { ctx, asked } = open();
    await ctx.tool("look", 1, () => null, { onDenied: "ask" });
    const late = open({ expiresAt: 0 });
    await expect(late.ctx.tool("refund", 1, () => null, { onDenied: "ask" })).rejects.toMatchObject({
      code: "LEASE_EXPIRED",
    });
    expect([asked, late.asked]).toEqual([[], []]);
    await expect(ctx.tool("refund", 1, () => null, { onDenied: "aks" as never })).rejects.toMatchObject({
      code: "INVALID_REQUEST",
      details: { field: "refund.onDenied" },
    });
  });
});

describe("fetch that asks", () => {
  it("is for one method, address, query and body, and for each hop by itself", async () => {
    const server = createServer((request, response) => {
      if (request.url === "/from") response.writeHead(307, { location: "/to?q=1" });
      response.end("ok");
    });
    server.listen(0, "127.0.0.1");
    await new Promise((resolve) => server.once("listening", resolve));
    onTestFinished(() => void server.close());
    const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const { ctx, asked } = open();
    const post = (path: string, body: string) =>
      ctx.fetch(`${origin}${path}`, { method: "POST", body }, { onDenied: "ask" });
    expect((await post("/from", "a")).status).toBe(200);
    expect(asked.map(({ resource, operation }) => [resource, operation])).toEqual([
      [`${origin}/from`, "POST"],
      [`${origin}/to`, "POST"],
    ]);
    expect(JSON.stringify(asked)).not.toContain("q=1");
    await post("/to?q=1", "a");
    expect(asked).toHaveLength(2);
    await post("/to?q=2", "a");
    await post("/to?q=2", "b");
    expect(asked).toHaveLength(4);
    // While its record is written, the body becomes another one.
    const body = new TextEncoder().encode("a");
    const changed = ctx.fetch(`${origin}/bytes`, { method: "POST", body }, { onDenied: "ask" });
    body[0] = 98;
    await expect(changed).rejects.toMatchObject({ code: "PERMISSION_DENIED" });
    const stream = new Response("a").body;
    const streamed = ctx.fetch(`${origin}/x`, { method: "POST", body: stream, duplex: "half" } as RequestInit, {
      onDenied: "ask",
    });
    await expect(streamed).rejects.toMatchObject({
      code: "INVALID_REQUEST",
      details: { field: "fetch.init.body" },
    });
  });
});

describe("files that ask", () => {
  it("are asked for as the place they lead to, and writing is for one content", async () => {
    const directory = await place();
    await writeFile(join(directory, "real"), "old");
    await symlink("real", join(directory, "link"));
    const { ctx, asked } = open();
    const link = join(directory, "link");
    expect(await ctx.fs.readText(link, { onDenied: "ask" })).toBe("old");
    await ctx.fs.write(join(directory, "real"), "new", { onDenied: "ask" });
    expect(asked.map(({ permission, resource, operation, args }) => [permission, resource, operation, args])).toEqual([
      ["fs.read", join(directory, "real"), "read", { path: link }],
      ["fs.write", join(directory, "real"), "write", { path: join(directory, "real") }],
    ]);
    await expect(ctx.fs.write(join(directory, "real"), "other")).rejects.toMatchObject({ code: "PERMISSION_DENIED" });
    await expect(ctx.fs.append(join(directory, "real"), "new")).rejects.toMatchObject({ code: "PERMISSION_DENIED" });
    expect(await readFile(join(directory, "real"), "utf8")).toBe("new");
  });
});

describe("ctx.requestPermission", () => {
  it("asks for a path as the place it leads to, and tells of what was named", async () => {
    const directory = await place();
    await writeFile(join(directory, "real"), "old");
    await symlink("real", join(directory, "link"));
    const { ctx, asked } = open();
    const resource = join(directory, "link");
    expect(await ctx.requestPermission({ permission: "fs.read", resource, operation: "read" })).toMatchObject({
      resource,
    });
    expect(asked).toMatchObject([{ resource: join(directory, "real") }]);
    expect(await ctx.fs.readText(resource)).toBe("old");
  });

  it("hands on what an agent says, and no digest of its own making", async () => {
    const { ctx, asked } = open();
    const whole = { permission: "x-acme.db", resource: "orders", operation: "delete", key: "k", args: [1] };
    await ctx.requestPermission({ ...whole, argsDigest: "0".repeat(64) } as never);
    expect(asked).toEqual([{ ...whole, reason: undefined, leaseSeconds: undefined, waitSeconds: undefined }]);
    await expect(ctx.requestPermission(null as never)).rejects.toMatchObject({ code: "INVALID_REQUEST" });
  });

  it("grants by no event of an agent's own [attack-grant-own]", async () => {
    const { ctx, host } = open();
    await expect(ctx.emit("x-leasehold.permission", { state: "granted" })).rejects.toMatchObject({
      code: "INVALID_REQUEST",
      details: { field: "emit.kind" },
    });
    await expect(ctx.tool("refund", 1, () => null)).rejects.toMatchObject({ code: "PERMISSION_DENIED" });
    expect(host.bodies("vendor")).toEqual([]);
  });
});
