/**
 * What the SDKs of other hands send, frame by frame as each writes it, and what of our answers each reads. A frame here
 * is that SDK's own; the dialects that would need a translation are not spoken.
 */
import { describe, expect, it } from "vitest";
import { startTestRuntime, type TestRuntime } from "./test-runtime.ts";

type Json = Record<string, unknown>;

/** One SDK: how it writes an envelope, and where it puts what. */
interface Sdk {
  readonly name: string;
  /** Fields every envelope of it has. */
  envelope(id: string): Json;
  hello(): Json;
  /** The frame that resumes: type, payload, and fields of the envelope. */
  resume(welcome: {
    session: string;
    token: string;
    last: number;
  }): readonly [type: string, payload: Json, envelope?: Json];
  cancel(job: string): readonly [payload: Json, envelope: Json];
  readonly close: "session.close" | "session.bye";
}

const auth = { scheme: "bearer", token: "ann" };
const capabilities = { encodings: ["json"], features: ["heartbeat", "ack", "subscribe", "list_jobs", "progress"] };
const client = { name: "sdk", version: "0.4.1" };
const inHello: Sdk["resume"] = ({ session, token, last }) => [
  "session.hello",
  { client, auth, capabilities, resume: { session_id: session, resume_token: token, last_event_seq: last } },
];
const ulid = (n: number): string => `01JABCDEFGHJKMNPQRSTVW${String(n).padStart(4, "0")}`;
const uuid = (n: number): string => `0190a7c4-7f3a-7cc1-8a2b-${String(n).padStart(12, "0")}`;
const digits = (id: string): number => Number(id);

const SDKS: readonly Sdk[] = [
  {
    name: "TypeScript",
    envelope: (id) => ({ arcp: "1.1", id: `msg_${ulid(digits(id))}`, trace_id: "4bf92f3577b34da6a3ce929d0e0e4736" }),
    hello: () => ({ client, auth, capabilities }),
    resume: inHello,
    cancel: (job) => [{}, { job_id: job }],
    close: "session.bye",
  },
  {
    name: "Go",
    envelope: (id) => ({
      arcp: "1.1",
      id: uuid(digits(id)),
      extensions: {
        "x-vendor.opentelemetry.tracecontext": { traceparent: `00-${"a".repeat(32)}-${"b".repeat(16)}-01` },
      },
    }),
    hello: () => ({ client, auth, capabilities }),
    resume: inHello,
    cancel: (job) => [{ reason: "" }, { job_id: job }],
    close: "session.close",
  },
  {
    name: "Java",
    envelope: (id) => ({ arcp: "1.1", id: `java-${id}`, trace_id: `00-${"c".repeat(32)}-${"d".repeat(16)}-00` }),
    hello: () => ({ client, auth, capabilities: { ...capabilities, extensions: {} } }),
    // Flat, and naming no session but by its token.
    resume: ({ token, last }) => [
      "session.hello",
      { client, auth, capabilities, resume_token: token, last_event_seq: last },
    ],
    cancel: (job) => [{}, { job_id: job }],
    close: "session.close",
  },
  {
    name: "Python",
    envelope: (id) => ({ arcp: "1.1", id: `x_${ulid(digits(id))}`, trace_id: null, job_id: null, event_seq: null }),
    hello: () => ({ client, auth, capabilities, resume: null }),
    resume: inHello,
    cancel: (job) => [{ reason: "cancelled by the caller" }, { job_id: job }],
    close: "session.close",
  },
  {
    name: "Ruby",
    envelope: (id) => ({ arcp: "1.1", id: uuid(digits(id)), session_id: "" }),
    hello: () => ({ client_name: "ruby", client_version: "2.0", auth, capabilities }),
    resume: ({ session, token, last }) => [
      "session.hello",
      { client_name: "ruby", client_version: "2.0", auth, capabilities, resume: { token, last_event_seq: last } },
      { session_id: session },
    ],
    cancel: (job) => [{ job_id: job, reason: "no" }, {}],
    close: "session.bye",
  },
  {
    name: "PHP",
    envelope: (id) => ({
      arcp: "1.0",
      id: `php.${id}`,
      timestamp: "2026-05-13T19:42:13.000Z",
      priority: "normal",
      correlation_id: null,
    }),
    hello: () => ({ client, auth, capabilities: { ...capabilities, streaming: true, resume: true } }),
    resume: ({ session, token, last }) => [
      "session.resume",
      { session_id: session, token, last_event_seq: last, auth },
    ],
    cancel: (job) => [{ job_id: job }, { job_id: job }],
    close: "session.close",
  },
  {
    name: "Rust",
    envelope: (id) => ({
      arcp: "1.1",
      id: `msg_${uuid(digits(id))}`,
      timestamp: "2026-05-13T19:42:13Z",
      correlation_id: "c",
      priority: 5,
    }),
    hello: () => ({ client, auth, capabilities }),
    // By the token alone.
    resume: ({ token, last }) => ["session.resume", { resume_token: token, last_event_seq: last, auth }],
    cancel: (job) => [{ job_id: job, target: "job", target_id: job }, {}],
    close: "session.close",
  },
];

