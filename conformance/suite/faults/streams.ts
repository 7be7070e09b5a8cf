/** Events that are lost, repeated or out of order, in a stream and over a resume. */
import { CASES } from "../case-titles.ts";
import { drop, type Fault, type Fields, isPlaced, nthPlaced, payloads, toRuntime } from "../fault.ts";
import type { Envelope } from "../stage.ts";

/** Only the case with several jobs looks at a stream that long and at every place of it. */
const FAR_INTO_A_STREAM = 70;
/** Only what follows a resume in earnest gets that far. */
const INTO_A_REPLAY = 3;

export const STREAM_FAULTS: readonly Fault[] = [
  {
    what: "leaves an event out of a stream",
    tamper: nthPlaced(FAR_INTO_A_STREAM, () => []),
    caughtBy: [CASES.gapFree],
  },
  {
    what: "sends an event twice",
    tamper: nthPlaced(FAR_INTO_A_STREAM, (frame) => [frame, frame]),
    caughtBy: [CASES.gapFree],
  },
  {
    what: "changes the order of a job's events",
    tamper: () => () => {
      let held: Envelope | undefined;
      return {
        toClient: (frame) => {
          const message = String((frame.payload.body as Fields | undefined)?.message);
          if (message === "tick 6") {
            held = frame;
            return [];
          }
          if (held === undefined || message !== "tick 7") return [frame];
          const [earlier, later] = [held, frame];
          held = undefined;
          // The places stay as they are: only what stands in them changes.
          return [
            { ...earlier, payload: later.payload },
            { ...later, payload: earlier.payload },
          ];
        },
      };
    },
    caughtBy: ["events of one job come in the order in which it emitted them"],
  },
  {
    what: "loses an event on resume",
    tamper: () => () => {
      let resumed = false;
      let placed = 0;
      return {
        toRuntime: (frame) => {
          resumed ||= frame.type === "session.resume";
          return [frame];
        },
        toClient: drop((frame) => resumed && isPlaced(frame) && ++placed === INTO_A_REPLAY),
      };
    },
    caughtBy: [CASES.replay, CASES.acrossReconnect],
  },
  {
    what: "replays from one place too early",
    tamper: toRuntime(
      payloads("session.resume", (payload) => ({
        ...payload,
        last_event_seq: Math.max(0, Number(payload.last_event_seq) - 1),
      })),
    ),
    caughtBy: [CASES.replay, CASES.acrossReconnect, CASES.caughtUp, CASES.advisory],
  },
  {
    what: "never rotates the resume token",
    tamper: () => {
      const first = new Map<unknown, unknown>();
      const newest = new Map<unknown, unknown>();
      return () => ({
        toClient: payloads("session.welcome", (payload) => {
          const { session_id: session, resume_token: token } = payload;
          if (!first.has(session)) first.set(session, token);
          newest.set(session, token);
          return { ...payload, resume_token: first.get(session) };
        }),
        toRuntime: payloads("session.resume", (payload) => {
          const { session_id: session, resume_token: token } = payload;
          return { ...payload, resume_token: first.get(session) === token ? newest.get(session) : token };
        }),
      });
    },
    caughtBy: ["every welcome carries a new resume token", CASES.lostWelcome],
  },
  {
    what: "resumes with any resume token",
    tamper: () => {
      const newest = new Map<unknown, unknown>();
      return () => ({
        toClient: payloads("session.welcome", (payload) => {
          newest.set(payload.session_id, payload.resume_token);
          return payload;
        }),
        toRuntime: payloads("session.resume", (payload) => ({
          ...payload,
          resume_token: newest.get(payload.session_id) ?? payload.resume_token,
        })),
      });
    },
    caughtBy: ["a resume with a wrong resume token is refused", CASES.lostWelcome],
  },
];
