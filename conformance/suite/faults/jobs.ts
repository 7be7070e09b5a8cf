/** Submissions, versions, keys, ends, and subscriptions. */
import { CASES } from "../case-titles.ts";
import { drop, type Fault, payloads, toClient, toRuntime, without } from "../fault.ts";

export const JOB_FAULTS: readonly Fault[] = [
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
];
