import { describe, expect, it } from "vitest";
import { aChunk, aJob } from "./contract/rows.ts";
import { createMemoryStore } from "./memory/memory-store.ts";
import { describeStore } from "./store-contract.ts";

describeStore("the memory store", async () => {
  const store = createMemoryStore();
  return {
    store,
    async reopen() {
      await store.close();
      return createMemoryStore(store.snapshot());
    },
    dispose: () => store.close(),
  };
});

describe("a snapshot of a memory store", () => {
  it("does not change with the store it was taken of, nor with one begun from it", async () => {
    const store = createMemoryStore();
    await store.commit({ claims: [], rows: { jobs: [aJob("a")], chunks: [aChunk("a", 1, 1)] } });
    const snapshot = store.snapshot();
    await store.commit({ claims: [], rows: { chunks: [aChunk("a", 2, 1)] } });
    const second = createMemoryStore(snapshot);
    await second.commit({ claims: [], rows: { chunks: [aChunk("a", 2, 3)] } });

    const headOf = async (of: typeof store) => (await of.readHeads(["a"])).get("a");
    expect(await headOf(store)).toBe(2);
    expect(await headOf(second)).toBe(4);
    expect(await headOf(createMemoryStore(snapshot))).toBe(1);
  });
});
