/**
 * Runtimes that are wrong in one way each: the real one, with someone on the line who tampers with its frames. Beside
 * each stand the cases that must name it; every other case must come out as it does for the honest runtime.
 */
import { type Envelope, SECOND_TOKEN, type Tamper, TOKEN } from "./stage.ts";

export interface Fault {
  readonly what: string;
  readonly tamper: () => Tamper;
  /** Titles of the cases that must not pass. */
  readonly caughtBy: readonly string[];
  /** Titles of the cases that the fault keeps from getting to their requirement. */
  readonly hides?: readonly string[];
}

type Change = (frame: Envelope) => readonly Envelope[];
type Fields = Readonly<Record<string, unknown>>;

/** Nothing is remembered from one frame to the next. */
const toClient = (change: Change) => (): Tamper => () => ({ toClient: change });
const toRuntime = (change: Change) => (): Tamper => () => ({ toRuntime: change });

/** Changes the payloads of one type of message and leaves the rest alone. */
function payloads(type: string, change: (payload: Fields) => Fields): Change {
  return (frame) => [frame.type === type ? { ...frame, payload: change(frame.payload) } : frame];
}

function bodies(kind: string, change: (body: Fields) => Fields): Change {
  return payloads("job.event", (payload) =>
    payload.kind === kind ? { ...payload, body: change(payload.body as Fields) } : payload,
  );
}

const drop =
  (isLost: (frame: Envelope) => boolean): Change =>
  (frame) =>
    isLost(frame) ? [] : [frame];

const isPlaced = ({ event_seq }: Envelope): boolean => typeof event_seq === "number";

/** Does something to one event of each connection: the `nth` that has a place. */
function nthPlaced(nth: number, change: Change): () => Tamper {
  return () => () => {
    let placed = 0;
    return { toClient: (frame) => (isPlaced(frame) && ++placed === nth ? change(frame) : [frame]) };
  };
}

/** Only the case with several jobs looks at a stream that long and at every place of it. */
const FAR_INTO_A_STREAM = 70;
/** Only what follows a resume in earnest gets that far. */
const INTO_A_REPLAY = 3;

function without(fields: Fields, name: string): Fields {
  const { [name]: _, ...left } = fields;
  return left;
}

const CASES = {
  gapFree: "sequence numbers rise by one, over several jobs at once",
  acrossReconnect: "sequence numbers go on without a gap across a reconnect in the middle of a stream",
  replay: "a resume replays exactly what came after the position presented",
  caughtUp: "a client that missed nothing can resume, and nothing is replayed",
  advisory: "a resume begins at the position it presents, not at the one acknowledged",
  lostWelcome: "a resume token stays good for one lost welcome, and dies once a newer one is presented",
  featuresFixed: "a resume keeps the features of its session",
  pong: "a ping is answered by a pong with its nonce",
  sameAcceptance: "the same key and parameters get the same acceptance",
  reattach: "the same key in another session of the principal re-attaches to the job, with its history",
  oneJob: "a key submitted from two sessions at once makes one job",
  duplicateKey: "a key used again with other parameters is refused with DUPLICATE_KEY",
  replayFrom: "a subscription with history from 0 replays what came, then goes on live to the end",
  finished: "a finished job can be subscribed to, with its history and its end",
  subscribeOrder: "a subscription is acknowledged first, then replayed",
  failed: "a job that fails ends with a job.error whose final status is error",
  internal: "INTERNAL_ERROR says that a retry can help",
  closed: "session.close is acknowledged with session.closed",
  bye: "session.bye is taken as session.close",
  continues: "a job runs on after its session was closed, and can be resumed",
  defaultVersion: "a bare name resolves to the default version of the welcome",
  namedVersion: "a version that is named is the one that runs",
  refusal: "a refusal is a session.error with code, message, retryable and request_id",
  childNamed: "a delegate event names the child, which can be subscribed to",
  counters: "each currency of a budget begins at the amount that was granted",
  acceptedEchoes: "the acceptance echoes lease, constraints and the initial budget",
  childFollows:
    "with x-leasehold.delegation the child's acceptance and events follow the delegate event, in one sequence",
} as const;

