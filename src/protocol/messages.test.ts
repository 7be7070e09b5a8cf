/** What is accepted and what is refused, message by message, through the real codec. */
import { describe, expect, expectTypeOf, test } from "vitest";
import { decode } from "./codec.ts";
import { type Direction, MESSAGES, type Message, type MessageType } from "./registry.ts";

type Fields = Readonly<Record<string, unknown>>;

interface Fixtures {
  /** Payloads or, under `frame`, envelope fields and payload; each with what decoding makes of the payload. */
  readonly accepts: readonly { name: string; frame?: Fields; payload?: unknown; gives?: unknown }[];
  /** Each with the field that the refusal names. */
  readonly refuses: readonly { name: string; frame?: Fields; payload?: unknown; field: string }[];
}

const FEATURES = ["heartbeat", "ack", "cost.budget", "result_chunk"];
const RESUME = { session_id: "sess_1", resume_token: "rt_4f8c", last_event_seq: 41 };
const SEQUENCED = { session_id: "sess_1", job_id: "job_1", event_seq: 4827 };
const TRACE = "4bf92f3577b34da6a3ce929d0e0e4736";
const LEASE = { "fs.read": ["/workspace/myapp/**"], "cost.budget": ["USD:5.00"], "model.use": ["tier-fast/*"] };
const AUTHORITY = {
  job_id: "job_01JABC",
  lease: LEASE,
  lease_constraints: { expires_at: "2026-05-13T23:42:00Z" },
  budget: { USD: 5.0 },
  trace_id: "4bf92f...",
};
const TRIPLE = { permission: "tool.call", resource: "refund", operation: "call" };
const needsJobId: Fixtures["refuses"] = [
  { name: "no job", payload: {}, field: "payload.job_id" },
  { name: "a job id that is no string", payload: { job_id: 7 }, field: "payload.job_id" },
  { name: "two job ids", frame: { job_id: "job_1" }, payload: { job_id: "job_2" }, field: "payload.job_id" },
];

