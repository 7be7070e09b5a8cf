/** Heartbeats, acknowledgements and the end of a session (§6.4, §6.5, §6.7). */
import type { Bench } from "../bench.ts";
import type { ConformanceCase } from "../case.ts";
import { isTerminal, jobOf } from "../frame.ts";
import { check, checkEqual, NotReached, prepare } from "../verdict.ts";

/** A longer heartbeat interval is not waited for. */
const LONGEST_INTERVAL_MS = 2_000;
/** What a message may be late, on a busy machine. */
const SLACK_MS = 1_000;

function intervalOf({ heartbeatMs }: Bench): number {
  if (heartbeatMs === undefined || heartbeatMs > LONGEST_INTERVAL_MS) {
    throw new NotReached(`its heartbeat interval of ${(heartbeatMs ?? 0) / 1_000} s is longer than this suite waits`);
  }
  return heartbeatMs;
}

export const LIVENESS_CASES: readonly ConformanceCase[] = [
  {
    requirement: "arcp-6.4-pong",
    section: "6.4",
    level: "MUST",
    title: "a ping is answered by a pong with its nonce",
    features: ["heartbeat"],
    async run(bench) {
      const session = await bench.open();
      const nonce = bench.unique();
      const pong = await session.ping(nonce);
      checkEqual(pong.payload.ping_nonce, nonce, "ping_nonce");
    },
  },
  {
    requirement: "arcp-6.4-outside-event-seq",
    section: "6.4",
    level: "MUST",
    title: "pings and pongs take no place in event_seq",
    features: ["heartbeat"],
    agents: ["logs"],
    async run(bench) {
      const session = await bench.open();
      await session.run(bench.agent("logs"), {});
      const last = Number(session.placed().at(-1)?.event_seq);
      for (let time = 0; time < 3; time++) {
        const pong = await prepare("pinging", () => session.ping(bench.unique()));
        check(pong.event_seq === undefined || pong.event_seq === null, "a pong has an event_seq");
      }
      const { id } = await session.run(bench.agent("logs"), {});
      checkEqual(session.stream(id)[0]?.event_seq, last + 1, "the event_seq of the next event");
    },
  },
  {
    requirement: "arcp-6.4-message-per-interval",
    section: "6.4",
    level: "SHOULD",
    title: "an idle session hears from the runtime within each interval",
    features: ["heartbeat"],
    async run(bench) {
      const interval = intervalOf(bench);
      const session = await bench.open();
      const from = session.frames.length;
      await bench.pause(interval + SLACK_MS);
      check(session.frames.length > from, `nothing came for ${(interval + SLACK_MS) / 1_000} s`);
    },
  },
  {
    requirement: "arcp-6.4-jobs-survive-loss",
    section: "6.4",
    level: "MUST",
    title: "a client that falls silent loses no job",
    features: ["heartbeat", "subscribe"],
    agents: ["slow"],
    async run(bench) {
      const interval = intervalOf(bench);
      const session = await bench.open();
      session.peer.answersPings = false;
      const job = await session.start(bench.agent("slow"), { ms: 3 * interval + SLACK_MS, every: 100 });
      await bench.pause(3 * interval);
      const follower = await bench.open();
      await follower.follow(job.id, { history: true, from_event_seq: 0 });
      const terminal = await follower.terminal(job.id);
      checkEqual(terminal.payload.final_status, "success", "the job's final status");
    },
  },
  {
    requirement: "arcp-6.4-session-survives-loss",
    section: "6.4",
    level: "MUST",
    title: "a client that falls silent finds its session again",
    features: ["heartbeat"],
    async run(bench) {
      const interval = intervalOf(bench);
      const session = await bench.open();
      session.peer.answersPings = false;
      await bench.pause(3 * interval);
      const { answer } = await bench.askResume({ session, after: 0 });
      check(answer.type === "session.welcome", `the resume was refused with ${String(answer.payload.code)}`);
    },
  },
  {
    requirement: "arcp-6.5-outside-event-seq",
    section: "6.5",
    level: "MUST",
    title: "acknowledgements take no place in event_seq",
    features: ["ack"],
    agents: ["logs"],
    async run(bench) {
      const session = await bench.open();
      await session.run(bench.agent("logs"), {});
      const last = Number(session.placed().at(-1)?.event_seq);
      for (let seq = 1; seq <= 3; seq++) session.send("session.ack", { last_processed_seq: seq });
      const { id } = await session.run(bench.agent("logs"), {});
      checkEqual(session.stream(id)[0]?.event_seq, last + 1, "the event_seq of the next event");
    },
  },
  {
    requirement: "arcp-6.5-advisory",
    section: "6.5",
    level: "MUST",
    title: "a resume begins at the position it presents, not at the one acknowledged",
    features: ["ack"],
    agents: ["logs"],
    async run(bench) {
      const session = await bench.open();
      await session.run(bench.agent("logs"), { count: 8 });
      const seqs = session.placed().map(({ event_seq }) => Number(event_seq));
      session.send("session.ack", { last_processed_seq: seqs[0] as number });
      await session.settled();
      const resumed = await bench.resume({ session, after: seqs.at(-2) as number });
      const next = await resumed.peer.expect("the event after it", ({ event_seq }) => typeof event_seq === "number");
      checkEqual(next.event_seq, seqs.at(-1), "the first event_seq of the replay");
    },
  },
  {
    requirement: "arcp-6.7-closed",
    section: "6.7",
    level: "MUST",
    title: "session.close is acknowledged with session.closed",
    async run(bench) {
      const session = await bench.open();
      const answer = await session.ask("session.close", {}, "session.closed");
      check(answer.type === "session.closed", `it was refused with ${String(answer.payload.code)}`);
    },
  },
  {
    requirement: "arcp-6.7-jobs-continue",
    section: "6.7",
    level: "MUST",
    title: "a job runs on after its session was closed, and can be resumed",
    agents: ["slow"],
    async run(bench) {
      const session = await bench.open();
      const job = await session.start(bench.agent("slow"), { ms: 300, every: 50 });
      await prepare("closing", () => session.ask("session.close", {}, "session.closed"));
      const after = Number(session.placed().at(-1)?.event_seq ?? 0);
      const resumed = await bench.resume({ session, after });
      const terminal = await resumed.peer.expect(
        "the job's end",
        (frame) => isTerminal(frame) && jobOf(frame) === job.id,
      );
      checkEqual(terminal.payload.final_status, "success", "the final status");
    },
  },
  {
    requirement: "reading-close",
    section: "6.7",
    level: "READING",
    title: "session.bye is taken as session.close",
    async run(bench) {
      const session = await bench.open();
      const answer = await session.ask("session.bye", {}, "session.closed");
      check(answer.type === "session.closed", `it was refused with ${String(answer.payload.code)}`);
    },
  },
];
