/** Following a job from another session (§7.6, §7.7). */
import type { JsonObject } from "../../protocol/fields.ts";
import type { Bench } from "../bench.ts";
import type { ConformanceCase } from "../case.ts";
import { type Frame, isPlaced } from "../frame.ts";
import { type JobSeen, type Session, shownRefusal } from "../session.ts";
import { check, checkEqual, prepare } from "../verdict.ts";

/** What a follower must see of an entry, whichever session it comes to. */
function entryOf({ type, payload }: Frame): unknown {
  return type === "job.event"
    ? { type, kind: payload.kind, body: payload.body }
    : { type, final_status: payload.final_status };
}

function entriesOf(session: Session, job: string): readonly unknown[] {
  return session.stream(job).map(entryOf);
}

/** The number that a `slow` job's line counts. */
function tickOf({ payload }: Frame): number {
  return Number(/\d+/.exec(String((payload.body as JsonObject | undefined)?.message))?.[0] ?? Number.NaN);
}

interface Followed {
  readonly submitter: Session;
  readonly follower: Session;
  readonly job: JobSeen;
}

/** A job under way that another session of the same principal is about to follow. */
async function underWay(bench: Bench, input: JsonObject = { ms: 300, every: 20 }): Promise<Followed> {
  const submitter = await bench.open();
  const job = await submitter.start(bench.agent("slow"), input);
  await submitter.untilEvents(job.id, 2);
  return { submitter, follower: await bench.open(), job };
}

function subscribed(answer: Frame): JsonObject {
  check(answer.type === "job.subscribed", () => `it was refused: ${shownRefusal(answer)}`);
  return answer.payload;
}

