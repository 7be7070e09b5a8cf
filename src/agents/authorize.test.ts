import { mkdtempSync, realpathSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { CodedError } from "../protocol/errors.ts";
import { openTestContext } from "./test-context.ts";

const denied = { code: "PERMISSION_DENIED" };

describe("authorize", () => {
  it("says yes without a word on the log", async () => {
    const { ctx, host } = openTestContext({
      "net.fetch": ["https://api.example.com/v1/**"],
      "x-acme.db": ["users"],
      "model.use": ["tier-fast/*"],
    });
    const { authorize, assertModelAllowed } = ctx;
    await authorize("net.fetch", "https://API.example.com:443/v1/./a?q=1");
    await authorize("x-acme.db", "users");
    await assertModelAllowed("tier-fast/small");
    expect(host.entries).toEqual([]);
  });

  it("puts a refusal on the log, and throws it [arcp-9.7-permission-denied]", async () => {
    const { ctx, calls } = openTestContext({ "x-acme.db": ["users"], "model.use": ["tier-fast/*"] });
    await expect(ctx.authorize("x-acme.db", "wages")).rejects.toMatchObject(denied);
    await expect(ctx.assertModelAllowed("tier-slow/large")).rejects.toMatchObject({
      ...denied,
      details: { capability: "model.use", target: "tier-slow/large", patterns: ["tier-fast/*"] },
    });
    expect(calls()).toMatchObject([
      { tool: "authorize", args: { capability: "x-acme.db", target: "wages" }, error: denied },
      { tool: "authorize", args: { capability: "model.use", target: "tier-slow/large" }, error: denied },
    ]);
  });

  it("says no after the expiry, and after a stop", async () => {
    const { ctx, world, host } = openTestContext({ "x-acme.db": ["*"] }, { expiresInMs: 1_000 });
    await ctx.authorize("x-acme.db", "users");
    await world.advance(1_000);
    await expect(ctx.authorize("x-acme.db", "users")).rejects.toMatchObject({ code: "LEASE_EXPIRED" });
    const stopped = new CodedError("CANCELLED", "stop");
    host.stop(stopped);
    await expect(ctx.authorize("x-acme.db", "users")).rejects.toBe(stopped);
  });

  it("is about where a path leads, which a refusal does not tell", async () => {
    const root = realpathSync(mkdtempSync(join(tmpdir(), "leasehold-authorize-")));
    try {
      symlinkSync("/etc/hostname", join(root, "link"));
      const { ctx, host } = openTestContext({ "fs.read": [`${root}/**`] });
      await ctx.authorize("fs.read", join(root, "none"));
      await expect(ctx.authorize("fs.read", join(root, "link"))).rejects.toMatchObject({
        ...denied,
        details: { target: join(root, "link") },
      });
      expect(JSON.stringify(host.entries)).not.toContain("/etc/hostname");
    } finally {
      rmSync(root, { recursive: true });
    }
  });

  it("refuses what is no namespace and no target", async () => {
    const { ctx } = openTestContext({ "fs.read": ["**"] });
    for (const [namespace, target] of [
      ["", "a"],
      [1, "a"],
      ["x-a.b", 1],
      ["fs.read", "relative"],
      ["fs.read", `/${"./".repeat(1_000_000)}`],
      ["net.fetch", "relative"],
    ] as [string, string][]) {
      await expect(ctx.authorize(namespace, target)).rejects.toMatchObject({ code: "INVALID_REQUEST" });
    }
  });
});
