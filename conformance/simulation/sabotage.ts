/** Runtimes that break one law each, made of a sound one and a layer around it: to show that the simulation notices. */
import type { CommitBatch, Rows, Store } from "../../src/kernel/ports.ts";
import type { Connection } from "../../src/transports/connection.ts";
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
    what: "never ends a session",
    breaks: "nothing-leaks",
    create: () => ({
      store: (inner) => layerStore(inner, { commit: (batch, forward) => forward(without(batch, "endedSessions")) }),
    }),
  },
];