export const SUBSCRIPTION_CASES: readonly ConformanceCase[] = [
  {
    requirement: "arcp-7.6-submitter-observes",
    section: "7.6",
    level: "MUST",
    title: "the submitting principal may subscribe from another session",
    features: ["subscribe"],
    agents: ["slow"],
    async run(bench) {
      const { follower, job } = await underWay(bench);
      const payload = subscribed(await follower.subscribe(job.id));
      checkEqual(payload.job_id, job.id, "job_id");
    },
  },
  {
    requirement: "arcp-7.6-authority-descriptor",
    section: "7.6",
    level: "MUST",
    title: "job.subscribed shows status, agent and lease",
    features: ["subscribe"],
    agents: ["slow"],
    async run(bench) {
      const { follower, job } = await underWay(bench, { ms: 1_000, every: 20 });
      const payload = subscribed(await follower.subscribe(job.id));
      checkEqual(payload.current_status, "running", "current_status");
      check(typeof payload.agent === "string", "agent is no string");
      checkEqual(payload.lease, job.accepted.payload.lease, "lease");
    },
  },
  {
    requirement: "arcp-7.6-authority-descriptor",
    section: "7.6",
    level: "MUST",
    title: "job.subscribed shows the lease's constraints and the current budget",
    features: ["subscribe", "cost.budget", "lease_expires_at"],
    agents: ["slow"],
    async run(bench) {
      const submitter = await bench.open();
      const expires_at = new Date(bench.target.world.clock.now() + 3_600_000).toISOString();
      const bounds = { lease_request: { "cost.budget": ["USD:5.00"] }, lease_constraints: { expires_at } };
      const job = await submitter.start(bench.agent("slow"), { ms: 1_000 }, bounds);
      const follower = await bench.open();
      const payload = subscribed(await follower.subscribe(job.id));
      const constraints = (payload.lease_constraints ?? {}) as JsonObject;
      checkEqual(Date.parse(String(constraints.expires_at)), Date.parse(expires_at), "lease_constraints.expires_at");
      checkEqual((payload.budget as JsonObject | undefined)?.USD, 5, "budget.USD");
    },
  },
  {
    requirement: "arcp-7.6-replay-from",
    section: "7.6",
    level: "MUST",
    title: "a subscription with history from 0 replays what came, then goes on live to the end",
    features: ["subscribe"],
    agents: ["slow"],
    async run(bench) {
      const { submitter, follower, job } = await underWay(bench);
      subscribed(await follower.subscribe(job.id, { from_event_seq: 0, history: true }));
      await follower.terminal(job.id);
      await submitter.finish(job.id);
      checkEqual(entriesOf(follower, job.id), entriesOf(submitter, job.id), "what the subscriber saw");
    },
  },
  {
    requirement: "arcp-7.6-live-only",
    section: "7.6",
    level: "MUST",
    title: "a subscription without history sees only what comes after its acknowledgement",
    features: ["subscribe"],
    agents: ["slow"],
    async run(bench) {
      const { submitter, follower, job } = await underWay(bench);
      const first = tickOf(submitter.stream(job.id)[0] as Frame);
      subscribed(await follower.subscribe(job.id));
      await prepare("waiting for an event", () => follower.peer.expect("an event", ({ type }) => type === "job.event"));
      await submitter.finish(job.id);
      const ticks = follower
        .stream(job.id)
        .filter(({ type }) => type === "job.event")
        .map(tickOf);
      check(!ticks.includes(first), "an event came that was emitted before the subscription");
    },
  },
  {
    requirement: "arcp-7.6-interleaved",
    section: "7.6",
    level: "MUST",
    title: "events of a subscribed job come in the subscriber's own sequence, among those of its own jobs",
    features: ["subscribe"],
    agents: ["slow", "logs"],
    async run(bench) {
      const { follower, job } = await underWay(bench);
      await follower.follow(job.id);
      const own = await follower.run(bench.agent("logs"), {});
      await follower.finish(job.id);
      check(follower.stream(job.id).length > 0, "no event of the subscribed job came");
      check(follower.stream(own.id).length > 0, "no event of the subscriber's own job came");
      const seqs = follower.placed().map(({ event_seq }) => Number(event_seq));
      checkEqual(
        seqs,
        seqs.map((_, index) => (seqs[0] ?? 0) + index),
        "the sequence",
      );
    },
  },
  {
    requirement: "arcp-7.6-unsubscribe",
    section: "7.6",
    level: "MUST",
    title: "after job.unsubscribe no more events of the job come",
    features: ["subscribe"],
    agents: ["slow"],
    async run(bench) {
      const { submitter, follower, job } = await underWay(bench, { ms: 600, every: 20 });
      await follower.follow(job.id);
      follower.send("job.unsubscribe", { job_id: job.id });
      await follower.settled();
      const before = follower.stream(job.id).length;
      await submitter.finish(job.id);
      await follower.settled();
      checkEqual(follower.stream(job.id).length, before, "the number of its events that came");
    },
  },
  {
    requirement: "arcp-7.6-no-authority",
    section: "7.6",
    level: "MUST",
    title: "a subscriber that did not submit the job cannot cancel it",
    features: ["subscribe"],
    agents: ["slow"],
    async run(bench) {
      const { submitter, follower, job } = await underWay(bench);
      await follower.follow(job.id);
      follower.send("job.cancel", { job_id: job.id, reason: "mine" }, { job_id: job.id });
      await follower.settled();
      check(!follower.frames.some(({ type }) => type === "job.cancelled"), "its cancel was acknowledged");
      const terminal = await submitter.finish(job.id);
      checkEqual(terminal.payload.final_status, "success", "the job's final status");
    },
  },
  {
    requirement: "reading-who-may-cancel",
    section: "7.4",
    level: "READING",
    title: "the cancel of one who may see the job, and not cancel it, is refused with PERMISSION_DENIED",
    features: ["subscribe"],
    agents: ["slow"],
    async run(bench) {
      const { follower, job } = await underWay(bench);
      await follower.follow(job.id);
      const named = { job_id: job.id };
      await follower.refused("job.cancel", named, ["PERMISSION_DENIED"], named);
    },
  },
  {
    requirement: "arcp-13.3-survives-submitter",
    section: "13.3",
    level: "MUST",
    title: "a subscriber goes on observing when the submitter's connection drops",
    features: ["subscribe"],
    agents: ["slow"],
    async run(bench) {
      const { submitter, follower, job } = await underWay(bench);
      await follower.follow(job.id);
      submitter.peer.drop();
      const terminal = await follower.terminal(job.id);
      checkEqual(terminal.payload.final_status, "success", "the job's final status");
    },
  },
  {
    requirement: "arcp-7.6-job-id-required",
    section: "7.6",
    level: "MUST",
    title: "a subscription that names no job is refused",
    features: ["subscribe"],
    async run(bench) {
      const session = await bench.open();
      const answer = await session.ask("job.subscribe", { history: true }, "job.subscribed");
      check(answer.type !== "job.subscribed", "it was accepted");
    },
  },
  {
    requirement: "reading-subscribe-order",
    section: "7.6",
    level: "READING",
    title: "a subscription is acknowledged first, then replayed",
    features: ["subscribe"],
    agents: ["logs"],
    async run(bench) {
      const job = await (await bench.open()).run(bench.agent("logs"), {});
      const follower = await bench.open();
      await follower.follow(job.id, { history: true, from_event_seq: 0 });
      await follower.finish(job.id);
      const order = follower.frames.filter((frame) => frame.type === "job.subscribed" || isPlaced(frame));
      checkEqual(order[0]?.type, "job.subscribed", "the first of them");
    },
  },
  {
    requirement: "reading-finished-jobs",
    section: "7.6",
    level: "READING",
    title: "a finished job can be subscribed to, with its history and its end",
    features: ["subscribe"],
    agents: ["logs"],
    async run(bench) {
      const submitter = await bench.open();
      const job = await submitter.run(bench.agent("logs"), {});
      const follower = await bench.open();
      subscribed(await follower.subscribe(job.id, { history: true, from_event_seq: 0 }));
      await follower.terminal(job.id);
      checkEqual(entriesOf(follower, job.id), entriesOf(submitter, job.id), "what the subscriber saw");
    },
  },
  {
    requirement: "arcp-12-job-not-found",
    section: "12",
    level: "MUST",
    title: "subscribing to a job that does not exist is refused with JOB_NOT_FOUND",
    features: ["subscribe"],
    async run(bench) {
      const session = await bench.open();
      await session.refused("job.subscribe", { job_id: `job_${bench.unique()}` }, ["JOB_NOT_FOUND"]);
    },
  },
];
