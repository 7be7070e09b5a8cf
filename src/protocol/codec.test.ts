import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decode, encode, MAX_NESTING } from "./codec.ts";
import { MAX_ID_LENGTH } from "./fields.ts";
import { type Direction, MESSAGES, type Message } from "./registry.ts";

const DIRECTIONS: readonly Direction[] = ["to-runtime", "to-client"];
const ping = { arcp: "1.1", id: "msg_1", type: "session.ping", payload: { nonce: "n" } };

function withFields(fields: object): string {
  return JSON.stringify({ ...ping, ...fields });
}

function refusedField(text: string, direction: Direction = "to-runtime"): unknown {
  const decoded = decode(text, direction);
  return decoded.ok ? undefined : decoded.error.details?.field;
}

describe("the envelope [arcp-5-envelope]", () => {
  test.each(["1.0", "1.1", "1.27"])("accepts arcp %s", (arcp) => {
    expect(decode(withFields({ arcp }), "to-runtime").ok).toBe(true);
  });

  test.each(["2.0", "1", "1.", "1.1.0", "", 1.1, null, undefined])("refuses arcp %s", (arcp) => {
    expect(refusedField(withFields({ arcp }))).toBe("arcp");
  });

  test("takes any non-empty string as an id", () => {
    const ids = fc.string({ minLength: 1, maxLength: MAX_ID_LENGTH });
    fc.assert(fc.property(ids, (id) => decode(withFields({ id }), "to-runtime").ok));
    for (const id of ["", null, 7, undefined, "x".repeat(MAX_ID_LENGTH + 1)]) {
      expect(refusedField(withFields({ id }))).toBe("id");
    }
  });

  test("ignores fields it does not know, and tolerates those of the field", () => {
    const text = withFields({
      timestamp: 1,
      correlation_id: [],
      priority: "high",
      extensions: { a: 1 },
      whatever: null,
    });
    expect(decode(text, "to-client")).toEqual({ ok: true, message: ping });
  });

  test("reads null and the empty string as absent", () => {
    const text = withFields({ session_id: null, job_id: "", trace_id: "", event_seq: null });
    expect(decode(text, "to-runtime")).toEqual({ ok: true, message: ping });
  });

  test("brings trace ids into one form, and insists on them towards a runtime only", () => {
    const traceId = "4bf92f3577b34da6a3ce929d0e0e4736";
    const read = (trace_id: unknown, direction: Direction): unknown => {
      const decoded = decode(withFields({ trace_id }), direction);
      return decoded.ok ? decoded.message.trace_id : decoded.error.details?.field;
    };
    expect(read(`00-${traceId.toUpperCase()}-00f067aa0ba902b7-01`, "to-runtime")).toBe(traceId);
    expect(read("not one", "to-runtime")).toBe("trace_id");
    expect(read("not one", "to-client")).toBeUndefined();
  });

  test("knows the span that calls, from trace_id or from extensions of envelope or payload [reading-trace-extension]", () => {
    const [traceId, other] = ["4bf92f3577b34da6a3ce929d0e0e4736", "1".repeat(32)];
    const headers = (trace: string) => ({
      "x-vendor.opentelemetry.tracecontext": { traceparent: `00-${trace}-00f067aa0ba902b7-01` },
    });
    const read = (fields: object): unknown[] => {
      const decoded = decode(withFields(fields), "to-runtime");
      return decoded.ok ? [decoded.message.trace_id, decoded.message.trace_parent] : [decoded.error];
    };
    const caller = "00f067aa0ba902b7-01";
    expect(read({ extensions: headers(traceId) })).toEqual([traceId, caller]);
    expect(read({ payload: { nonce: "n", extensions: headers(traceId) } })).toEqual([traceId, caller]);
    expect(read({ trace_id: traceId, extensions: headers(traceId) })).toEqual([traceId, caller]);
    // The protocol's own field decides which trace it is; a span of another one is no parent in it.
    expect(read({ trace_id: other, extensions: headers(traceId) })).toEqual([other, undefined]);
    expect(read({ trace_id: `00-${other}-${"2".repeat(16)}-00`, extensions: headers(other) })).toEqual([
      other,
      `${"2".repeat(16)}-00`,
    ]);
  });

  test.each(["session_id", "job_id", "event_seq", "payload"])("refuses a %s of the wrong type", (field) => {
    expect(refusedField(withFields({ [field]: [1] }))).toBe(field);
  });

  test("answers a type it does not know with the id to answer to", () => {
    for (const type of ["session.open", "toString", "__proto__", "job.submit "]) {
      expect(decode(withFields({ type }), "to-runtime")).toMatchObject({ ok: false, requestId: "msg_1", type });
    }
    expect(refusedField(withFields({ type: undefined }))).toBe("type");
  });
});

