import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createSystemWorld } from "../platform/system-world.ts";
import { createFakeWorld } from "../testing/fake-world.ts";
import type { ArtifactData, ArtifactSource } from "./artifacts.ts";
import { createContext } from "./context.ts";
import { createTestHost, type TestHost } from "./test-host.ts";

function open(host: TestHost = createTestHost()) {
  const { ctx } = createContext(host, {}, createFakeWorld().ids, (run, ...args) => run(...args));
  return { host, ctx };
}

async function kept(host: TestHost, sha256: string): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const part of (await host.artifacts.open(sha256)) ?? []) parts.push(part);
  return Buffer.concat(parts);
}

async function* stream(...parts: readonly (string | Uint8Array)[]): AsyncGenerator<string | Uint8Array> {
  yield* parts;
}

const put = (data: ArtifactData) => ({ contentType: "text/plain", data }) satisfies ArtifactSource;

describe("ctx.artifact", () => {
  it("emits an artifact_ref and resolves with its body [arcp-8.2-artifact-ref]", async () => {
    const { host, ctx } = open();
    const ref = await ctx.artifact({ name: "notes.md", contentType: "text/markdown", data: "# Notes é" });
    expect(ref).toEqual({
      uri: expect.stringMatching(/^\/api\/artifacts\/art_\w+$/),
      content_type: "text/markdown",
      byte_size: 10,
      sha256: createHash("sha256").update("# Notes é").digest("hex"),
      name: "notes.md",
    });
    expect(host.bodies("artifact_ref")).toEqual([ref]);
    expect(await kept(host, ref.sha256)).toEqual(Buffer.from("# Notes é"));
    expect(await ctx.artifact(put("x"))).not.toHaveProperty("name");
  });

  it("takes text, bytes, blobs and streams", async () => {
    const { host, ctx } = open();
    const bytes = Uint8Array.from({ length: 600_000 }, (_, index) => index % 253);
    const sources: [ArtifactData, Uint8Array][] = [
      ["", Buffer.alloc(0)],
      ["a\u{1f600}", Buffer.from("a\u{1f600}")],
      [bytes, bytes],
      [new Blob([bytes, "x"]), Buffer.concat([bytes, Buffer.from("x")])],
      [new Blob(["blob"]).stream(), Buffer.from("blob")],
      [new Response("response").body as ReadableStream<Uint8Array>, Buffer.from("response")],
      [stream("one ", Buffer.from("two "), "three"), Buffer.from("one two three")],
    ];
    for (const [data, expected] of sources) {
      const { sha256, byte_size } = await ctx.artifact(put(data));
      expect(byte_size).toBe(expected.length);
      expect((await kept(host, sha256)).equals(expected)).toBe(true);
    }
  });

  it("keeps text as the UTF-8 of the whole, wherever its pieces were cut", async () => {
    const text = fc.string({ unit: fc.constantFrom("a", "é", "\u{1f600}", "\ud83d", "\ude00"), maxLength: 30 });
    await fc.assert(
      fc.asyncProperty(text, fc.array(fc.nat(60), { maxLength: 5 }), async (whole, places) => {
        const at = [...new Set(places.map((place) => place % (whole.length + 1)))].sort((a, b) => a - b);
        const parts = [0, ...at].map((from, index) => whole.slice(from, at[index]));
        const { host, ctx } = open();
        const { sha256 } = await ctx.artifact(put(stream(...parts)));
        expect((await kept(host, sha256)).toString()).toBe(whole.toWellFormed());
      }),
    );
  });

  it("turns half a character that bytes follow into U+FFFD", async () => {
    const { host, ctx } = open();
    const { sha256 } = await ctx.artifact(put(stream("a\ud83d", Buffer.from("b"), "\ude00c\ud83d")));
    expect((await kept(host, sha256)).toString()).toBe("a\ufffdb\ufffdc\ufffd");
  });

  it("refuses what it cannot keep, naming the field", async () => {
    const { host, ctx } = open();
    const wrong: [unknown, string][] = [
      [undefined, "artifact must be"],
      [put(7 as never), "artifact.data"],
      [put({} as never), "artifact.data"],
      [put(stream(7 as never)), "artifact.data"],
      [{ ...put("x"), name: "" }, "artifact.name"],
      [{ ...put("x"), name: "n".repeat(257) }, "artifact.name"],
      [{ data: "x" }, "artifact.contentType"],
      [{ data: "x", contentType: "text" }, "artifact.contentType"],
      [{ data: "x", contentType: "text/plain\r\nset-cookie: a=b" }, "artifact.contentType"],
      [{ data: "x", contentType: `text/${"p".repeat(255)}` }, "artifact.contentType"],
    ];
    for (const [source, message] of wrong) {
      const refused = ctx.artifact(source as ArtifactSource);
      await expect(refused).rejects.toMatchObject({ code: "INVALID_REQUEST" });
      await expect(refused).rejects.toThrow(message);
    }
    expect(host.entries).toEqual([]);
    expect(await ctx.artifact({ data: "x", contentType: "text/html; charset=utf-8" })).toBeDefined();
  });

  it("rejects with what its source threw", async () => {
    const { ctx } = open();
    async function* broken(): AsyncGenerator<string> {
      yield "begun";
      throw new RangeError("the source broke");
    }
    await expect(ctx.artifact(put(broken()))).rejects.toThrow(RangeError);
  });

  it("that nobody awaits is no stray failure of a stopped job", async () => {
    const { host, ctx } = open();
    void ctx.artifact(put("x"));
    host.stop();
    void ctx.artifact(put("y"));
    // An unhandled rejection fails the test run.
    await new Promise<void>((resolve) => createSystemWorld().timers.soon(resolve));
    expect(host.entries).toEqual([]);
  });
});
