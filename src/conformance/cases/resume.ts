/** Taking a session up again (§6.3, §7.7). */
import type { Bench } from "../bench.ts";
import type { ConformanceCase } from "../case.ts";
import { type Frame, isPlaced } from "../frame.ts";
import { Session } from "../session.ts";
import { check, checkEqual, NotReached, prepare } from "../verdict.ts";

/** A window longer than this is not waited for. */
const LONGEST_WINDOW_MS = 6_000;
/** More than any runtime is likely to keep once it is acknowledged. */
const MANY_EVENTS = 2_500;

/** A session that has seen a job of several events to its end, all of them placed. */
async function withHistory(bench: Bench): Promise<{ session: Session; placed: readonly Frame[] }> {
  const session = await bench.open();
  await session.run(bench.agent("logs"), { count: 8 });
  return { session, placed: session.placed() };
}

function seqOf(frame: Frame | undefined): number {
  return Number(frame?.event_seq ?? 0);
}

/** Waits for what the resumed session is owed, up to the frame that was `last` before. */
async function replayed(session: Session, last: Frame): Promise<readonly Frame[]> {
  await session.peer.expect(`the replay up to event_seq ${seqOf(last)}`, (frame) => seqOf(frame) >= seqOf(last));
  return session.placed();
}

function shownPlaces(frames: readonly Frame[]): readonly unknown[] {
  return frames.map(({ event_seq, type, job_id, payload }) => ({ event_seq, type, job_id, payload }));
}

/** Whether a resume was refused, as a resume with that token must be. */
async function refusedResume(bench: Bench, session: Session, resumeToken: string, token?: string): Promise<Frame> {
  const { answer } = await bench.askResume({
    session,
    after: 0,
    resumeToken,
    ...(token === undefined ? {} : { token }),
  });
  check(answer.type === "session.error", "the session was resumed all the same");
  return answer;
}