export const FAULTS: readonly Fault[] = [
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
  {
    what: "does not resolve versions",
    tamper: toClient(
      payloads("job.accepted", (payload) => ({ ...payload, agent: String(payload.agent).split("@")[0] })),
    ),
    caughtBy: [CASES.defaultVersion, CASES.namedVersion],
  },
  {
    what: "runs the default version whatever is asked for",
    tamper: toRuntime(
      payloads("job.submit", (payload) =>
        String(payload.agent).endsWith("@0.9.0") ? { ...payload, agent: String(payload.agent).split("@")[0] } : payload,
      ),
    ),
    caughtBy: [CASES.namedVersion],
  },
  {
    what: "calls a missing version a missing agent",
    tamper: toClient(
      payloads("session.error", (payload) =>
        payload.code === "AGENT_VERSION_NOT_AVAILABLE" ? { ...payload, code: "AGENT_NOT_AVAILABLE" } : payload,
      ),
    ),
    caughtBy: ["a version that is not there is refused with AGENT_VERSION_NOT_AVAILABLE"],
  },
  {
    what: "accepts a key again with other parameters",
    tamper: () => {
      const inputs = new Map<unknown, string>();
      return () => ({
        toRuntime: payloads("job.submit", (payload) => {
          const { idempotency_key: key, input } = payload;
          const text = JSON.stringify(input);
          const conflict = key !== undefined && (inputs.get(key) ?? text) !== text && text.includes("the second");
          if (key !== undefined && !conflict) inputs.set(key, text);
          return conflict ? without(payload, "idempotency_key") : payload;
        }),
      });
    },
    caughtBy: [CASES.duplicateKey],
  },
  {
    what: "knows no idempotency keys",
    tamper: toRuntime(payloads("job.submit", (payload) => without(payload, "idempotency_key"))),
    caughtBy: [CASES.sameAcceptance, CASES.reattach, CASES.oneJob, CASES.duplicateKey],
  },
  {
    what: "does not echo the budget",
    tamper: toClient(payloads("job.accepted", (payload) => without(payload, "budget"))),
    caughtBy: [CASES.acceptedEchoes, CASES.counters],
  },
  {
    what: "makes a trace of its own",
    tamper: toClient((frame) => [
      frame.type === "job.accepted"
        ? { ...frame, trace_id: "0".repeat(32), payload: { ...frame.payload, trace_id: "1".repeat(32) } }
        : frame,
    ]),
    caughtBy: [
      "the trace of a submission is the trace of its job",
      "a traceparent is accepted, and comes back as its 32 hexadecimal digits",
    ],
  },
  {
    what: "ends a cancelled job twice",
    tamper: toClient((frame) =>
      frame.type === "job.error" && frame.payload.code === "CANCELLED"
        ? [frame, { ...frame, event_seq: Number(frame.event_seq) + 1 }]
        : [frame],
    ),
    caughtBy: ["a job ends once, and nothing of it comes after its end"],
  },
  {
    what: "never tells that a job failed",
    tamper: toClient(drop(({ type, payload }) => type === "job.error" && payload.code === "INTERNAL_ERROR")),
    caughtBy: [CASES.failed],
    hides: [CASES.internal],
  },
  {
    what: "calls a cancelled job failed",
    tamper: toClient(
      payloads("job.error", (payload) =>
        payload.final_status === "cancelled" ? { ...payload, final_status: "error" } : payload,
      ),
    ),
    caughtBy: ["a cancel is acknowledged with job.cancelled, and the job ends as cancelled"],
  },
  {
    what: "calls a job that ran out of time failed",
    tamper: toClient(
      payloads("job.error", (payload) =>
        payload.final_status === "timed_out" ? { ...payload, final_status: "error" } : payload,
      ),
    ),
    caughtBy: ["a job that runs past max_runtime_sec ends with TIMEOUT and the final status timed_out"],
  },
  {
    what: "lets a subscriber cancel",
    tamper: toClient((frame) => [
      frame.payload.code === "PERMISSION_DENIED" && frame.type === "session.error"
        ? { ...frame, type: "job.cancelled", payload: { request_id: frame.payload.request_id } }
        : frame,
    ]),
    caughtBy: [
      "a subscriber that did not submit the job cannot cancel it",
      "the cancel of one who may see the job, and not cancel it, is refused with PERMISSION_DENIED",
    ],
  },
  {
    what: "sends events after the subscription was ended",
    tamper: toRuntime(drop(({ type }) => type === "job.unsubscribe")),
    caughtBy: ["after job.unsubscribe no more events of the job come"],
  },
  {
    what: "replays history that nobody asked for",
    tamper: toRuntime(payloads("job.subscribe", (payload) => ({ ...payload, history: true, from_event_seq: 0 }))),
    caughtBy: ["a subscription without history sees only what comes after its acknowledgement"],
  },
  {
    what: "has no history for subscribers",
    tamper: toRuntime(payloads("job.subscribe", (payload) => ({ ...payload, history: false }))),
    caughtBy: [CASES.replayFrom, CASES.finished, CASES.childNamed],
    hides: [CASES.subscribeOrder],
  },
  {
    what: "hides the lease from subscribers",
    tamper: toClient(payloads("job.subscribed", (payload) => without(payload, "lease"))),
    caughtBy: ["job.subscribed shows status, agent and lease"],
  },
  {
    what: "sends events that name no session",
    tamper: toClient((frame) => [frame.type === "job.event" ? { ...frame, session_id: undefined } : frame]),
    caughtBy: ["an event names its session, its job and its event_seq, and carries kind and body"],
  },
  {
    what: "sends metrics without a value",
    tamper: toClient(bodies("metric", (body) => without(body, "value"))),
    caughtBy: ["each body has the shape of its kind, and each kind is the draft's or a vendor's"],
  },
  {
    what: "sends progress beyond its total",
    tamper: toClient(bodies("progress", (body) => ({ ...body, current: 7 }))),
    caughtBy: ["the current value of a progress event does not exceed its total"],
  },
  {
    what: "numbers chunks out of order",
    tamper: toClient(
      bodies("result_chunk", (body) =>
        body.chunk_seq === 0 ? { ...body, chunk_seq: 1 } : body.chunk_seq === 1 ? { ...body, chunk_seq: 0 } : body,
      ),
    ),
    caughtBy: ["chunks are numbered from 0 and come in order"],
  },
  {
    what: "says of no chunk that it is the last",
    tamper: toClient(bodies("result_chunk", (body) => ({ ...body, more: true }))),
    caughtBy: ["every chunk but the last says that another follows"],
  },
  {
    what: "ends a streamed result without its id",
    tamper: toClient(payloads("job.result", (payload) => without(payload, "result_id"))),
    caughtBy: ["a job that emitted chunks ends with a job.result that names them"],
  },
  {
    what: "gives a streamed result inline as well",
    tamper: toClient(
      payloads("job.result", (payload) => ("result_id" in payload ? { ...payload, result: "again" } : payload)),
    ),
    caughtBy: ["a job with a streamed result has no inline one"],
  },
  {
    what: "counts a result's size wrong",
    tamper: toClient(
      payloads("job.result", (payload) => ("result_size" in payload ? { ...payload, result_size: 1 } : payload)),
    ),
    caughtBy: ["result_size, where it is given, is the size of the assembled result"],
  },
  {
    what: "says that a retry helps an expired lease",
    tamper: toClient(
      payloads("job.error", (payload) =>
        payload.code === "LEASE_EXPIRED" ? { ...payload, retryable: true } : payload,
      ),
    ),
    caughtBy: ["LEASE_EXPIRED says that a retry does not help"],
  },
  {
    what: "says that no retry helps an internal error",
    tamper: toClient(
      payloads("job.error", (payload) =>
        payload.code === "INTERNAL_ERROR" ? { ...payload, retryable: false } : payload,
      ),
    ),
    caughtBy: [CASES.internal],
  },
  {
    what: "refuses without saying whether a retry helps",
    tamper: toClient(payloads("session.error", (payload) => without(payload, "retryable"))),
    caughtBy: ["every error carries a code and a retryable boolean", CASES.refusal],
  },
  {
    what: "does not number what tells of a child",
    tamper: toClient((frame) => [
      frame.type === "job.accepted" && isPlaced(frame) ? { ...frame, event_seq: undefined } : frame,
    ]),
    caughtBy: [CASES.childFollows],
  },
  {
    what: "keeps a child from whoever submitted its tree",
    tamper: () => () => {
      const hidden = new Set<unknown>();
      return {
        toClient(frame) {
          if (frame.type === "job.accepted" && isPlaced(frame)) hidden.add(frame.job_id);
          return hidden.has(frame.job_id) && frame.type !== "job.subscribed" ? [] : [frame];
        },
      };
    },
    caughtBy: [CASES.childFollows],
  },
  {
    what: "does not name the child in a delegate event",
    tamper: toClient(bodies("delegate", (body) => without(body, "child_job_id"))),
    caughtBy: [CASES.childFollows, CASES.childNamed],
  },
  {
    what: "keeps its delegations to itself",
    tamper: toClient(drop(({ payload }) => payload.kind === "delegate")),
    caughtBy: [
      CASES.childFollows,
      "a delegation is a delegate event of the job that delegates",
      CASES.childNamed,
      "a delegated budget beyond what remains is refused, and one within it is not",
      "a delegated lease may equal the one it comes from",
    ],
  },
  {
    what: "grants every tool",
    tamper: toRuntime((frame) => {
      const lease = frame.payload.lease_request as Fields | undefined;
      if (frame.type !== "job.submit" || lease === undefined) return [frame];
      return [{ ...frame, payload: { ...frame.payload, lease_request: { ...lease, "tool.call": ["*"] } } }];
    }),
    caughtBy: [
      "a lease that grants no tools lets no tool be called",
      "a tool that the lease covers can be called, and another fails with PERMISSION_DENIED",
      "patterns of tools are globs of names",
      "a delegation that would widen the lease is refused with LEASE_SUBSET_VIOLATION",
      "a refused delegation is a failed tool_result, and the job goes on",
    ],
  },
  {
    what: "knows no budgets",
    tamper: toRuntime((frame) => {
      const lease = frame.payload.lease_request as Fields | undefined;
      if (frame.type !== "job.submit" || lease === undefined) return [frame];
      return [{ ...frame, payload: { ...frame.payload, lease_request: without(lease, "cost.budget") } }];
    }),
    caughtBy: [
      CASES.counters,
      "an operation fails with BUDGET_EXHAUSTED once the costs reported have used a budget up, to the last digit",
      "a cost lowers the counter of its own currency, and no other",
      "a negative cost gives nothing back",
      "an exhausted budget is a failed tool_result, and the job goes on",
      "a delegated budget beyond what remains is refused, and one within it is not",
      CASES.acceptedEchoes,
      "job.subscribed shows the lease's constraints and the current budget",
      "a request that needs a feature outside the intersection is refused with INVALID_REQUEST",
    ],
  },
];
