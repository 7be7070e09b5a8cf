/** What every keeper of contents must do, as tests: see `memory-artifacts.test.ts`, `file-artifacts.test.ts`. */
import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import type { Artifacts } from "../../kernel/ports.ts";

export async function* pieces(...parts: readonly (string | Uint8Array)[]): AsyncGenerator<Uint8Array, void, void> {
  for (const part of parts) yield typeof part === "string" ? Buffer.from(part) : part;
}

/** Content that goes on when it is told to. `begun` resolves once it has been read from. */
export function gated(first: string, rest: string) {
  const gate = Promise.withResolvers<void>();
  const begun = Promise.withResolvers<void>();
  async function* content(): AsyncGenerator<Uint8Array, void, void> {
    begun.resolve();
    yield Buffer.from(first);
    await gate.promise;
    yield Buffer.from(rest);
  }
  return { content: content(), begun: begun.promise, open: () => gate.resolve() };
}

export async function textOf(content: AsyncIterable<Uint8Array> | undefined): Promise<string | undefined> {
  if (content === undefined) return undefined;
  const parts: Uint8Array[] = [];
  for await (const part of content) parts.push(part);
  return Buffer.concat(parts).toString();
}

export function digestOf(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

const NOTHING: ReadonlySet<string> = new Set();
const none = async (): Promise<ReadonlySet<string>> => NOTHING;
const all = async (digests: readonly string[]): Promise<ReadonlySet<string>> => new Set(digests);

/** @param open gives one with nothing in it. */
export function describeArtifacts(name: string, open: () => Promise<Artifacts>): void {
  describe(`${name} keeps the contract of artifacts`, () => {
    it("gives back what was put, whole and in ranges", async () => {
      const artifacts = await open();
      const kept = await artifacts.put(pieces("hello ", "", "world"));
      expect(kept).toMatchObject({ sha256: digestOf("hello world"), size: 11 });
      expect(await textOf(await artifacts.open(kept.sha256))).toBe("hello world");
      expect(await textOf(await artifacts.open(kept.sha256, { from: 0, to: 0 }))).toBe("h");
      expect(await textOf(await artifacts.open(kept.sha256, { from: 6, to: 10 }))).toBe("world");
      expect(await textOf(await artifacts.open(kept.sha256, { from: 2, to: 6 }))).toBe("llo w");
    });

    it("keeps content of no bytes", async () => {
      const artifacts = await open();
      const kept = await artifacts.put(pieces());
      expect(kept).toMatchObject({ sha256: digestOf(""), size: 0 });
      expect(await textOf(await artifacts.open(kept.sha256))).toBe("");
    });

    it("knows nothing of what was not put, whatever it is called", async () => {
      const artifacts = await open();
      await artifacts.put(pieces("x"));
      expect(await artifacts.open(digestOf("other"))).toBeUndefined();
      expect(await artifacts.open("../incoming/x")).toBeUndefined();
      expect(await artifacts.open("")).toBeUndefined();
    });

    it("does not change what it took when the bytes it was given change", async () => {
      const artifacts = await open();
      const bytes = Buffer.from("before");
      const { sha256 } = await artifacts.put(pieces(bytes));
      bytes.fill("x");
      expect(await textOf(await artifacts.open(sha256))).toBe("before");
    });

    it("rejects with what the content threw, and keeps nothing of it", async () => {
      const artifacts = await open();
      async function* broken(): AsyncGenerator<Uint8Array, void, void> {
        yield Buffer.from("begun");
        throw new Error("the source broke");
      }
      await expect(artifacts.put(broken())).rejects.toThrow("the source broke");
      expect(await artifacts.open(digestOf("begun"))).toBeUndefined();
      expect(await artifacts.sweep(none)).toBe(0);
    });

    it("keeps the same content once, also when it is put twice at a time", async () => {
      const artifacts = await open();
      const kept = await Promise.all([artifacts.put(pieces("same")), artifacts.put(pieces("sa", "me"))]);
      for (const { sha256, release } of kept) {
        expect(await textOf(await artifacts.open(sha256))).toBe("same");
        release();
      }
      expect(await artifacts.sweep(none)).toBe(1);
    });

    it("sweeps what nothing names, and leaves what something does", async () => {
      const artifacts = await open();
      const contents = await Promise.all(["a", "b", "c"].map((text) => artifacts.put(pieces(text))));
      for (const { release } of contents) release();
      expect(await artifacts.sweep(all)).toBe(0);
      const asked: string[] = [];
      const removed = await artifacts.sweep(async (digests) => {
        asked.push(...digests);
        return new Set([digestOf("b")]);
      });
      expect(removed).toBe(2);
      expect(asked.toSorted()).toEqual(["a", "b", "c"].map(digestOf).toSorted());
      expect(await artifacts.open(digestOf("a"))).toBeUndefined();
      expect(await textOf(await artifacts.open(digestOf("b")))).toBe("b");
    });

    it("spares what is being put, and what is not released yet", async () => {
      const artifacts = await open();
      const { content, begun, open: goOn } = gated("slow ", "content");
      const putting = artifacts.put(content);
      await begun;
      const kept = await artifacts.put(pieces("kept"));
      expect(await artifacts.sweep(none)).toBe(0);
      goOn();
      const slow = await putting;
      expect(await artifacts.sweep(none)).toBe(0);
      expect(await textOf(await artifacts.open(slow.sha256))).toBe("slow content");
      kept.release();
      kept.release();
      const again = await artifacts.put(pieces("kept"));
      // What was released once too often must not take the later one's pin away.
      kept.release();
      expect(await artifacts.sweep(none)).toBe(0);
      again.release();
      slow.release();
      expect(await artifacts.sweep(none)).toBe(2);
    });

    it("spares what was put and released while it looked at the store", async () => {
      const artifacts = await open();
      (await artifacts.put(pieces("old"))).release();
      const removed = await artifacts.sweep(async () => {
        // Its row is committed after the store was asked: the answer does not know of it.
        (await artifacts.put(pieces("old"))).release();
        return NOTHING;
      });
      expect(removed).toBe(0);
      expect(await textOf(await artifacts.open(digestOf("old")))).toBe("old");
      expect(await artifacts.sweep(none)).toBe(1);
    });

    it("sweeps once at a time, and goes on after a sweep that failed", async () => {
      const artifacts = await open();
      (await artifacts.put(pieces("x"))).release();
      const order: string[] = [];
      const failing = artifacts.sweep(async () => {
        order.push("first");
        throw new Error("the store is closed");
      });
      const following = artifacts.sweep(async () => {
        order.push("second");
        return NOTHING;
      });
      await expect(failing).rejects.toThrow("the store is closed");
      expect(await following).toBe(1);
      expect(order).toEqual(["first", "second"]);
    });

    it("does not disturb a reader", async () => {
      const artifacts = await open();
      const long = "0123456789".repeat(50_000);
      const kept = await artifacts.put(pieces(long));
      kept.release();
      const reading = await artifacts.open(kept.sha256);
      expect(await artifacts.sweep(none)).toBe(1);
      expect(await textOf(reading)).toBe(long);
    });
  });
}
