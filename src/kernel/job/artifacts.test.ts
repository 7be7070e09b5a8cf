import { describe, expect, it } from "vitest";
import { createMemoryArtifacts } from "../../stores/artifacts/memory-artifacts.ts";
import type { JobHost } from "../agents-port.ts";
import type { ArtifactRow, Artifacts } from "../ports.ts";
import { anAgent, createTestKernel, type TestKernel } from "../test-kernel.ts";

const LABEL = { name: null, contentType: "text/plain" };
const tell = (row: ArtifactRow): string => JSON.stringify({ uri: row.id, content_type: row.contentType });

async function* bytes(...lengths: readonly number[]): AsyncGenerator<Uint8Array, void, void> {
  for (const length of lengths) yield new Uint8Array(length).fill(length);
}

async function textOf(content: AsyncIterable<Uint8Array> | undefined): Promise<string> {
  let text = "";
  for await (const part of content ?? []) text += Buffer.from(part).toString();
  return text;
}

/** A kernel with one running job, and its host. */
async function running(options: Parameters<typeof createTestKernel>[0] = {}) {
  const hosts: JobHost[] = [];
  const held = anAgent(
    "held",
    (host) => {
      hosts.push(host);
      return new Promise((resolve) => host.signal.addEventListener("abort", () => resolve({})));
    },
    { restart: "always" },
  );
  const test = await createTestKernel({ agents: [held], ...options });
  const { job } = await test.submit("held");
  return { ...test, job: job.id, hosts, host: hosts[0] as JobHost };
}

async function settled<Value>(test: Pick<TestKernel, "world">, promise: Promise<Value>): Promise<Value> {
  promise.catch(() => {});
  await test.world.settle();
  return promise;
}

/** An artifact keeper that also tells what it holds. */
function watched(): { artifacts: Artifacts; removeUnnamed(test: TestKernel): Promise<number> } {
  const artifacts = createMemoryArtifacts();
  return { artifacts, removeUnnamed: (test) => artifacts.sweep((digests) => test.store.findNamedContents(digests)) };
}