export const RESUME_CASES: readonly ConformanceCase[] = [
  {
    requirement: "arcp-6.3-session-resume",
    section: "6.3",
    level: "MUST",
    title: "a session.resume takes the session up again",
    async run(bench) {
      const session = await bench.open();
      const { answer } = await bench.askResumeAs("message", { session, after: 0 });
      check(answer.type === "session.welcome", `it was refused with ${String(answer.payload.code)}`);
    },
  },
  {
    requirement: "arcp-6.3-token-rotates",
    section: "6.3",
    level: "MUST",
    title: "every welcome carries a new resume token",
    async run(bench) {
      const session = await bench.open();
      const resumed = await prepare("resuming", () => bench.resume({ session, after: 0 }));
      check(resumed.resumeToken !== "", "the welcome of a resume carries none");
      check(resumed.resumeToken !== session.resumeToken, "the token is the same as before");
    },
  },
  {
    requirement: "arcp-6.3-replay",
    section: "6.3",
    level: "MUST",
    title: "a resume replays exactly what came after the position presented",
    agents: ["logs"],
    async run(bench) {
      const { session, placed } = await withHistory(bench);
      const [seen, missed] = [placed.slice(0, 1), placed.slice(1)];
      const resumed = await bench.resume({ session, after: seqOf(seen.at(-1)) });
      const again = await replayed(resumed, placed.at(-1) as Frame);
      checkEqual(shownPlaces(again), shownPlaces(missed), "the replay");
    },
  },
  {
    requirement: "arcp-8.3-monotonic-gap-free",
    section: "8.3",
    level: "MUST",
    title: "sequence numbers go on without a gap across a reconnect in the middle of a stream",
    agents: ["slow"],
    async run(bench) {
      const session = await bench.open();
      const job = await session.start(bench.agent("slow"), { ms: 400, every: 20 });
      await session.untilEvents(job.id, 3);
      const before = session.placed();
      const resumed = await bench.resume({ session, after: seqOf(before.at(-1)) });
      await resumed.finish(job.id);
      const seqs = [...before, ...resumed.placed()].map(seqOf);
      checkEqual(
        seqs,
        seqs.map((_, index) => (seqs[0] ?? 0) + index),
        "the sequence",
      );
    },
  },
  {
    requirement: "reading-resume-placements",
    section: "6.3",
    level: "READING",
    title: "a resume inside the hello's payload is one too",
    async run(bench) {
      const session = await bench.open();
      const { answer } = await bench.askResumeAs("hello", { session, after: 0 });
      check(answer.type === "session.welcome", `it was refused with ${String(answer.payload.code)}`);
      checkEqual(answer.session_id, session.id, "the session");
    },
  },
  {
    requirement: "arcp-7.7-same-session",
    section: "7.7",
    level: "MUST",
    title: "a resume goes on with the same session",
    async run(bench) {
      const session = await bench.open();
      const resumed = await bench.resume({ session, after: 0 });
      checkEqual(resumed.id, session.id, "the session");
    },
  },
  {
    requirement: "arcp-7.7-resume-cancels",
    section: "7.7",
    level: "MUST",
    title: "a resumed session can still cancel its jobs",
    agents: ["slow"],
    async run(bench) {
      const session = await bench.open();
      const job = await session.start(bench.agent("slow"), {});
      const resumed = await prepare("resuming", () => bench.resume({ session, after: 0 }));
      const answer = await resumed.cancel(job.id);
      check(answer.type === "job.cancelled", `the cancel was refused with ${String(answer.payload.code)}`);
      await resumed.terminal(job.id);
    },
  },
  {
    requirement: "reading-resume-authenticates",
    section: "6.3",
    level: "READING",
    title: "a resume without a right bearer token is refused with UNAUTHENTICATED",
    async run(bench) {
      const session = await bench.open();
      const answer = await refusedResume(bench, session, session.resumeToken, bench.unique());
      checkEqual(answer.payload.code, "UNAUTHENTICATED", "the code");
    },
  },
  {
    requirement: "arcp-7.7-resume-token",
    section: "7.7",
    level: "MUST",
    title: "a resume with a wrong resume token is refused",
    async run(bench) {
      const session = await bench.open();
      await refusedResume(bench, session, `wrong-${bench.unique()}`);
    },
  },
  {
    requirement: "reading-resume-lost-welcome",
    section: "6.3",
    level: "READING",
    title: "a resume token stays good for one lost welcome, and dies once a newer one is presented",
    async run(bench) {
      const first = await bench.open();
      const lost = await prepare("resuming", () => bench.resume({ session: first, after: 0 }));
      const again = await bench.resume({ session: lost, after: 0, resumeToken: first.resumeToken });
      const newer = await bench.resume({ session: again, after: 0 });
      await refusedResume(bench, newer, first.resumeToken);
    },
  },
  {
    requirement: "reading-resume-caught-up",
    section: "6.3",
    level: "READING",
    title: "a client that missed nothing can resume, and nothing is replayed",
    agents: ["logs"],
    async run(bench) {
      const { session, placed } = await withHistory(bench);
      const resumed = await bench.resume({ session, after: seqOf(placed.at(-1)) });
      await resumed.settled();
      checkEqual(resumed.placed().length, 0, "the number of events replayed");
    },
  },
  {
    requirement: "reading-resume-features-fixed",
    section: "6.3",
    level: "READING",
    title: "a resume keeps the features of its session",
    async run(bench) {
      const session = await bench.open({ features: ["heartbeat"] });
      const { peer, answer } = await bench.askResumeAs("hello", { session, after: 0 });
      check(answer.type === "session.welcome", `it was refused with ${String(answer.payload.code)}`);
      const resumed = new Session(peer, answer, bench.allFeatures, (ms) => bench.pause(ms));
      checkEqual([...resumed.features], [...session.features], "the features");
    },
  },
  {
    requirement: "reading-resume-supersedes",
    section: "6.3",
    level: "READING",
    title: "a resume closes the older connection, if that still lives",
    async run(bench) {
      const older = await bench.open();
      const resume = { session_id: older.id, resume_token: older.resumeToken, last_event_seq: 0 };
      const { answer } = await bench.greet({ payload: { resume } });
      if (answer.type !== "session.welcome") throw new NotReached("resuming inside the hello was refused");
      await older.peer.closed("the older connection to be closed");
    },
  },
  {
    requirement: "arcp-6.3-window-expired",
    section: "6.3",
    level: "MUST",
    title: "a resume from a place that is acknowledged and gone is refused with RESUME_WINDOW_EXPIRED, or whole",
    features: ["ack"],
    agents: ["logs"],
    async run(bench) {
      const session = await bench.open();
      await session.run(bench.agent("logs"), { count: MANY_EVENTS });
      const placed = session.placed();
      session.send("session.ack", { last_processed_seq: seqOf(placed.at(-1)) });
      await session.settled();
      const { peer, answer } = await bench.askResume({ session, after: 0 });
      if (answer.type === "session.error") {
        checkEqual(answer.payload.code, "RESUME_WINDOW_EXPIRED", "the code");
        return;
      }
      const last = seqOf(placed.at(-1));
      await peer.expect("the whole replay", (frame) => isPlaced(frame) && seqOf(frame) >= last);
      checkEqual(peer.frames.filter(isPlaced).map(seqOf), placed.map(seqOf), "the replay");
    },
  },
  {
    requirement: "arcp-6.3-window-expired",
    section: "6.3",
    level: "MUST",
    title: "a resume after the window has closed is refused with RESUME_WINDOW_EXPIRED",
    async run(bench) {
      const window = bench.resumeWindowMs;
      if (window === undefined || window > LONGEST_WINDOW_MS) {
        throw new NotReached(`its window of ${(window ?? 0) / 1_000} s is longer than this suite waits`);
      }
      const session = await bench.open({ features: [] });
      session.peer.drop();
      await bench.pause(window + 500);
      const { answer } = await bench.askResume({ session, after: 0 });
      check(answer.type === "session.error", "the session was resumed all the same");
      checkEqual(answer.payload.code, "RESUME_WINDOW_EXPIRED", "the code");
    },
  },
];
