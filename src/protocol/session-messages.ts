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
  object,
  position,
  text,
  timestamp,
} from "./fields.ts";
import { effectiveConstraints, effectiveLease } from "./lease-fields.ts";

const token = v.custom<string>((value) => typeof value === "string" && value.length > 0, "a non-empty string");
/** The token may come by the upgrade header instead. */
const auth = object({ scheme: maybe(text), token: maybe(token) });

/** Where a session is to be taken up again; the token has two names in the field. */
const resumeFields = {
  session_id: maybe(id),
  resume_token: maybe(token),
  token: maybe(token),
  last_event_seq: maybe(count),
} as const;

const nestedResume = object(resumeFields);

/** What a resumption needs, whichever form it came in. */
export interface ResumePoint {
  /** Some clients send none: whoever gave out the token may know. */
  readonly session_id?: string | undefined;
  readonly resume_token: string;
  /** The last place in the session's stream that the client has processed; 0 for none. */
  readonly last_event_seq: number;
}

/** A `session.hello`, whichever form it came in. */
export interface Hello {
  readonly client?: { readonly name: string; readonly version?: string | undefined } | undefined;
  readonly auth?: v.InferOutput<typeof auth> | undefined;
  readonly capabilities: { readonly encodings?: readonly string[] | undefined; readonly features: readonly string[] };
  readonly resume?: ResumePoint | undefined;
}

/** A `session.resume`, whichever form it came in. */
export interface Resume extends ResumePoint {
  readonly auth?: v.InferOutput<typeof auth> | undefined;
}

type Named = "resume_token" | "last_event_seq";

/** The resume point among `fields`, or the name of the field that it lacks. */
function resumePoint(fields: v.InferOutput<typeof nestedResume>): ResumePoint | Named {
  const resumeToken = fields.resume_token ?? fields.token;
  if (resumeToken === undefined) return "resume_token";
  if (fields.last_event_seq === undefined) return "last_event_seq";
  const session = fields.session_id === undefined ? {} : { session_id: fields.session_id };
  return { ...session, resume_token: resumeToken, last_event_seq: fields.last_event_seq };
}

/** An issue that says that a field is missing: its input is undefined. */
function missing(input: object, ...keys: string[]) {
  const path = keys.map((key) => ({ type: "unknown", origin: "key", input, key, value: undefined }) as const);
  return { input: undefined, path: path as [(typeof path)[number], ...typeof path] };
}

/**
 * The draft's form, with `resume` inside or flat, and `client_name`, `client_version` flat: what clients in the field
 * send. Comes out in one form. The session to resume may stand in the envelope.
 */
export const hello = v.pipe(
  object({
    client: maybe(object({ name: text, version: maybe(text) })),
    client_name: maybe(text),
    client_version: maybe(text),
    auth: maybe(auth),
    capabilities: maybe(object({ encodings: maybe(names), features: maybe(names) })),
    resume: maybe(nestedResume),
    ...resumeFields,
  }),
  v.rawTransform(({ dataset, addIssue, NEVER }): Hello => {
    const { client, client_name, client_version, auth, capabilities, resume: nested, ...flat } = dataset.value;
    const flatToken = flat.resume_token ?? flat.token;
    const given = nested ?? (flatToken === undefined ? undefined : flat);
    const resume = given && resumePoint({ ...given, session_id: given.session_id ?? flat.session_id });
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
  object({ ...resumeFields, auth: maybe(auth) }),
  v.rawTransform(({ dataset, addIssue, NEVER }): Resume => {
    const point = resumePoint(dataset.value);
    if (typeof point === "object") return { ...point, auth: dataset.value.auth };
    addIssue(missing(dataset.value, point));
    return NEVER;
  }),
);

const agentListing = object({ name: text, versions: v.optional(names, []), default: maybe(text) });

export const welcome = object({
  session_id: id,
  request_id: maybe(id),
  runtime: object({ name: text, version: text }),
  resume_token: token,
  resume_window_sec: amountFromZero,
  heartbeat_interval_sec: maybe(amountFromZero),
  capabilities: object({
    encodings: maybe(names),
    features: names,
    agents: v.optional(v.array(agentListing, "a list"), []),
  }),
});

/** A refusal. `request_id` is the id of the envelope refused, when it could be read. */
export const error = object({ ...errorFields, request_id: maybe(id) });

export const ping = object({ nonce: id, sent_at: maybe(text) });
export const pong = object({ ping_nonce: id, received_at: maybe(text) });
export const ack = object({ last_processed_seq: count });
export const close = object({ reason: maybe(text) });
export const closed = object({ request_id: maybe(id) });

const filterFields = {
  status: maybe(
    v.union(
      [
        v.array(jobStatus),
        v.pipe(
          jobStatus,
          v.transform((status) => [status]),
        ),
      ],
      "a list of job statuses",
    ),
  ),
  agent: maybe(id),
  created_after: maybe(timestamp),
  created_before: maybe(timestamp),
} as const;

const filter = object(filterFields);

export interface ListJobs {
  readonly filter: v.InferOutput<typeof filter>;
  readonly limit?: number | undefined;
  /** `next_cursor` of the page before. */
  readonly cursor?: string | undefined;
}

/** The filter nested, as in the draft, or flat. Comes out nested. */
export const listJobs = v.pipe(
  object({ filter: maybe(filter), ...filterFields, limit: maybe(position), cursor: maybe(id) }),
  v.transform(({ filter, limit, cursor, ...flat }): ListJobs => ({ filter: filter ?? flat, limit, cursor })),
);

const jobListing = object({
  job_id: id,
  agent: text,
  status: jobStatus,
  lease: v.optional(effectiveLease, {}),
  lease_constraints: maybe(effectiveConstraints),
  budget: maybe(counters),
  // Ours: whose it is, when it is another principal's.
  principal: maybe(id),
  parent_job_id: maybe(id),
  created_at: text,
  trace_id: maybe(text),
  /** The job's own position, a `job_seq`. */
  last_event_seq: maybe(count),
});

export const jobs = object({
  request_id: maybe(id),
  jobs: v.array(jobListing, "a list of jobs"),
  next_cursor: maybe(id),
});