const fixtures: { readonly [Type in MessageType]: Fixtures } = {
  "session.hello": {
    accepts: [
      {
        name: "the draft's (§6.2)",
        payload: {
          client: { name: "examplectl", version: "0.4.1" },
          auth: { scheme: "bearer", token: "secret" },
          capabilities: { encodings: ["json"], features: FEATURES },
        },
        gives: {
          client: { name: "examplectl", version: "0.4.1" },
          auth: { scheme: "bearer", token: "secret" },
          capabilities: { encodings: ["json"], features: FEATURES },
        },
      },
      { name: "nothing at all", gives: { capabilities: { features: [] } } },
      {
        name: "booleans as capabilities",
        payload: { capabilities: { streaming: true, resumable: false } },
        gives: { capabilities: { features: [] } },
      },
      {
        name: "nulls for what is absent",
        payload: { client: null, auth: null, capabilities: { features: null }, resume: null, resume_token: null },
        gives: { capabilities: { features: [] } },
      },
      {
        name: "a flat client",
        payload: { client_name: "ruby", client_version: "2.0" },
        gives: { client: { name: "ruby", version: "2.0" }, capabilities: { features: [] } },
      },
      {
        name: "resume inside",
        payload: { resume: RESUME },
        gives: { capabilities: { features: [] }, resume: RESUME },
      },
      {
        name: "resume inside with `token`, its session in the envelope",
        frame: { session_id: "sess_1" },
        payload: { resume: { session_id: null, token: "rt_4f8c", last_event_seq: 41 } },
        gives: { capabilities: { features: [] }, resume: RESUME },
      },
      {
        name: "resume flat, its session in the envelope",
        frame: { session_id: "sess_1" },
        payload: { resume_token: "rt_4f8c", last_event_seq: 41 },
        gives: { capabilities: { features: [] }, resume: RESUME },
      },
      {
        name: "resume flat, its session left to the token",
        payload: { resume_token: "rt_4f8c", last_event_seq: 41 },
        gives: { capabilities: { features: [] }, resume: { resume_token: "rt_4f8c", last_event_seq: 41 } },
      },
      {
        name: "a session in the envelope and nothing to resume",
        frame: { session_id: "sess_1" },
        gives: { capabilities: { features: [] } },
      },
    ],
    refuses: [
      { name: "a payload that is a list", payload: [], field: "payload" },
      { name: "a client without a name", payload: { client: {} }, field: "payload.client.name" },
      { name: "a token that is no string", payload: { auth: { token: 1 } }, field: "payload.auth.token" },
      {
        name: "features that are no list",
        payload: { capabilities: { features: {} } },
        field: "payload.capabilities.features",
      },
      {
        name: "a feature that is no string",
        payload: { capabilities: { features: ["ack", 1] } },
        field: "payload.capabilities.features[1]",
      },
      {
        name: "resume without a token",
        payload: { resume: { ...RESUME, resume_token: "" } },
        field: "payload.resume.resume_token",
      },
      {
        name: "resume without a place",
        payload: { resume: { session_id: "sess_1", token: "rt" } },
        field: "payload.resume.last_event_seq",
      },
      {
        name: "a negative place",
        payload: { resume: { ...RESUME, last_event_seq: -1 } },
        field: "payload.resume.last_event_seq",
      },
    ],
  },
  "session.welcome": {
    accepts: [
      {
        name: "the draft's (§6.2)",
        frame: { session_id: "sess_01J" },
        payload: {
          runtime: { name: "example-runtime", version: "1.1.0" },
          resume_token: "rt_4f8c",
          resume_window_sec: 600,
          heartbeat_interval_sec: 30,
          capabilities: {
            encodings: ["json"],
            features: FEATURES,
            agents: [{ name: "code-refactor", versions: ["1.0.0", "2.0.0"], default: "2.0.0" }],
          },
        },
        gives: {
          session_id: "sess_01J",
          runtime: { name: "example-runtime", version: "1.1.0" },
          resume_token: "rt_4f8c",
          resume_window_sec: 600,
          heartbeat_interval_sec: 30,
          capabilities: {
            encodings: ["json"],
            features: FEATURES,
            agents: [{ name: "code-refactor", versions: ["1.0.0", "2.0.0"], default: "2.0.0" }],
          },
        },
      },
    ],
    refuses: [
      { name: "no session", payload: { resume_token: "rt" }, field: "payload.session_id" },
      {
        name: "no resume token",
        frame: { session_id: "sess_1" },
        payload: { runtime: { name: "r", version: "1" } },
        field: "payload.resume_token",
      },
    ],
  },
  "session.resume": {
    accepts: [
      {
        name: "all in the payload",
        payload: { ...RESUME, auth: { scheme: "bearer", token: "t" } },
        gives: { ...RESUME, auth: { scheme: "bearer", token: "t" } },
      },
      {
        name: "the session in the envelope",
        frame: { session_id: "sess_1" },
        payload: { resume_token: "rt_4f8c", last_event_seq: 41 },
        gives: RESUME,
      },
      {
        name: "the session left to the token",
        payload: { token: "rt_4f8c", last_event_seq: 41 },
        gives: { resume_token: "rt_4f8c", last_event_seq: 41 },
      },
      { name: "from the start", payload: { ...RESUME, last_event_seq: 0 }, gives: { ...RESUME, last_event_seq: 0 } },
    ],
    refuses: [
      { name: "no token", payload: { ...RESUME, resume_token: undefined }, field: "payload.resume_token" },
      { name: "no place", payload: { ...RESUME, last_event_seq: undefined }, field: "payload.last_event_seq" },
      { name: "a broken place", payload: { ...RESUME, last_event_seq: 1.5 }, field: "payload.last_event_seq" },
      { name: "two sessions", frame: { session_id: "sess_2" }, payload: RESUME, field: "payload.session_id" },
    ],
  },
  "session.error": {
    accepts: [
      {
        name: "a refusal",
        payload: {
          code: "DUPLICATE_KEY",
          message: "used",
          retryable: false,
          details: { key: "k" },
          request_id: "msg_1",
        },
      },
      {
        name: "a code we do not know",
        payload: { code: "X_VENDOR", message: "" },
        gives: { code: "X_VENDOR", message: "", retryable: false },
      },
    ],
    refuses: [
      { name: "no code", payload: { message: "" }, field: "payload.code" },
      {
        name: "a retryable in words",
        payload: { code: "C", message: "", retryable: "no" },
        field: "payload.retryable",
      },
    ],
  },
  "session.ping": {
    accepts: [{ name: "the draft's (§6.4)", payload: { nonce: "p_01J", sent_at: "2026-05-13T19:42:13.000Z" } }],
    refuses: [{ name: "no nonce", field: "payload.nonce" }],
  },
  "session.pong": {
    accepts: [
      { name: "the draft's (§6.4)", payload: { ping_nonce: "p_01J", received_at: "2026-05-13T19:42:13.020Z" } },
    ],
    refuses: [{ name: "no nonce", payload: { nonce: "p" }, field: "payload.ping_nonce" }],
  },
  "session.ack": {
    accepts: [
      { name: "the draft's (§6.5)", payload: { last_processed_seq: 1827 } },
      { name: "nothing processed yet", payload: { last_processed_seq: 0 } },
    ],
    refuses: [
      { name: "no position", field: "payload.last_processed_seq" },
      { name: "a negative one", payload: { last_processed_seq: -1 }, field: "payload.last_processed_seq" },
      {
        name: "one beyond exact numbers",
        payload: { last_processed_seq: 2 ** 53 },
        field: "payload.last_processed_seq",
      },
      { name: "a string", payload: { last_processed_seq: "9" }, field: "payload.last_processed_seq" },
    ],
  },
  "session.close": {
    accepts: [
      { name: "no payload", gives: {} },
      { name: "the name session.bye", frame: { type: "session.bye" }, payload: { reason: "done" } },
    ],
    refuses: [{ name: "a payload that is text", payload: "bye", field: "payload" }],
  },
  "session.closed": {
    accepts: [
      { name: "no payload", gives: {} },
      { name: "ours", payload: { request_id: "msg_1" } },
    ],
    refuses: [{ name: "an id that is a number", payload: { request_id: 1 }, field: "payload.request_id" }],
  },
  "session.list_jobs": {
    accepts: [
      {
        name: "the draft's (§6.6)",
        payload: {
          filter: { status: ["running", "pending"], agent: "code-refactor", created_after: "2026-05-13T00:00:00Z" },
          limit: 100,
          cursor: null,
        },
        gives: {
          filter: { status: ["running", "pending"], agent: "code-refactor", created_after: "2026-05-13T00:00:00Z" },
          limit: 100,
        },
      },
      {
        name: "a flat filter",
        payload: { status: "running", created_before: "2026-05-13T02:00:00.5+02:00" },
        gives: { filter: { status: ["running"], created_before: "2026-05-13T02:00:00.5+02:00" } },
      },
      { name: "no payload", gives: { filter: {} } },
    ],
    refuses: [
      { name: "a status there is not", payload: { filter: { status: ["ending"] } }, field: "payload.filter.status" },
      { name: "a time that is none", payload: { created_after: "yesterday" }, field: "payload.created_after" },
      { name: "a 13th month", payload: { created_after: "2026-13-01T00:00:00Z" }, field: "payload.created_after" },
      { name: "a limit of nothing", payload: { limit: 0 }, field: "payload.limit" },
    ],
  },
  "session.jobs": {
    accepts: [
      {
        name: "the draft's (§6.6)",
        payload: {
          request_id: "01J",
          jobs: [
            {
              job_id: "job_01JABC",
              agent: "code-refactor@2.0.0",
              status: "running",
              lease: {},
              parent_job_id: null,
              created_at: "2026-05-13T19:30:00Z",
              trace_id: "4bf92f...",
              last_event_seq: 1822,
            },
          ],
          next_cursor: null,
        },
        gives: {
          request_id: "01J",
          jobs: [
            {
              job_id: "job_01JABC",
              agent: "code-refactor@2.0.0",
              status: "running",
              lease: {},
              created_at: "2026-05-13T19:30:00Z",
              trace_id: "4bf92f...",
              last_event_seq: 1822,
            },
          ],
        },
      },
    ],
    refuses: [
      { name: "no jobs", field: "payload.jobs" },
      { name: "a job without an id", payload: { jobs: [{ agent: "a" }] }, field: "payload.jobs[0].job_id" },
    ],
  },
  "job.submit": {
    accepts: [
      {
        name: "the draft's (§7.1)",
        frame: { session_id: "sess_1", trace_id: TRACE },
        payload: {
          agent: "code-refactor@2.0.0",
          input: { goal: "x" },
          lease_request: LEASE,
          lease_constraints: { expires_at: "2026-05-13T23:42:00Z" },
          idempotency_key: "refactor-auth-2026-W19",
          max_runtime_sec: 1800,
        },
      },
      { name: "an agent alone", payload: { agent: "echo" } },
      {
        name: "null as input, and for the rest",
        payload: { agent: "echo", input: null, lease_request: null, lease_constraints: null, max_runtime_sec: null },
        gives: { agent: "echo", input: null },
      },
      {
        name: "every namespace, a vendor's, and a ceiling",
        payload: {
          agent: "echo",
          lease_request: {
            "fs.read": ["**"],
            "fs.write": ["**"],
            "net.fetch": ["https://example.com/**"],
            "tool.call": ["*"],
            "agent.delegate": ["*"],
            "cost.budget": ["credits:1000"],
            "model.use": ["*"],
            "x-acme.db": ["users"],
          },
          lease_constraints: { expires_at: null, max_budget: ["USD:1"] },
        },
      },
      {
        name: "fields it does not know",
        payload: { agent: "echo", priority: 3 },
        gives: { agent: "echo" },
      },
    ],
    refuses: [
      { name: "no agent", payload: { input: 1 }, field: "payload.agent" },
      { name: "an agent in upper case", payload: { agent: "Echo" }, field: "payload.agent" },
      { name: "an empty version", payload: { agent: "echo@" }, field: "payload.agent" },
      { name: "an agent with a path", payload: { agent: "../echo" }, field: "payload.agent" },
      { name: "an agent too long", payload: { agent: "a".repeat(257) }, field: "payload.agent" },
      {
        name: "a namespace there is not",
        payload: { agent: "e", lease_request: { "fs.raed": ["**"] } },
        field: 'payload.lease_request["fs.raed"]',
      },
      {
        name: "`__proto__` as a namespace",
        payload: JSON.parse('{"agent":"e","lease_request":{"__proto__":["**"]}}'),
        field: "payload.lease_request.__proto__",
      },
      {
        name: "`constructor` as a namespace",
        payload: { agent: "e", lease_request: { constructor: ["**"] } },
        field: "payload.lease_request.constructor",
      },
      {
        name: "patterns that are text",
        payload: { agent: "e", lease_request: { "fs.read": "**" } },
        field: 'payload.lease_request["fs.read"]',
      },
      {
        name: "no patterns",
        payload: { agent: "e", lease_request: { "fs.read": [] } },
        field: 'payload.lease_request["fs.read"]',
      },
      {
        name: "a lease that is a list",
        payload: { agent: "e", lease_request: ["fs.read"] },
        field: "payload.lease_request",
      },
      {
        name: "a constraint there is not",
        payload: { agent: "e", lease_constraints: { expires: "x" } },
        field: "payload.lease_constraints.expires",
      },
      {
        name: "`constructor` as a constraint",
        payload: { agent: "e", lease_constraints: { constructor: 1 } },
        field: "payload.lease_constraints.constructor",
      },
      {
        name: "an expiry in numbers",
        payload: { agent: "e", lease_constraints: { expires_at: 1 } },
        field: "payload.lease_constraints.expires_at",
      },
      { name: "a runtime of nothing", payload: { agent: "e", max_runtime_sec: 0 }, field: "payload.max_runtime_sec" },
      {
        name: "a runtime without end",
        payload: { agent: "e", max_runtime_sec: 1e300 },
        field: "payload.max_runtime_sec",
      },
      { name: "an empty key", payload: { agent: "e", idempotency_key: "" }, field: "payload.idempotency_key" },
      { name: "a trace id that is none", frame: { trace_id: "abc" }, payload: { agent: "e" }, field: "trace_id" },
    ],
  },
  "job.accepted": {
    accepts: [
      {
        name: "the draft's (§7.1)",
        payload: {
          ...AUTHORITY,
          credentials: [
            {
              id: "cred_01J",
              scheme: "bearer",
              value: "sk-virt",
              endpoint: "https://gateway.example.com/v1",
              profile: "openai",
              constraints: { "cost.budget": ["USD:5.00"], expires_at: "2026-05-13T23:42:00Z" },
            },
          ],
          accepted_at: "2026-05-13T19:30:00Z",
        },
      },
      {
        name: "ours",
        payload: { ...AUTHORITY, agent: "echo@1.0.0", request_id: "msg_1", accepted_at: "2026-05-13T19:30:00Z" },
      },
      { name: "a job in the envelope", frame: { job_id: "job_1" }, gives: { job_id: "job_1", lease: {} } },
    ],
    refuses: [
      ...needsJobId,
      { name: "a budget in words", payload: { job_id: "job_1", budget: { USD: "5" } }, field: "payload.budget" },
      {
        name: "a key without its secret",
        payload: { job_id: "job_1", credentials: [{ id: "c", scheme: "bearer" }] },
        field: "payload.credentials[0].value",
      },
    ],
  },
  "job.event": {
    accepts: [
      {
        name: "the draft's (§8.2.1)",
        frame: SEQUENCED,
        payload: { kind: "progress", ts: "2026-05-13T19:42:13Z", body: { current: 47, total: 120, units: "files" } },
      },
      { name: "ours", frame: SEQUENCED, payload: { kind: "log", job_seq: 12, body: { level: "info", message: "m" } } },
      { name: "a vendor's", frame: SEQUENCED, payload: { kind: "x-acme.seen", job_seq: 1, body: {} } },
      { name: "a kind of a later draft", frame: SEQUENCED, payload: { kind: "holograph", body: { x: 1 } } },
      {
        name: "a body that does not fit its kind",
        frame: SEQUENCED,
        payload: { kind: "progress", body: { current: -1 } },
      },
    ],
    refuses: [
      { name: "no job", frame: { event_seq: 1 }, payload: { kind: "log", body: {} }, field: "job_id" },
      {
        name: "no place in the stream",
        frame: { job_id: "job_1" },
        payload: { kind: "log", body: {} },
        field: "event_seq",
      },
      { name: "no kind", frame: SEQUENCED, payload: { body: {} }, field: "payload.kind" },
      { name: "no body", frame: SEQUENCED, payload: { kind: "log" }, field: "payload.body" },
      { name: "a body that is a list", frame: SEQUENCED, payload: { kind: "log", body: [] }, field: "payload.body" },
      {
        name: "a broken position",
        frame: SEQUENCED,
        payload: { kind: "log", job_seq: 0.5, body: {} },
        field: "payload.job_seq",
      },
    ],
  },
  "job.result": {
    accepts: [
      {
        name: "the draft's (§8.4)",
        frame: SEQUENCED,
        payload: { final_status: "success", result_id: "res_01J", result_size: 31_457_280, summary: "137 chunks." },
      },
      {
        name: "ours, inline",
        frame: SEQUENCED,
        payload: {
          final_status: "success",
          job_id: "job_1",
          job_seq: 3,
          completed_at: "2026-05-13T19:50:00Z",
          result: null,
        },
      },
    ],
    refuses: [
      { name: "no status", frame: SEQUENCED, payload: {}, field: "payload.final_status" },
      {
        name: "a status that is no success",
        frame: SEQUENCED,
        payload: { final_status: "error" },
        field: "payload.final_status",
      },
    ],
  },
  "job.error": {
    accepts: [
      {
        name: "a cancellation (§7.4)",
        frame: SEQUENCED,
        payload: { code: "CANCELLED", message: "cancelled", retryable: false, final_status: "cancelled" },
      },
      {
        name: "ours",
        frame: SEQUENCED,
        payload: {
          code: "LEASE_EXPIRED",
          message: "the lease expired",
          retryable: false,
          details: { expired_at: "2026-05-13T23:42:00Z" },
          final_status: "error",
          job_id: "job_1",
          job_seq: 9,
          completed_at: "2026-05-13T23:42:00Z",
        },
      },
    ],
    refuses: [
      { name: "no code", frame: SEQUENCED, payload: { message: "m" }, field: "payload.code" },
      {
        name: "success",
        frame: SEQUENCED,
        payload: { code: "C", message: "m", final_status: "success" },
        field: "payload.final_status",
      },
    ],
  },
  "job.cancel": {
    accepts: [
      { name: "a job in the payload", payload: { job_id: "job_1", reason: "enough" } },
      { name: "a job in the envelope", frame: { job_id: "job_1" }, gives: { job_id: "job_1" } },
      {
        name: "the same job in both",
        frame: { job_id: "job_1" },
        payload: { job_id: "job_1", reason: null },
        gives: { job_id: "job_1" },
      },
    ],
    refuses: needsJobId,
  },
  "job.cancelled": {
    accepts: [
      { name: "ours", payload: { job_id: "job_1", reason: "enough", request_id: "msg_1", final_status: "success" } },
    ],
    refuses: needsJobId,
  },
  "job.subscribe": {
    accepts: [
      { name: "the draft's (§7.6)", payload: { job_id: "job_01JABC", from_event_seq: 0, history: true } },
      { name: "ours", payload: { job_id: "job_1", from_job_seq: 7, history: true } },
      {
        name: "the default in words",
        payload: { job_id: "job_1", from_event_seq: "live" },
        gives: { job_id: "job_1", history: false },
      },
    ],
    refuses: [
      ...needsJobId,
      { name: "a negative place", payload: { job_id: "job_1", from_job_seq: -1 }, field: "payload.from_job_seq" },
      {
        name: "a place in words",
        payload: { job_id: "job_1", from_event_seq: "start" },
        field: "payload.from_event_seq",
      },
      { name: "history in words", payload: { job_id: "job_1", history: "yes" }, field: "payload.history" },
    ],
  },
  "job.subscribed": {
    accepts: [
      {
        name: "the draft's (§7.6)",
        payload: {
          ...AUTHORITY,
          current_status: "running",
          agent: "code-refactor@2.0.0",
          parent_job_id: null,
          subscribed_from: 1830,
          replayed: false,
        },
        gives: {
          ...AUTHORITY,
          current_status: "running",
          agent: "code-refactor@2.0.0",
          subscribed_from: 1830,
          replayed: false,
        },
      },
    ],
    refuses: [...needsJobId, { name: "no status", payload: { job_id: "job_1" }, field: "payload.current_status" }],
  },
  "job.unsubscribe": {
    accepts: [{ name: "the draft's (§7.6)", payload: { job_id: "job_01JABC" } }],
    refuses: needsJobId,
  },
  "session.list_permissions": {
    accepts: [
      { name: "no filter", payload: {} },
      { name: "one state", payload: { state: "pending" }, gives: { state: ["pending"] } },
      { name: "a page", payload: { state: ["granted", "revoked"], job_id: "job_1", limit: 10 } },
    ],
    refuses: [
      { name: "a state that is none", payload: { state: ["lost"] }, field: "payload.state" },
      { name: "an empty page", payload: { limit: 0 }, field: "payload.limit" },
    ],
  },
  "session.permissions": {
    accepts: [
      { name: "none", payload: { request_id: "msg_1", permissions: [], more: false } },
      {
        name: "one that was granted",
        payload: {
          permissions: [
            {
              permission_id: "perm_1",
              job_id: "job_1",
              state: "granted",
              ...TRIPLE,
              args: { amount: "5.00" },
              requested_at: "2026-05-13T19:30:00Z",
              lease_id: "lease_1",
              expires_at: "2026-05-13T19:40:00Z",
              decided_by: "default/ann",
            },
          ],
          more: true,
        },
      },
    ],
    refuses: [{ name: "no list", payload: {}, field: "payload.permissions" }],
  },
  "permission.request": {
    accepts: [
      {
        name: "as clients in the field have it, with its ids",
        payload: { permission_id: "perm_1", job_id: "job_1", ...TRIPLE, reason: "why", requested_lease_seconds: 60 },
      },
    ],
    refuses: [{ name: "no id", payload: { job_id: "job_1", ...TRIPLE }, field: "payload.permission_id" }],
  },
  "permission.grant": {
    accepts: [
      { name: "by id alone", payload: { permission_id: "perm_1" } },
      { name: "with what is granted", payload: { permission_id: "perm_1", ...TRIPLE, lease_seconds: 60 } },
    ],
    refuses: [
      { name: "no id", payload: TRIPLE, field: "payload.permission_id" },
      {
        name: "part of a second",
        payload: { permission_id: "perm_1", lease_seconds: 0.5 },
        field: "payload.lease_seconds",
      },
    ],
  },
  "lease.granted": {
    accepts: [
      {
        name: "as clients in the field have it",
        payload: { lease_id: "lease_1", ...TRIPLE, expires_at: "2026-05-13T19:40:00Z" },
      },
    ],
    refuses: [{ name: "no end", payload: { lease_id: "lease_1", ...TRIPLE }, field: "payload.expires_at" }],
  },
  "permission.deny": {
    accepts: [{ name: "with a reason", payload: { permission_id: "perm_1", permission: "tool.call", reason: "no" } }],
    refuses: [{ name: "no id", payload: { reason: "no" }, field: "payload.permission_id" }],
  },
  "permission.denied": {
    accepts: [{ name: "an answer", payload: { permission_id: "perm_1", request_id: "msg_1" } }],
    refuses: [{ name: "no id", payload: {}, field: "payload.permission_id" }],
  },
  "lease.refresh": {
    accepts: [{ name: "as clients in the field have it", payload: { lease_id: "lease_1", additional_seconds: 60 } }],
    refuses: [
      { name: "no length", payload: { lease_id: "lease_1" }, field: "payload.additional_seconds" },
      { name: "less", payload: { lease_id: "lease_1", additional_seconds: -1 }, field: "payload.additional_seconds" },
    ],
  },
  "lease.extended": {
    accepts: [{ name: "an answer", payload: { lease_id: "lease_1", expires_at: "2026-05-13T19:40:00Z" } }],
    refuses: [{ name: "no end", payload: { lease_id: "lease_1" }, field: "payload.expires_at" }],
  },
  "lease.revoke": {
    accepts: [{ name: "with a reason", payload: { lease_id: "lease_1", reason: "enough" } }],
    refuses: [{ name: "no id", payload: {}, field: "payload.lease_id" }],
  },
  "lease.revoked": {
    accepts: [{ name: "an answer", payload: { lease_id: "lease_1", reason: "enough", request_id: "msg_1" } }],
    refuses: [{ name: "no id", payload: {}, field: "payload.lease_id" }],
  },
};

