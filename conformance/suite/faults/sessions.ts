/** Who is let in, what is negotiated, pings, closing, and listings. */
import { CASES } from "../case-titles.ts";
import { drop, type Fault, type Fields, payloads, toClient, toRuntime, without } from "../fault.ts";
import { SECOND_TOKEN, TOKEN } from "../stage.ts";

export const SESSION_FAULTS: readonly Fault[] = [
  {
    what: "lets anybody in",
    tamper: () => () => ({
      toRuntime: (frame) => {
        const auth = frame.payload.auth as Fields | undefined;
        const known = auth === undefined || auth.token === TOKEN || auth.token === SECOND_TOKEN;
        return [known ? frame : { ...frame, payload: { ...frame.payload, auth: { ...auth, token: TOKEN } } }];
      },
    }),
    caughtBy: [
      "a wrong token is refused with UNAUTHENTICATED",
      "after a failed authentication the connection closes",
      "a resume without a right bearer token is refused with UNAUTHENTICATED",
    ],
  },
  {
    what: "takes one principal for another",
    tamper: toRuntime((frame) => {
      const auth = frame.payload.auth as Fields | undefined;
      return [
        auth === undefined ? frame : { ...frame, payload: { ...frame.payload, auth: { ...auth, token: TOKEN } } },
      ];
    }),
    caughtBy: [
      "a wrong token is refused with UNAUTHENTICATED",
      "after a failed authentication the connection closes",
      "a resume without a right bearer token is refused with UNAUTHENTICATED",
      "a listing does not show another principal's job",
      "subscribing to another principal's job is refused, and none of its events come",
      "a foreign job and one that does not exist get the same answers",
      "an idempotency key of one principal is nothing to another",
      "another principal cannot resume a session, even with its resume token",
    ],
  },
  {
    what: "tells a stranger that a job exists",
    tamper: () => {
      const jobs = new Set<unknown>();
      return () => ({
        toClient: (frame) => {
          if (frame.type === "job.accepted") jobs.add(frame.payload.job_id);
          const named = /job_\w+/.exec(String(frame.payload.message))?.[0];
          const refused = frame.payload.code === "JOB_NOT_FOUND" && jobs.has(named);
          return [refused ? { ...frame, payload: { ...frame.payload, code: "PERMISSION_DENIED" } } : frame];
        },
      });
    },
    caughtBy: ["a foreign job and one that does not exist get the same answers"],
  },
  {
    what: "repeats a refused token",
    tamper: () => () => {
      let token: unknown;
      return {
        toRuntime: (frame) => {
          token = (frame.payload.auth as Fields | undefined)?.token ?? token;
          return [frame];
        },
        toClient: (frame) =>
          frame.payload.code === "UNAUTHENTICATED"
            ? [{ ...frame, payload: { ...frame.payload, message: `the token ${String(token)} is unknown` } }]
            : [frame],
      };
    },
    caughtBy: ["no frame repeats a token"],
  },
  {
    what: "refuses envelopes with fields it does not know",
    tamper: toRuntime((frame) => ["x_conformance" in frame ? { ...frame, arcp: "none" } : frame]),
    caughtBy: ["unknown top-level fields of an envelope are ignored"],
  },
  {
    what: "acknowledges features that it cannot know",
    tamper: () => () => {
      let asked: unknown = [];
      return {
        toRuntime: (frame) => {
          if (frame.type === "session.hello") asked = (frame.payload.capabilities as Fields | undefined)?.features;
          return [frame];
        },
        toClient: payloads("session.welcome", (payload) => ({
          ...payload,
          capabilities: { ...(payload.capabilities as Fields), features: asked },
        })),
      };
    },
    caughtBy: ["a feature the runtime cannot know is not acknowledged", CASES.featuresFixed],
  },
  {
    what: "sends events of a feature that was not negotiated",
    tamper: toRuntime(
      payloads("session.hello", (payload) => {
        const capabilities = payload.capabilities as { readonly features: readonly string[] };
        return { ...payload, capabilities: { ...capabilities, features: [...capabilities.features, "progress"] } };
      }),
    ),
    caughtBy: ["events of a feature that was not negotiated are not sent", CASES.featuresFixed],
  },
  {
    what: "answers pings with a nonce of its own",
    tamper: toClient(payloads("session.pong", (payload) => ({ ...payload, ping_nonce: "mine" }))),
    caughtBy: [CASES.pong],
  },
  {
    what: "leaves the ping of a nonce it does not like unanswered",
    tamper: toRuntime(drop(({ type, payload }) => type === "session.ping" && !String(payload.nonce).startsWith("p_"))),
    caughtBy: [CASES.pong, "a message of an unknown type is answered, and the session goes on"],
    hides: ["pings and pongs take no place in event_seq"],
  },
  {
    what: "gives pongs a place in event_seq",
    tamper: toClient((frame) => [frame.type === "session.pong" ? { ...frame, event_seq: 1 } : frame]),
    caughtBy: ["pings and pongs take no place in event_seq"],
  },
  {
    what: "never speaks of itself",
    tamper: toClient(drop(({ type }) => type === "session.ping")),
    caughtBy: ["an idle session hears from the runtime within each interval"],
    hides: [
      "an operation after the lease has expired fails with LEASE_EXPIRED",
      "a job that tries something after its lease has expired ends with LEASE_EXPIRED and the final status error",
    ],
  },
  {
    what: "closes without an acknowledgement",
    tamper: toClient(drop(({ type }) => type === "session.closed")),
    caughtBy: [CASES.closed, CASES.bye],
    hides: [CASES.continues],
  },
  {
    what: "ends the jobs of a closed session",
    tamper: () => () => {
      const jobs = new Set<unknown>();
      return {
        toClient: (frame) => {
          if (frame.type === "job.accepted") jobs.add(frame.payload.job_id);
          return [frame];
        },
        toRuntime: (frame) => {
          if (frame.type !== "session.close") return [frame];
          const cancels = [...jobs].map((job_id) => ({
            arcp: "1.1",
            id: `c_${job_id}`,
            type: "job.cancel",
            payload: { job_id },
          }));
          return [...cancels, frame];
        },
      };
    },
    caughtBy: [CASES.continues],
  },
  {
    what: "answers listings under another id",
    tamper: toClient(payloads("session.jobs", (payload) => ({ ...payload, request_id: "another" }))),
    caughtBy: ["a listing is answered by session.jobs with the request's id"],
  },
  {
    what: "ignores the filter of a listing",
    tamper: toRuntime(payloads("session.list_jobs", (payload) => without(payload, "filter"))),
    caughtBy: ["a filter by status, agent or time leaves out what does not match"],
  },
  {
    what: "ignores the cursor of a listing",
    tamper: toRuntime(payloads("session.list_jobs", (payload) => without(payload, "cursor"))),
    caughtBy: ["next_cursor leads to the rest of the listing, without repeats"],
  },
  {
    what: "lists agents without their versions",
    tamper: toClient(
      payloads("session.jobs", (payload) => ({
        ...payload,
        jobs: (payload.jobs as readonly Fields[]).map((job) => ({ ...job, agent: String(job.agent).split("@")[0] })),
      })),
    ),
    caughtBy: ["a listing shows the agent with its resolved version"],
  },
];
