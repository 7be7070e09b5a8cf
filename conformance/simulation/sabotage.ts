/** Runtimes that break one law each, made of a sound one and a layer around it: to show that the simulation notices. */
import type { ToolCall } from "../../src/agents/operation.ts";
import type { Lease } from "../../src/kernel/authority/lease.ts";
import { Counter, Purse } from "../../src/kernel/authority/purse.ts";
import { settleHold } from "../../src/kernel/job/delegation.ts";
import type { JobRecord } from "../../src/kernel/job/job-record.ts";
import { Runner } from "../../src/kernel/job/run.ts";
import type { BudgetRow, CommitBatch, Rows, Store } from "../../src/kernel/ports.ts";
import type { Connection } from "../../src/transports/connection.ts";
import { readDecimal, showDecimal } from "./decimals.ts";
import type { Law } from "./laws.ts";
import type { Sabotage } from "./life.ts";
import { layerStore } from "./store-layer.ts";

interface BrokenRuntime {
  readonly what: string;
  readonly breaks: Law;
  /** Made anew for each run. */
  create(): Sabotage;
}

function without(batch: CommitBatch, table: keyof Rows): CommitBatch {
  return { ...batch, rows: { ...batch.rows, [table]: [] } };
}

function mapRows<Table extends keyof Rows>(
  batch: CommitBatch,
  table: Table,
  change: (row: Rows[Table][number]) => Rows[Table][number],
): CommitBatch {
  const rows = batch.rows[table] as readonly Rows[Table][number][] | undefined;
  return rows === undefined ? batch : { ...batch, rows: { ...batch.rows, [table]: rows.map(change) } };
}

/** Puts `instead` in the place of a method. Returns what puts it back. */
function patching<Kind extends object, Name extends keyof Kind>(
  kind: Kind,
  name: Name,
  instead: Kind[Name],
): () => void {
  const before = kind[name];
  kind[name] = instead;
  return () => {
    kind[name] = before;
  };
}

function asFloats({ counters }: BudgetRow): string {
  return JSON.stringify(JSON.parse(counters), (_key, value) =>
    typeof value === "string" ? showDecimal(readDecimal(String(Number(value)))) : value,
  );
}

const { spend } = Counter.prototype;

/** Moves this counter and none above it. */
function spendHere(this: Counter, amount: bigint): void {
  const { above } = this;
  Object.assign(this, { above: undefined });
  spend.call(this, amount);
  Object.assign(this, { above });
}

function widened(job: JobRecord): JobRecord {
  if (job.parent === null || job.lease === null) return job;
  const lease = JSON.parse(job.lease) as Lease;
  return { ...job, lease: JSON.stringify({ ...lease, grants: { ...lease.grants, "tool.call": ["*"] } }) };
}

function withoutExpiry(job: JobRecord): JobRecord {
  return { ...job, expiresAt: null };
}

/** Starts a tool all the same when it is refused with this code. */
function ignoring(code: string): NonNullable<Sabotage["context"]> {
  return (ctx) => {
    const tool = async (name: string, args: unknown, call: (call: ToolCall) => unknown): Promise<unknown> => {
      try {
        return await ctx.tool(name, args, call);
      } catch (error) {
        if ((error as { code?: string }).code !== code) throw error;
        return call({ callId: "none", signal: ctx.signal, traceparent: "" });
      }
    };
    return new Proxy(ctx, { get: (_, name) => (name === "tool" ? tool : Reflect.get(ctx, name, ctx)) });
  };
}

/** Acknowledges each commit when the next one comes, and writes it only then. */
function writeBehind(inner: Store): Store {
  let last: CommitBatch | undefined;
  return layerStore(inner, {
    async commit(batch, forward) {
      const before = last;
      last = batch;
      if (before !== undefined) await forward(before);
      return { committed: true };
    },
  });
}

/** Gives every frame sent to `change`, which says what is sent instead. */
function changeFrames(change: (frame: string, connection: Connection) => readonly string[]): Sabotage {
  return {
    connection: (inner) => ({
      peer: inner.peer,
      open: (handlers) => inner.open(handlers),
      send: (frames) => inner.send(frames.flatMap((frame) => change(frame, inner))),
      get overloaded() {
        return inner.overloaded;
      },
      close: (code, reason) => inner.close(code, reason),
    }),
  };
}

const isEvent = (frame: string): boolean => frame.includes('"event_seq":');

/** True for one event in `period`. */
function everyEvent(period: number): (frame: string) => boolean {
  let count = 0;
  return (frame) => isEvent(frame) && ++count % period === 0;
}