/** Fields of undefined value are gone, as on the wire. */
function asJson(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}

describe.each(Object.entries(fixtures))("%s", (type, { accepts, refuses }) => {
  const { direction } = MESSAGES[type as MessageType];
  const directions: readonly Direction[] = direction === "both" ? ["to-runtime", "to-client"] : [direction];
  const frameOf = (given: { frame?: Fields; payload?: unknown }): string =>
    JSON.stringify({ arcp: "1.1", id: "msg_1", type, ...given.frame, payload: given.payload });

  test.each(accepts)("accepts $name", (fixture) => {
    for (const toward of directions) {
      const decoded = decode(frameOf(fixture), toward);
      expect(decoded).toMatchObject({ ok: true, message: { id: "msg_1", type } });
      if (decoded.ok)
        expect(asJson(decoded.message.payload)).toEqual(asJson("gives" in fixture ? fixture.gives : fixture.payload));
    }
  });

  test.each(refuses)("refuses $name", (fixture) => {
    for (const toward of directions) {
      const decoded = decode(frameOf(fixture), toward);
      expect(decoded).toMatchObject({
        ok: false,
        requestId: "msg_1",
        type,
        error: { code: "INVALID_REQUEST", retryable: false, details: { field: fixture.field } },
      });
      if (!decoded.ok) expect(decoded.error.message).toContain(fixture.field);
    }
  });

  if (direction === "both") return;
  test("is refused where it does not belong", () => {
    const decoded = decode(frameOf({}), direction === "to-client" ? "to-runtime" : "to-client");
    expect(decoded).toMatchObject({ ok: false, requestId: "msg_1", error: { details: { field: "type" } } });
  });
});

test("the union of messages is told apart by type", () => {
  const decoded = decode('{"arcp":"1.1","id":"m","type":"job.submit","payload":{"agent":"echo"}}', "to-runtime");
  if (!decoded.ok || decoded.message.type !== "job.submit") throw new Error("not a job.submit");
  expectTypeOf(decoded.message.payload.agent).toEqualTypeOf<string>();
  expectTypeOf<Message<"to-runtime">["type"]>().not.toEqualTypeOf<Message<"to-client">["type"]>();
  expectTypeOf<Extract<Message<"to-client">, { type: "job.event" }>["event_seq"]>().toEqualTypeOf<number>();
  expectTypeOf<Extract<Message<"to-client">, { type: "job.submit" }>>().toEqualTypeOf<never>();
  expect(decoded.message.payload.agent).toBe("echo");
});
