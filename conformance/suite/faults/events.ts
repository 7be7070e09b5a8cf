/** Events and results of the wrong shape, and what errors say of a retry. */
import { CASES } from "../case-titles.ts";
import { bodies, type Fault, payloads, toClient, without } from "../fault.ts";

export const EVENT_FAULTS: readonly Fault[] = [
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
];