describe("what comes in never throws", () => {
  const total = (text: string): void => {
    for (const direction of DIRECTIONS) {
      const decoded = decode(text, direction);
      if (!decoded.ok) expect(decoded.error).toMatchObject({ code: "INVALID_REQUEST", retryable: false });
    }
  };

  test("any text", () => {
    fc.assert(fc.property(fc.string({ unit: "binary" }), total));
  });

  test("any JSON", () => {
    fc.assert(fc.property(fc.json(), total));
  });

  test("any payload under any type", () => {
    const types = fc.constantFrom(...Object.keys(MESSAGES));
    const payloads = fc.jsonValue({ maxDepth: 3 });
    fc.assert(fc.property(types, payloads, (type, payload) => total(withFields({ type, payload }))));
  });

  test("messages with any field replaced by anything", () => {
    const submit = {
      agent: "echo",
      lease_request: { "fs.read": ["**"] },
      lease_constraints: { expires_at: "2026-05-13T23:42:00Z" },
      resume: { session_id: "s", token: "t", last_event_seq: 1 },
      filter: { status: ["running"] },
      job_id: "job_1",
    };
    const keys = fc.constantFrom(
      ...Object.keys(submit),
      "__proto__",
      "constructor",
      "capabilities",
      "auth",
      "body",
      "kind",
    );
    const values = fc.oneof(fc.jsonValue({ maxDepth: 2 }), fc.constantFrom(1e308, -0, 2 ** 53, "x".repeat(5000)));
    const types = fc.constantFrom(...Object.keys(MESSAGES));
    fc.assert(
      fc.property(types, keys, values, (type, key, value) => {
        total(withFields({ type, job_id: "job_1", event_seq: 1, payload: { ...submit, [key]: value } }));
      }),
    );
  });

  test("a frame cut off anywhere", () => {
    const text = withFields({ type: "job.submit", payload: { agent: "echo", input: "\u{1F600}" } });
    for (let end = 0; end < text.length; end++) expect(refusedField(text.slice(0, end))).toBe("frame");
  });

  test("keys that name the prototype", () => {
    total(
      '{"__proto__":{"arcp":"1.1"},"arcp":"1.1","id":"a","type":"job.submit","payload":{"__proto__":{"agent":"echo"}}}',
    );
    const text = '{"arcp":"1.1","id":"a","type":"job.cancel","payload":{"__proto__":{"job_id":"job_1"}}}';
    expect(refusedField(text)).toBe("payload.job_id");
    expect(({} as { agent?: unknown }).agent).toBeUndefined();
  });

  test("100,000 brackets, open or closed", () => {
    const deep = "[".repeat(100_000) + "]".repeat(100_000);
    total("[".repeat(100_000));
    total(deep);
    const submit = `{"arcp":"1.1","id":"a","type":"job.submit","payload":{"agent":"echo","input":${deep}}}`;
    expect(decode(submit, "to-runtime")).toMatchObject({
      ok: false,
      requestId: "a",
      error: { details: { field: "payload" } },
    });
    total(`{"arcp":"1.1","id":"a","type":"session.ping","payload":${'{"a":'.repeat(100_000)}1${"}".repeat(100_001)}`);
  });

  test("a payload is taken as deep as the limit, and no deeper", () => {
    const submit = (levels: number, pad = ""): string =>
      withFields({
        type: "job.submit",
        payload: { agent: "echo", input: JSON.parse("[".repeat(levels) + "]".repeat(levels)), pad },
      });
    for (const pad of ["", "x".repeat(20_000)]) {
      expect(decode(submit(MAX_NESTING - 1, pad), "to-runtime").ok).toBe(true);
      expect(refusedField(submit(MAX_NESTING, pad))).toBe("payload");
    }
    // So long that it is told before it is parsed, which would hold everyone up.
    expect(refusedField(`{"arcp":"1.1","id":"m","type":"job.submit","payload":${"[".repeat(500_000)}`)).toBe("payload");
  });
});

describe("refusals", () => {
  test("never repeat what was sent: it may be a token", () => {
    const secret = "rt_SECRET";
    const frames = [
      `{"token":"${secret}"`,
      `"${secret}"`,
      withFields({ type: "session.hello", payload: { auth: { token: [secret] }, resume: { token: secret } } }),
      withFields({ type: "session.hello", payload: { capabilities: { features: secret } } }),
      withFields({ type: "job.submit", payload: { agent: secret } }),
      withFields({ type: "job.subscribe", payload: { job_id: "job_1", from_event_seq: secret } }),
    ];
    for (const frame of frames) {
      expect(refusedField(frame)).toBeTypeOf("string");
      expect(JSON.stringify(decode(frame, "to-runtime"))).not.toContain(secret);
    }
  });

  test("stay short, however long the sender's keys", () => {
    const text = withFields({
      type: "job.submit",
      payload: { agent: "echo", lease_request: { ["x".repeat(100_000)]: [] } },
    });
    const decoded = decode(text, "to-runtime");
    expect(decoded.ok).toBe(false);
    expect(JSON.stringify(decoded).length).toBeLessThan(600);
  });

  test("say what would be right", () => {
    const decoded = decode(withFields({ type: "session.ack", payload: { last_processed_seq: "9" } }), "to-runtime");
    expect(decoded).toMatchObject({
      error: { message: "payload.last_processed_seq must be a whole number from 0" },
    });
  });
});

test("what is encoded is decoded to the same message, on one line", () => {
  const messages: readonly Message[] = [
    {
      arcp: "1.1",
      id: "a",
      type: "session.hello",
      payload: { capabilities: { features: ["ack"] }, auth: { token: "t" } },
    },
    { arcp: "1.1", id: "b", type: "job.cancel", session_id: "s", payload: { job_id: "job_1", reason: "two\nlines" } },
  ];
  for (const message of messages) {
    const text = encode(message);
    expect(text).not.toContain("\n");
    expect(decode(text, "to-runtime")).toEqual({ ok: true, message });
  }
});
