/** What a tree of many jobs may ask of everyone else: how much of it is written at a time, and what a delegation costs. */
import { expect, it } from "vitest";
import type { JobHost } from "../agents-port.ts";
import { anAgent, createTestKernel, say, type TestKernel } from "../test-kernel.ts";

const EVERY_AGENT = { "agent.delegate": ["*"] };
const ENTRY = "x".repeat(100_000);

interface Tree extends TestKernel {
  /** Of all jobs, the root's first. */
  readonly hosts: readonly JobHost[];
}

async function growTree(children: number, budget: object = {}): Promise<Tree> {
  const hosts: JobHost[] = [];
  const idle = anAgent("idle", (host) => {
    hosts.push(host);
    return new Promise<never>(() => {});
  });
  const test = await createTestKernel({ agents: [idle] });
  await test.submit("idle", null, { leaseRequest: { ...EVERY_AGENT, ...budget } });
  for (let child = 0; child < children; child++) {
    void hosts[0]?.delegate({ agent: "idle", input: null, leaseRequest: EVERY_AGENT });
  }
  await test.world.settle();
  expect(hosts).toHaveLength(children + 1);
  return { ...test, hosts };
}

const lengthOf = ({ batches }: TestKernel, from: number): readonly number[] =>
  batches.slice(from).map(({ rows }) => (rows.chunks ?? []).flatMap(({ payloads }) => payloads).join("").length);

it("entries of a tree's jobs are not all written at once", async () => {
  const tree = await growTree(40);
  const before = tree.batches.length;
  for (const host of tree.hosts) void say(host, ENTRY);
  await tree.world.settle();
  const lengths = lengthOf(tree, before);
  expect(lengths.reduce((sum, length) => sum + length, 0)).toBeGreaterThan(41 * 100_000);
  expect(Math.max(...lengths)).toBeLessThan(1_300_000);
});

it("the jobs of a tree wait for room together, since they may have to end in one commit", async () => {
  const tree = await growTree(40);
  tree.store.hold();
  const waiting = tree.hosts.filter((host) => say(host, ENTRY) !== undefined);
  expect(waiting.length).toBeGreaterThan(25);
  expect(waiting).not.toContain(tree.hosts[5]);
  tree.store.release();
  await tree.world.settle();
  expect(tree.hosts.filter((host) => say(host, "short") !== undefined)).toEqual([]);
});

it("costs that move counters above are written with them, however long the tree's commit is", async () => {
  const tree = await growTree(40, { "cost.budget": ["USD:100"] });
  const before = tree.batches.length;
  for (const host of tree.hosts) {
    void host.report({ name: "cost.test", value: 1, unit: "USD", dimensions: { note: ENTRY } });
  }
  await tree.world.settle();
  expect(tree.batches.slice(before).map(({ rows }) => rows.budgets?.map(({ counters }) => counters))).toEqual([
    ['{"USD":{"spent":"41","held":"0"}}'],
  ]);
});

it("a limit on jobs under way counts those that are, also after some have ended and after a crash", async () => {
  const hosts = new Map<string, JobHost>();
  const idle = anAgent(
    "idle",
    (host) => {
      hosts.set(host.job.id, host);
      return new Promise<never>(() => {});
    },
    { restart: "always" },
  );
  const test = await createTestKernel({ agents: [idle], jobLimits: { maxTreeJobs: 4 } });
  const { job } = await test.submit("idle", null, { leaseRequest: EVERY_AGENT });
  const delegate = (parent: string, key: string) =>
    (hosts.get(parent) as JobHost).delegate({ agent: "idle", input: key, leaseRequest: EVERY_AGENT, key });
  const settled = async <Value>(on: TestKernel, promise: Promise<Value>): Promise<Value> => {
    promise.catch(() => {});
    await on.world.settle();
    return promise;
  };
  const full = { details: { limit: "maxTreeJobs", count: 4 } };

  const child = await settled(test, delegate(job.id, "a"));
  await settled(test, delegate(child.jobId, "b"));
  await settled(test, delegate(child.jobId, "c"));
  await expect(settled(test, delegate(job.id, "d"))).rejects.toMatchObject(full);
  await settled(test, child.cancel());
  const other = await settled(test, delegate(job.id, "e"));

  const later = await test.crash();
  await later.world.settle();
  await settled(later, delegate(other.jobId, "f"));
  await settled(later, delegate(other.jobId, "g"));
  await expect(settled(later, delegate(job.id, "h"))).rejects.toMatchObject(full);
});