describe("an artifact", () => {
  it("is there, with its event, once it is told of", async () => {
    const test = await running();
    const row = await settled(test, test.host.putArtifact(LABEL, bytes(3, 2), tell));
    expect(row).toMatchObject({ job: test.job, size: 5, contentType: "text/plain", name: null });
    expect(row.id).toMatch(/^art_[0-9A-Z]{26}$/);
    expect(await test.kernel.readArtifact(row.id)).toEqual(row);
    const content = await test.kernel.openArtifact(row, { from: 3, to: 3 });
    expect(await textOf(content)).toBe("\u0002");
    const told = (await test.log(test.job)).filter(({ code }) => code === "a");
    expect(told.map(({ payload }) => payload.body)).toEqual([{ uri: row.id, content_type: "text/plain" }]);
  });

  it("goes into the very commit of its event, and needs no second one", async () => {
    const test = await running();
    const before = test.batches.length;
    await settled(test, test.host.putArtifact(LABEL, bytes(3), tell));
    const batches = test.batches.slice(before).filter(({ rows }) => (rows.artifacts ?? []).length > 0);
    expect(batches).toHaveLength(1);
    expect(batches[0]?.rows.chunks?.map(({ kinds }) => kinds)).toEqual(["a"]);
  });

  it("is told of to nobody before it is durable", async () => {
    const test = await running();
    test.store.hold();
    let resolved = false;
    const putting = test.host.putArtifact(LABEL, bytes(3), tell).then(() => {
      resolved = true;
    });
    await test.world.settle();
    expect([resolved, test.store.held]).toEqual([false, 1]);
    test.store.release();
    await settled(test, putting);
    expect(resolved).toBe(true);
  });

  it("shares its content with another job's, which cannot tell", async () => {
    const { artifacts, removeUnnamed } = watched();
    const test = await running({ artifacts });
    const other = await test.submit("held");
    const [one, two] = await settled(
      test,
      Promise.all(test.hosts.map((host) => host.putArtifact(LABEL, bytes(7), tell))),
    );
    expect([one?.job, two?.job]).toEqual([test.job, other.job.id]);
    expect(one?.id).not.toBe(two?.id);
    expect(one?.sha256).toBe(two?.sha256);
    expect(await removeUnnamed(test)).toBe(0);
  });

  it("survives a crash together with its event, or not at all [law-artifact-complete]", async () => {
    for (const survives of [false, true]) {
      const { artifacts, removeUnnamed } = watched();
      const test = await running({ artifacts });
      test.store.hold();
      test.host.putArtifact(LABEL, bytes(4), tell).catch(() => {});
      await test.world.settle();
      const later = await test.crash({ survives: () => survives });
      const entries = (await later.log(test.job)).filter(({ code }) => code === "a");
      expect(entries).toHaveLength(survives ? 1 : 0);
      for (const { payload } of entries) {
        const row = await later.kernel.readArtifact((payload.body as { uri: string }).uri);
        expect(row).toBeDefined();
        expect(await textOf(await later.kernel.openArtifact(row as ArtifactRow))).toBe("\u0004".repeat(4));
      }
      // The dead process cannot release what it pinned; a new one has pinned nothing.
      expect(await later.store.findNamedContents([await digestOf(4)])).toHaveProperty("size", survives ? 1 : 0);
      expect(await removeUnnamed(later)).toBe(0);
    }
  });

  it("of a commit that failed is nowhere, and its content goes with the next sweep", async () => {
    const { artifacts, removeUnnamed } = watched();
    const test = await running({ artifacts });
    test.store.failNext();
    await expect(settled(test, test.host.putArtifact(LABEL, bytes(4), tell))).rejects.toMatchObject({
      code: "INTERNAL_ERROR",
    });
    expect(await test.store.findNamedContents([await digestOf(4)])).toEqual(new Set());
    expect(await artifacts.open(await digestOf(4))).toBeDefined();
    await test.world.advance(60_000);
    expect(await artifacts.open(await digestOf(4))).toBeUndefined();
    expect(await removeUnnamed(test)).toBe(0);
    await test.kernel.close();
    expect(test.world.pendingTimers).toBe(0);
  });

  it("is found by a sweep that is asked for while another has looked past it", async () => {
    const { artifacts, removeUnnamed } = watched();
    const looking = Promise.withResolvers<void>();
    const slow: Artifacts = {
      ...artifacts,
      sweep: async (findNamed) => {
        const removed = await artifacts.sweep(findNamed);
        await looking.promise;
        return removed;
      },
    };
    const test = await createTestKernel({ artifacts: slow });
    const first = test.kernel.sweepArtifacts();
    await test.world.settle();
    // Its name went meanwhile.
    (await artifacts.put(bytes(4))).release();
    const [second, third] = [test.kernel.sweepArtifacts(), test.kernel.sweepArtifacts()];
    looking.resolve();
    expect(await settled(test, Promise.all([first, second, third]))).toEqual([0, 1, 1]);
    expect(await removeUnnamed(test)).toBe(0);
  });

  it("is spared by a sweep while it is on its way to the store", async () => {
    const test = await running();
    test.store.hold();
    const putting = test.host.putArtifact(LABEL, bytes(4), tell);
    await test.world.settle();
    expect(await settled(test, test.kernel.sweepArtifacts())).toBe(0);
    test.store.release();
    const row = await settled(test, putting);
    expect(await settled(test, test.kernel.sweepArtifacts())).toBe(0);
    expect(await textOf(await test.kernel.openArtifact(row))).toBe("\u0004".repeat(4));
  });

  it("is refused once the job is stopped, while it is read as well", async () => {
    const test = await running();
    let returned = false;
    const hanging: AsyncIterable<Uint8Array> = {
      [Symbol.asyncIterator]: () => ({
        next: () => new Promise(() => {}),
        return: async () => {
          returned = true;
          return { done: true, value: undefined };
        },
      }),
    };
    const putting = test.host.putArtifact(LABEL, hanging, tell);
    putting.catch(() => {});
    await test.world.settle();
    await settled(
      test,
      test.kernel.cancel({ job: test.job }, () => {}),
    );
    await expect(putting).rejects.toMatchObject({ code: "CANCELLED" });
    expect(returned).toBe(true);
    await expect(test.host.putArtifact(LABEL, bytes(1), tell)).rejects.toMatchObject({ code: "CANCELLED" });
    expect((await test.log(test.job)).map(({ code }) => code)).toEqual(["E"]);
  });

  it("rejects with what its source threw", async () => {
    const test = await running();
    async function* broken(): AsyncGenerator<Uint8Array, void, void> {
      yield new Uint8Array(1);
      throw new TypeError("the source broke");
    }
    await expect(settled(test, test.host.putArtifact(LABEL, broken(), tell))).rejects.toThrow(TypeError);
    expect(await settled(test, test.host.putArtifact(LABEL, bytes(1), tell))).toMatchObject({ size: 1 });
  });

  it("that cannot be stored is an INTERNAL_ERROR, and the job goes on", async () => {
    const full: Artifacts = {
      ...createMemoryArtifacts(),
      put: async () => {
        throw Object.assign(new Error("no space left on device"), { code: "ENOSPC" });
      },
    };
    const test = await running({ artifacts: full });
    await expect(settled(test, test.host.putArtifact(LABEL, bytes(1), tell))).rejects.toMatchObject({
      code: "INTERNAL_ERROR",
      message: "an artifact could not be stored",
    });
    expect((await test.stored(test.job)).status).toBe("running");
  });

  it("waits its turn when many are under way, and all of them come", async () => {
    const test = await running();
    const rows = await settled(
      test,
      Promise.all(Array.from({ length: 50 }, (_, index) => test.host.putArtifact(LABEL, bytes(index), tell))),
    );
    expect(rows.map(({ size }) => size)).toEqual(Array.from({ length: 50 }, (_, index) => index));
  });
});