export const BROKEN_RUNTIMES: readonly BrokenRuntime[] = [
  {
    what: "publishes before it commits",
    breaks: "commit-then-publish",
    create: () => ({
      store: (inner) =>
        layerStore(inner, {
          async commit(batch, forward) {
            forward(batch).catch(() => {});
            return { committed: true };
          },
        }),
    }),
  },
  {
    what: "believes a disk that acknowledges before it writes",
    breaks: "no-event-lost",
    create: () => ({ disk: writeBehind }),
  },
  {
    what: "swallows an event",
    breaks: "no-gap-or-repeat",
    create() {
      const isDue = everyEvent(50);
      return changeFrames((frame) => (isDue(frame) ? [] : [frame]));
    },
  },
  {
    what: "sends an event twice",
    breaks: "no-gap-or-repeat",
    create() {
      const isDue = everyEvent(50);
      return changeFrames((frame) => (isDue(frame) ? [frame, frame] : [frame]));
    },
  },
  {
    what: "makes a new id for an event each time it is sent",
    breaks: "same-bytes-on-replay",
    create() {
      let count = 0;
      return changeFrames((frame) => (isEvent(frame) ? [frame.replace(/"id":"msg_/, `$&${++count}`)] : [frame]));
    },
  },
  {
    what: "shows an event to whoever was sent something before",
    breaks: "principals-apart",
    create() {
      let previous: Connection | undefined;
      return changeFrames((frame, connection) => {
        const other = previous;
        previous = connection;
        if (other !== undefined && other !== connection && isEvent(frame)) other.send([frame]);
        return [frame];
      });
    },
  },
  {
    what: "answers submissions out of order",
    breaks: "requests-are-answered",
    create() {
      const kept = new WeakMap<Connection, string>();
      return changeFrames((frame, connection) => {
        if (!frame.includes('"type":"job.accepted"')) return [frame];
        const earlier = kept.get(connection);
        kept.delete(connection);
        if (earlier !== undefined) return [frame, earlier];
        kept.set(connection, frame);
        return [];
      });
    },
  },
  {
    what: "forgets idempotency keys",
    breaks: "one-job-per-key",
    create: () => ({
      store: (inner) =>
        layerStore(
          inner,
          { commit: (batch, forward) => forward(without(batch, "idempotency")) },
          { readIdempotency: async () => undefined },
        ),
    }),
  },
  {
    what: "forgets which steps were done",
    breaks: "steps-run-once",
    create: () => ({ store: (inner) => layerStore(inner, {}, { readSteps: async () => [] }) }),
  },
  {
    what: "tells of artifacts that it has not written down",
    breaks: "artifacts-have-content",
    create: () => ({
      store: (inner) => layerStore(inner, { commit: (batch, forward) => forward(without(batch, "artifacts")) }),
    }),
  },
  {
    what: "takes all history for old",
    breaks: "history-is-kept",
    create: () => ({
      store: (inner) =>
        layerStore(
          inner,
          {},
          { findRemovable: (query) => inner.findRemovable({ ...query, endedBefore: Number.MAX_SAFE_INTEGER }) },
        ),
    }),
  },
  {
    what: "does not write down what its counters have spent",
    breaks: "money-is-exact",
    create: () => ({
      store: (inner) => layerStore(inner, { commit: (batch, forward) => forward(without(batch, "budgets")) }),
    }),
  },
  {
    what: "counts money in floats",
    breaks: "money-is-exact",
    create: () => ({
      store: (inner) =>
        layerStore(inner, {
          commit: (batch, forward) =>
            forward(mapRows(batch, "budgets", (row) => ({ ...row, counters: asFloats(row) }))),
        }),
    }),
  },
  {
    what: "starts with full counters after a crash",
    breaks: "money-is-exact",
    create: () => ({ store: (inner) => layerStore(inner, {}, { readBudgets: async () => new Map() }) }),
  },
  {
    what: "promises what it does not have",
    breaks: "nothing-promised-twice",
    create: () => ({
      patch: () =>
        patching(Purse.prototype, "reserve", function (this: Purse, amounts) {
          for (const [currency, amount] of amounts) this.find(currency)?.hold(amount);
        }),
    }),
  },
  {
    what: "does not ask its counters before it starts an operation",
    breaks: "nothing-starts-at-zero",
    create: () => ({ patch: () => patching(Purse.prototype, "findExhausted", () => undefined) }),
  },
  {
    what: "keeps the costs of a job from those above it",
    breaks: "money-is-exact",
    create: () => ({ patch: () => patching(Counter.prototype, "spend", spendHere) }),
  },
  {
    what: "starts operations that are not leased",
    breaks: "operations-are-leased",
    create: () => ({ context: ignoring("PERMISSION_DENIED") }),
  },
  {
    what: "starts operations after the lease's expiry",
    breaks: "operations-are-leased",
    create: () => ({ context: ignoring("LEASE_EXPIRED") }),
  },
  {
    what: "gives every child all tools",
    breaks: "authority-within-parent",
    create: () => ({
      store: (inner) => layerStore(inner, { commit: (batch, forward) => forward(mapRows(batch, "jobs", widened)) }),
    }),
  },
  {
    what: "gives a child without an expiry its own time",
    breaks: "authority-within-parent",
    create: () => ({
      store: (inner) =>
        layerStore(inner, {
          commit: (batch, forward) =>
            forward(mapRows(batch, "jobs", (job) => (job.parent === null ? job : { ...job, expiresAt: null }))),
        }),
    }),
  },
  {
    what: "forgets to end the children of what ends",
    breaks: "tree-ends-together",
    create: () => ({
      patch: () =>
        patching(Runner.prototype, "settle", (job) => {
          job.apply({ type: "settle" });
          settleHold(job);
        }),
    }),
  },
  {
    what: "forgets over a restart when leases expire",
    breaks: "expired-jobs-end",
    create: () => ({
      store: (inner) =>
        layerStore(
          inner,
          {},
          {
            claimTrees: async (node) =>
              (await inner.claimTrees(node)).map((tree) => ({ ...tree, jobs: tree.jobs.map(withoutExpiry) })),
            readTree: async (root) => (await inner.readTree(root)).map(withoutExpiry),
          },
        ),
    }),
  },
  {
    what: "never ends a session",
    breaks: "nothing-leaks",
    create: () => ({
      store: (inner) => layerStore(inner, { commit: (batch, forward) => forward(without(batch, "endedSessions")) }),
    }),
  },
];
