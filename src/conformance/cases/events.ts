/** Events, their kinds and their order (§8.1–§8.3). */
import { findBodyProblem } from "../../protocol/event-bodies.ts";
import { EVENT_KINDS, type EventKind } from "../../protocol/event-kinds.ts";
import type { JsonObject } from "../../protocol/fields.ts";
import type { ConformanceCase } from "../case.ts";
import { check, checkEqual } from "../verdict.ts";

const JOBS_AT_ONCE = 5;

function isEventKind(kind: unknown): kind is EventKind {
  return typeof kind === "string" && Object.hasOwn(EVENT_KINDS, kind);
}

export const EVENT_CASES: readonly ConformanceCase[] = [
  {
    requirement: "arcp-8.1-event-envelope",
    section: "8.1",
    level: "MUST",
    title: "an event names its session, its job and its event_seq, and carries kind and body",
    agents: ["logs"],
    async run(bench) {
      const session = await bench.open();
      const { id } = await session.run(bench.agent("logs"), {});
      const events = session.frames.filter(({ type }) => type === "job.event");
      check(events.length > 0, "no event came");
      for (const { session_id, job_id, event_seq, payload } of events) {
        checkEqual(session_id, session.id, "session_id");
        checkEqual(job_id, id, "job_id");
        check(Number.isSafeInteger(event_seq), "event_seq is no whole number");
        check(typeof payload.kind === "string", "payload.kind is no string");
        check(typeof payload.body === "object" && payload.body !== null, "payload.body is no object");
      }
    },
  },
  {
    requirement: "arcp-8.2-kinds",
    section: "8.2",
    level: "MUST",
    title: "each body has the shape of its kind, and each kind is the draft's or a vendor's",
    agents: ["events"],
    async run(bench) {
      const session = await bench.open();
      const { id } = await session.run(bench.agent("events"), {});
      for (const { type, payload } of session.stream(id)) {
        if (type !== "job.event" || String(payload.kind).startsWith("x-")) continue;
        check(isEventKind(payload.kind), `the kind ${String(payload.kind)} is not the draft's`);
        const problem = findBodyProblem(payload.kind, payload.body);
        check(problem === undefined, `the body of a ${payload.kind}: ${problem?.message}`);
      }
    },
  },
  {
    requirement: "arcp-8.2.1-current-non-negative",
    section: "8.2.1",
    level: "MUST",
    title: "the current value of a progress event is a number of at least zero",
    features: ["progress"],
    agents: ["events"],
    async run(bench) {
      const session = await bench.open();
      const { id } = await session.run(bench.agent("events"), {});
      const progress = session.stream(id).filter(({ payload }) => payload.kind === "progress");
      check(progress.length > 0, "no progress event came, though the feature was negotiated");
      for (const { payload } of progress) {
        const { current } = (payload.body ?? {}) as JsonObject;
        check(typeof current === "number" && current >= 0, `current is ${String(current)}`);
      }
    },
  },
  {
    requirement: "arcp-8.2.1-current-within-total",
    section: "8.2.1",
    level: "SHOULD",
    title: "the current value of a progress event does not exceed its total",
    features: ["progress"],
    agents: ["events"],
    async run(bench) {
      const session = await bench.open();
      const { id } = await session.run(bench.agent("events"), {});
      for (const { payload } of session.stream(id)) {
        const { current, total } = (payload.body ?? {}) as JsonObject;
        if (payload.kind === "progress" && typeof total === "number") check(Number(current) <= total, "it does");
      }
    },
  },
  {
    requirement: "arcp-8.2.1-optional",
    section: "8.2.1",
    level: "MAY",
    title: "a progress event may leave out its total",
    features: ["progress"],
    agents: ["events"],
    async run(bench) {
      const session = await bench.open();
      const { id } = await session.run(bench.agent("events"), {});
      const progress = session.stream(id).filter(({ payload }) => payload.kind === "progress");
      const open = progress.some(({ payload }) => (payload.body as JsonObject | undefined)?.total === undefined);
      check(open, "none of its progress events does");
    },
  },
  {
    requirement: "arcp-8.3-monotonic-gap-free",
    section: "8.3",
    level: "MUST",
    title: "sequence numbers rise by one, over several jobs at once",
    agents: ["logs"],
    async run(bench) {
      const session = await bench.open();
      const jobs: string[] = [];
      for (let job = 0; job < JOBS_AT_ONCE; job++) {
        jobs.push((await session.start(bench.agent("logs"), { count: 20 })).id);
      }
      for (const job of jobs) await session.finish(job);
      const seqs = session.placed().map(({ event_seq }) => Number(event_seq));
      checkEqual(
        seqs,
        seqs.map((_, index) => (seqs[0] ?? 0) + index),
        "the sequence",
      );
    },
  },
  {
    requirement: "reading-job-order",
    section: "8.3",
    level: "READING",
    title: "events of one job come in the order in which it emitted them",
    agents: ["slow"],
    async run(bench) {
      const session = await bench.open();
      const { id } = await session.run(bench.agent("slow"), { ms: 100, every: 10 });
      const lines = session.stream(id).filter(({ payload }) => payload.kind === "log");
      const ticks = lines.map(({ payload }) => Number(/\d+/.exec(String((payload.body as JsonObject).message))?.[0]));
      checkEqual(
        ticks,
        ticks.toSorted((a, b) => a - b),
        "the order",
      );
    },
  },
  {
    requirement: "reading-job-seq",
    section: "8.3",
    level: "READING",
    title: "events and the end carry their place in the job's own log, from 1",
    agents: ["logs"],
    async run(bench) {
      const session = await bench.open();
      const { id } = await session.run(bench.agent("logs"), {});
      const seqs = session.stream(id).map(({ payload }) => payload.job_seq);
      checkEqual(
        seqs,
        seqs.map((_, index) => index + 1),
        "job_seq",
      );
    },
  },
];