describe("the limits of artifacts [reading-artifact-limits]", () => {
  const artifactLimits = { maxArtifactBytes: 10, maxJobArtifactBytes: 25 };

  it("bound each one, and name themselves", async () => {
    const test = await running({ artifactLimits });
    expect(await settled(test, test.host.putArtifact(LABEL, bytes(4, 6), tell))).toMatchObject({ size: 10 });
    await expect(settled(test, test.host.putArtifact(LABEL, bytes(4, 7, 1_000), tell))).rejects.toMatchObject({
      code: "INTERNAL_ERROR",
      retryable: false,
      details: { limit: "maxArtifactBytes", bytes: 10 },
    });
  });

  it("bound a job's together, those on their way included; what was refused does not count", async () => {
    const test = await running({ artifactLimits });
    const put = (length: number) => test.host.putArtifact(LABEL, bytes(length), tell);
    await settled(test, put(10));
    await expect(settled(test, put(11))).rejects.toThrow("maxArtifactBytes");
    const outcomes = await settled(test, Promise.allSettled([put(8), put(8)]));
    expect(outcomes.map(({ status }) => status).toSorted()).toEqual(["fulfilled", "rejected"]);
    await expect(settled(test, put(8))).rejects.toMatchObject({
      details: { limit: "maxJobArtifactBytes", bytes: 25 },
    });
    expect(await settled(test, put(7))).toMatchObject({ size: 7 });
  });

  it("hold over attempts", async () => {
    const test = await running({ artifactLimits });
    for (const length of [10, 10]) await settled(test, test.host.putArtifact(LABEL, bytes(length), tell));
    const later = await test.crash();
    expect(test.hosts.map(({ attempt }) => attempt)).toEqual([1, 2]);
    const host = test.hosts[1] as JobHost;
    await expect(settled(later, host.putArtifact(LABEL, bytes(6), tell))).rejects.toThrow("maxJobArtifactBytes");
    expect(await settled(later, host.putArtifact(LABEL, bytes(5), tell))).toMatchObject({ size: 5 });
  });
});

/** Of as many bytes of that value. */
async function digestOf(length: number): Promise<string> {
  return (await createMemoryArtifacts().put(bytes(length))).sha256;
}
