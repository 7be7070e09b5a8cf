/** Payloads of the `session.*` messages (§6), as schemas. Types of the messages come from `registry.ts`. */
import * as v from "valibot";
import {
  amountFromZero,
  count,
  counters,
  errorFields,
  id,
  jobStatus,
  maybe,
  names,
  position,
  text,
  timestamp,
} from "./fields.ts";
import { effectiveConstraints, effectiveLease } from "./lease-fields.ts";

const token = v.custom<string>((value) => typeof value === "string" && value.length > 0, "a non-empty string");
/** The token may come by the upgrade header instead (DESIGN §5, frames). */
const auth = v.object({ scheme: maybe(text), token: maybe(token) }, "an object");

/** Where a session is to be taken up again; the token has two names in the field. */
const resumeFields = {
  session_id: maybe(id),
  resume_token: maybe(token),
  token: maybe(token),
  last_event_seq: maybe(count),
} as const;

/** What a resumption needs, whichever form it came in. */
export interface ResumePoint {
  readonly session_id: string;
  readonly resume_token: string;
  /** The last place in the session's stream that the client has processed; 0 for none. */
  readonly last_event_seq: number;
}

type Named = "session_id" | "resume_token" | "last_event_seq";

/** The resume point among `fields`, or the name of the field that it lacks. */
function resumePoint(fields: v.InferOutput<v.ObjectSchema<typeof resumeFields, string>>): ResumePoint | Named {
  const resumeToken = fields.resume_token ?? fields.token;
  if (fields.session_id === undefined) return "session_id";
  if (resumeToken === undefined) return "resume_token";
  if (fields.last_event_seq === undefined) return "last_event_seq";
  return { session_id: fields.session_id, resume_token: resumeToken, last_event_seq: fields.last_event_seq };
}

/** An issue that says that a field is missing: its input is undefined. */
function missing(input: object, ...keys: string[]) {
  const path = keys.map((key) => ({ type: "unknown", origin: "key", input, key, value: undefined }) as const);
  return { input: undefined, path: path as [(typeof path)[number], ...typeof path] };
}

/**
 * The draft's form, with `resume` inside or flat, and `client_name`, `client_version` flat: what clients in the field
 * send. Comes out in one form. `session_id` counts for a flat resumption only.
 */
export const hello = v.pipe(
  v.object(
    {
      client: maybe(v.object({ name: text, version: maybe(text) }, "an object")),
      client_name: maybe(text),
      client_version: maybe(text),
      auth: maybe(auth),
      capabilities: maybe(v.object({ encodings: maybe(names), features: maybe(names) }, "an object")),
      resume: maybe(v.object(resumeFields, "an object")),
      ...resumeFields,
    },
    "an object",
  ),
  v.rawTransform(({ dataset, addIssue, NEVER }) => {
    const { client, client_name, client_version, auth, capabilities, resume: nested, ...flat } = dataset.value;
    const flatToken = flat.resume_token !== undefined || flat.token !== undefined;
    const wanted = nested === undefined ? flatToken : true;
    const resume = wanted ? resumePoint({ session_id: flat.session_id, ...(nested ?? flat) }) : undefined;
    if (typeof resume === "string") {
      addIssue(missing(dataset.value, ...(nested === undefined ? [] : ["resume"]), resume));
      return NEVER;
    }
    return {
      client: client ?? (client_name === undefined ? undefined : { name: client_name, version: client_version }),
      auth,
      capabilities: { encodings: capabilities?.encodings, features: capabilities?.features ?? [] },
      resume,
    };
  }),
);

export const resume = v.pipe(
  v.object({ ...resumeFields, auth: maybe(auth) }, "an object"),
  v.rawTransform(({ dataset, addIssue, NEVER }) => {
    const point = resumePoint(dataset.value);
    if (typeof point === "object") return { ...point, auth: dataset.value.auth };
    addIssue(missing(dataset.value, point));
    return NEVER;
  }),
);

const agentListing = v.object({ name: text, versions: v.optional(names, []), default: maybe(text) }, "an object");

export const welcome = v.object(
  {
    session_id: id,
    request_id: maybe(id),
    runtime: v.object({ name: text, version: text }, "an object"),
    resume_token: token,
    resume_window_sec: amountFromZero,
    heartbeat_interval_sec: maybe(amountFromZero),
    capabilities: v.object(
      { encodings: maybe(names), features: names, agents: v.optional(v.array(agentListing, "a list"), []) },
      "an object",
    ),
  },
  "an object",
);

/** A refusal. `request_id` is the id of the envelope refused, when it could be read. */
export const error = v.object({ ...errorFields, request_id: maybe(id) }, "an object");

export const ping = v.object({ nonce: id, sent_at: maybe(text) }, "an object");
export const pong = v.object({ ping_nonce: id, received_at: maybe(text) }, "an object");
export const ack = v.object({ last_processed_seq: count }, "an object");
export const close = v.object({ reason: maybe(text) }, "an object");
export const closed = v.object({ request_id: maybe(id) }, "an object");

const filterFields = {
  status: maybe(v.union([v.array(jobStatus), v.pipe(jobStatus, v.transform((status) => [status]))], "a list of job statuses")),
  agent: maybe(id),
  created_after: maybe(timestamp),
  created_before: maybe(timestamp),
} as const;

/** The filter nested, as in the draft, or flat. Comes out nested. */
export const listJobs = v.pipe(
  v.object(
    { filter: maybe(v.object(filterFields, "an object")), ...filterFields, limit: maybe(position), cursor: maybe(id) },
    "an object",
  ),
  v.transform(({ filter, limit, cursor, ...flat }) => ({ filter: filter ?? flat, limit, cursor })),
);

const jobListing = v.object(
  {
    job_id: id,
    agent: text,
    status: jobStatus,
    lease: v.optional(effectiveLease, {}),
    lease_constraints: maybe(effectiveConstraints),
    budget: maybe(counters),
    parent_job_id: maybe(id),
    created_at: text,
    trace_id: maybe(text),
    /** The job's own position, a `job_seq` (DESIGN §5, job positions). */
    last_event_seq: maybe(count),
  },
  "an object",
);

export const jobs = v.object(
  { request_id: maybe(id), jobs: v.array(jobListing, "a list of jobs"), next_cursor: maybe(id) },
  "an object",
);