/** One connection of an SDK. */
class Field {
  readonly #sdk: Sdk;
  readonly #runtime: TestRuntime;
  readonly #line: ReturnType<TestRuntime["connect"]>["line"];
  #sent: number;

  constructor(sdk: Sdk, runtime: TestRuntime, sent = 0) {
    this.#sdk = sdk;
    this.#runtime = runtime;
    this.#line = runtime.connect().line;
    this.#sent = sent;
  }

  get closed(): number | undefined {
    return this.#line.closed?.code;
  }

  /** Sends a message; returns the frames that come for it, the request's id in place of itself. */
  async say(type: string, payload: Json, envelope: Json = {}): Promise<readonly (Json & { payload: Json })[]> {
    const frame: Json = { ...this.#sdk.envelope(String(++this.#sent)), type, payload, ...envelope };
    this.#line.send(JSON.stringify(frame));
    await this.#runtime.world.settle();
    return this.#line.take().map((text) => JSON.parse(text.replaceAll(String(frame.id), "REQUEST")));
  }

  async drop(): Promise<void> {
    this.#line.drop();
    await this.#runtime.world.settle();
  }
}

describe.each(SDKS)("the $name SDK [reading-clients-in-the-field]", (sdk) => {
  it("opens, submits, loses its connection, resumes, cancels and closes", async () => {
    const runtime = await startTestRuntime();
    const first = new Field(sdk, runtime);
    const [welcome] = await first.say("session.hello", sdk.hello());
    expect(welcome).toMatchObject({
      arcp: "1.1",
      type: "session.welcome",
      id: expect.stringMatching(/^msg_[0-9A-HJKMNP-TV-Z]{26}$/),
      // Some read it in the envelope, some in the payload.
      session_id: expect.stringMatching(/^sess_/),
      payload: { session_id: welcome?.session_id, request_id: "REQUEST", resume_token: expect.any(String) },
    });
    const [accepted] = await first.say("job.submit", { agent: "puppet", input: { any: 1 } });
    expect(accepted).toMatchObject({
      type: "job.accepted",
      payload: {
        agent: "puppet@1.0.0",
        lease: {},
        accepted_at: expect.stringMatching(/^\d{4}-.*Z$/),
        trace_id: expect.stringMatching(/^[0-9a-f]{32}$/),
        request_id: "REQUEST",
      },
    });
    const job = String(accepted?.payload.job_id);
    expect(accepted?.job_id).toBe(job);
    const traceId = String(sdk.envelope("1").trace_id ?? "");
    if (traceId !== "null" && traceId !== "") {
      expect(accepted?.trace_id).toBe(traceId.length === 32 ? traceId : traceId.slice(3, 35));
    }
    await runtime.puppet(job).ctx.log("seen");
    await runtime.world.settle();
    await first.drop();
    await runtime.puppet(job).ctx.log("missed");

    const next = new Field(sdk, runtime, 10);
    const token = String(welcome?.payload.resume_token);
    const resumed = await next.say(...sdk.resume({ session: String(welcome?.session_id), token, last: 1 }));
    expect(resumed.map(({ type, event_seq }) => [type, event_seq])).toEqual([
      ["session.welcome", undefined],
      ["job.event", 2],
    ]);
    expect(resumed[0]).toMatchObject({ session_id: welcome?.session_id, payload: { session_id: welcome?.session_id } });
    expect(resumed[0]?.payload.resume_token).not.toBe(token);

    expect(await next.say("job.cancel", ...sdk.cancel(job))).toMatchObject([
      { type: "job.cancelled", job_id: job, payload: { job_id: job, request_id: "REQUEST" } },
      { type: "job.error", job_id: job, payload: { job_id: job, code: "CANCELLED", completed_at: expect.any(String) } },
    ]);
    const result = await next.say("job.submit", { agent: "echo", input: 7 });
    expect(result.at(-1)).toMatchObject({
      type: "job.result",
      payload: { job_id: result.at(-1)?.job_id, result: 7, final_status: "success", completed_at: expect.any(String) },
    });
    expect(await next.say(sdk.close, {})).toMatchObject([
      { type: "session.closed", payload: { request_id: "REQUEST" } },
    ]);
    expect(next.closed).toBe(1000);
  });
});

it("a token that tells another session is good for nothing there", async () => {
  const runtime = await startTestRuntime();
  const [mine, other] = [await runtime.connect().open(), await runtime.connect().open()];
  const [hex] = mine.payload.resume_token.split(".");
  const thief = runtime.connect();
  thief.send("session.resume", { resume_token: `${hex}.${other.payload.session_id}`, last_event_seq: 0, auth });
  expect((await thief.settled()).map(({ type, payload }) => [type, "code" in payload && payload.code])).toEqual([
    ["session.error", "UNAUTHENTICATED"],
  ]);
});
