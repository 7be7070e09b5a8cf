import { beforeEach, describe, expect, it } from "vitest";
import { CLOSE } from "../protocol/framing.ts";
import { createMemoryStore, type MemoryStore } from "../stores/memory/memory-store.ts";
import { isSequenced, type ResumePoint, refusals, type TestClient, theOne, type Welcome } from "./test-client.ts";
import { startTestRuntime, type TestRuntime } from "./test-runtime.ts";
import { TestSession } from "./test-session.ts";
import { streamProblems } from "./test-stream-laws.ts";

let store: MemoryStore;
let runtime: TestRuntime;
let client: TestClient;
let welcome: Welcome;

beforeEach(async () => {
  store = createMemoryStore();
  runtime = await startTestRuntime({ store });
  client = runtime.connect();
  welcome = await client.open();
});

const pointOf = ({ payload }: Welcome, last = 0): ResumePoint => ({
  session_id: payload.session_id,
  resume_token: payload.resume_token,
  last_event_seq: last,
});

/** Resumes over a new connection, whatever the answer. */
async function resumed(point: ResumePoint, token = "ann", on = runtime) {
  const next = on.connect();
  next.resume(point, token);
  return { next, received: await next.settled() };
}

describe("the placements of a resume [reading-resume-placements]", () => {
  it("session.resume as the first frame", async () => {
    await client.submit("echo");
    await client.drop();
    const { received } = await resumed(pointOf(welcome));
    expect(received.map(({ type }) => type)).toEqual(["session.welcome", "job.event", "job.result"]);
    expect(theOne(received, "session.welcome").payload.session_id).toBe(welcome.payload.session_id);
  });

  it("in the payload of session.hello", async () => {
    await client.submit("echo");
    await client.drop();
    const next = runtime.connect();
    next.hello({ resume: pointOf(welcome, 1) });
    expect((await next.settled()).map(({ type }) => type)).toEqual(["session.welcome", "job.result"]);
  });

  it("with the session in the envelope", async () => {
    await client.drop();
    const next = runtime.connect();
    const { session_id, ...rest } = pointOf(welcome);
    next.send("session.resume", { ...rest, auth: { token: "ann" } }, { session_id });
    expect(theOne(await next.settled(), "session.welcome").payload.session_id).toBe(session_id);
  });

  it("by the token alone, which tells its session", async () => {
    await client.submit("echo");
    await client.drop();
    const next = runtime.connect();
    next.send("session.resume", { token: welcome.payload.resume_token, last_event_seq: 1, auth: { token: "ann" } });
    const received = await next.settled();
    expect(received.map(({ type }) => type)).toEqual(["session.welcome", "job.result"]);
    expect(theOne(received, "session.welcome").payload.session_id).toBe(welcome.payload.session_id);
  });

  it("not by a token that tells no session", async () => {
    const next = runtime.connect();
    next.send("session.resume", { resume_token: "rt_0", last_event_seq: 0, auth: { token: "ann" } });
    expect(theOne(await next.settled(), "session.error").payload).toMatchObject({
      code: "INVALID_REQUEST",
      details: { field: "session_id" },
    });
  });

  it.each(["resume_token", "last_event_seq"])("not without %s", async (field) => {
    const next = runtime.connect();
    next.send("session.resume", { ...pointOf(welcome), [field]: undefined, auth: { token: "ann" } });
    expect(refusals(await next.settled())).toEqual([["INVALID_REQUEST", "request-1"]]);
    expect(client.line.closed).toBeUndefined();
  });
});

describe("who may resume [reading-resume-authenticates]", () => {
  it("nobody without a token of their own", async () => {
    const { next, received } = await resumed(pointOf(welcome), "bad");
    expect(refusals(received)).toEqual([["UNAUTHENTICATED", "request-1"]]);
    expect(next.line.closed?.code).toBe(CLOSE.unauthenticated);
    expect(client.line.closed).toBeUndefined();
  });

  it("not another principal, who is answered as if the session had never been [law-principals-apart]", async () => {
    const foreign = await resumed(pointOf(welcome), "bob");
    const unknown = await resumed({ ...pointOf(welcome), session_id: "sess_nowhere" }, "bob");
    const blank = (texts: readonly string[]) =>
      texts
        .join()
        .replace(/sess_\w+/, "SESSION")
        .replace(/"msg_\w+"/, "ID");
    expect(blank(foreign.next.texts)).toBe(blank(unknown.next.texts));
    expect(refusals(foreign.received)).toEqual([["RESUME_WINDOW_EXPIRED", "request-1"]]);
    expect(foreign.next.line.closed).toEqual(unknown.next.line.closed);
    expect(client.line.closed).toBeUndefined();
  });

  it("not with a token that was never given out", async () => {
    const { next, received } = await resumed({ ...pointOf(welcome), resume_token: `rt_${"0".repeat(64)}` });
    expect(refusals(received)).toEqual([["UNAUTHENTICATED", "request-1"]]);
    expect(next.line.closed?.code).toBe(CLOSE.unauthenticated);
    expect(client.line.closed).toBeUndefined();
  });
});

describe("resume tokens", () => {
  const tokenOf = (received: Parameters<typeof theOne>[0]) => theOne(received, "session.welcome").payload.resume_token;
  const by = (resume_token: string) => resumed({ ...pointOf(welcome), resume_token });

  it("are new with every welcome [arcp-6.3-token-rotates]", async () => {
    const first = welcome.payload.resume_token;
    const second = tokenOf((await by(first)).received);
    const third = tokenOf((await by(second)).received);
    expect(new Set([first, second, third]).size).toBe(3);
  });

  it("stay valid while the welcome that replaced them was lost, however often [reading-resume-lost-welcome]", async () => {
    const first = welcome.payload.resume_token;
    await by(first);
    await by(first);
    expect((await by(first)).received.map(({ type }) => type)).toEqual(["session.welcome"]);
  });

  it("die once the newer one is presented [reading-resume-lost-welcome]", async () => {
    const first = welcome.payload.resume_token;
    const second = tokenOf((await by(first)).received);
    await by(second);
    expect(refusals((await by(first)).received)).toEqual([["UNAUTHENTICATED", "request-1"]]);
    expect((await by(second)).received.map(({ type }) => type)).toEqual(["session.welcome"]);
  });

  it("that were given out between two presentations of an older one are dead", async () => {
    const first = welcome.payload.resume_token;
    const lost = tokenOf((await by(first)).received);
    await by(first);
    expect(refusals((await by(lost)).received)).toEqual([["UNAUTHENTICATED", "request-1"]]);
  });

  it("rotate over a restart as well", async () => {
    const first = welcome.payload.resume_token;
    const second = tokenOf((await by(first)).received);
    await by(second);
    await runtime.close();
    const next = await runtime.restartOn(createMemoryStore(store.snapshot()));
    const { received } = await resumed(pointOf(welcome), "ann", next);
    expect(refusals(received)).toEqual([["UNAUTHENTICATED", "request-1"]]);
    const again = await resumed({ ...pointOf(welcome), resume_token: second }, "ann", next);
    expect(again.received.map(({ type }) => type)).toEqual(["session.welcome"]);
  });
});

describe("the position of a resume", () => {
  it("may be the head: a client that missed nothing is simply back [reading-resume-caught-up]", async () => {
    await client.submit("echo");
    await client.drop();
    const { next, received } = await resumed(pointOf(welcome, 2));
    expect(received.map(({ type }) => type)).toEqual(["session.welcome"]);
    await next.submit("echo");
    expect(next.texts.length).toBeGreaterThan(2);
  });

  it("may not lie beyond the head", async () => {
    await client.submit("echo");
    const { next, received } = await resumed(pointOf(welcome, 3));
    expect(refusals(received)).toEqual([["INVALID_REQUEST", "request-1"]]);
    expect(next.line.closed?.code).toBe(CLOSE.invalidMessage);
    expect(client.line.closed).toBeUndefined();
  });

  it("may not lie before what was acknowledged and freed [arcp-6.3-window-expired]", async () => {
    await client.submit("flood", { n: 3_000 });
    client.send("session.ack", { last_processed_seq: 2_500 });
    await client.settled();
    await client.drop();
    const { received } = await resumed(pointOf(welcome, 10));
    expect(refusals(received)).toEqual([["RESUME_WINDOW_EXPIRED", "request-1"]]);
  });

  it("is taken from the resume, and not from the acknowledgements [arcp-6.5-advisory]", async () => {
    await client.submit("flood", { n: 30 });
    client.send("session.ack", { last_processed_seq: 20 });
    await client.drop();
    const { received } = await resumed(pointOf(welcome, 5));
    expect(streamProblems(received.filter(isSequenced), { after: 5 })).toEqual([]);
    expect(received).toHaveLength(1 + 31 - 5);
  });
});

describe("a resumed session", () => {
  it("keeps the features of its first welcome, whatever the resume names [reading-resume-features-fixed]", async () => {
    const bare = runtime.connect();
    const first = await bare.open({ features: ["progress", "ack"] });
    const next = runtime.connect();
    next.hello({ features: ["subscribe", "heartbeat"], resume: pointOf(first) });
    expect(theOne(await next.settled(), "session.welcome").payload.capabilities.features).toEqual(["ack", "progress"]);
    const request = next.send("session.list_jobs");
    expect(refusals(await next.settled())).toEqual([["INVALID_REQUEST", request]]);
  });

  it("that comes back with fewer features goes on with those it had: its places hold the same events", async () => {
    await client.submit("flood", { n: 9 });
    const seen = client.texts.filter((text) => text.includes('"event_seq"'));
    await client.drop();
    const next = runtime.connect();
    next.hello({ features: [], resume: pointOf(welcome) });
    await next.settled();
    expect(next.texts.slice(1)).toEqual(seen);
    expect(seen.filter((text) => text.includes('"kind":"progress"'))).toHaveLength(3);
    next.send("session.list_jobs");
    expect((await next.settled()).map(({ type }) => type)).toEqual(["session.jobs"]);
  });

  it("gets what happened while it was away, once and in order, then live events, then the terminal [arcp-6.3-replay] [reading-resume-same-session]", async () => {
    const job = (await client.submit("puppet")).payload.job_id;
    const { ctx, finish } = runtime.puppet(job);
    await ctx.log("seen");
    await client.settled();
    await client.drop();
    await ctx.log("missed");
    await ctx.status("also missed");
    await runtime.world.advance(5_000);
    const { next, received } = await resumed(pointOf(welcome, 1));
    await ctx.log("live");
    finish("done");
    const events = [...received, ...(await next.settled())].filter(isSequenced);
    expect(events.map(({ payload }) => ("body" in payload ? payload.body : payload.final_status))).toEqual([
      { level: "info", message: "missed" },
      { phase: "also missed" },
      { level: "info", message: "live" },
      "success",
    ]);
    expect(streamProblems(events, { after: 1 })).toEqual([]);
  });

  it("may cancel what it submitted before [reading-resume-same-session] [reading-who-may-cancel]", async () => {
    const job = (await client.submit("puppet")).payload.job_id;
    await client.drop();
    const { next } = await resumed(pointOf(welcome));
    next.send("job.cancel", { job_id: job });
    expect((await next.settled()).map(({ type }) => type)).toEqual(["job.cancelled", "job.error"]);
  });

  it("is sent the same bytes again that it was sent first [reading-ids]", async () => {
    await client.submit("flood", { n: 50 });
    await client.submit("streamer");
    const first = client.texts.filter((text) => text.includes('"event_seq"'));
    await client.drop();
    const { next } = await resumed(pointOf(welcome));
    expect(next.texts.slice(1)).toEqual(first);
    expect(first.length).toBe(51 + 5);
  });

  it("takes the place of its older connection, which is closed with a code of its own [reading-resume-supersedes]", async () => {
    const job = (await client.submit("puppet")).payload.job_id;
    const { next } = await resumed(pointOf(welcome));
    expect(client.line.closed?.code).toBe(CLOSE.superseded);
    await runtime.puppet(job).ctx.log("to the newer");
    expect((await next.settled()).map(({ type }) => type)).toEqual(["job.event"]);
    expect(client.take()).toEqual([]);
  });
});

describe("two resumes at once", () => {
  it("leave one connection, the later one, with a whole stream", async () => {
    const job = (await client.submit("puppet")).payload.job_id;
    await runtime.puppet(job).ctx.log("before");
    await client.drop();
    const one = runtime.connect();
    const two = runtime.connect();
    one.resume(pointOf(welcome));
    two.resume(pointOf(welcome));
    await runtime.world.settle();
    expect([one.line.closed?.code, two.line.closed?.code]).toEqual([CLOSE.superseded, undefined]);
    await runtime.puppet(job).ctx.log("after");
    const events = (await two.settled()).filter(isSequenced);
    expect(events).toHaveLength(2);
    expect(streamProblems(events)).toEqual([]);
  });

  it("cannot bring an older token back to life", async () => {
    const first = welcome.payload.resume_token;
    const { received } = await resumed(pointOf(welcome));
    const second = theOne(received, "session.welcome").payload.resume_token;
    const newer = runtime.connect();
    const older = runtime.connect();
    newer.resume({ ...pointOf(welcome), resume_token: second });
    older.resume({ ...pointOf(welcome), resume_token: first });
    expect((await newer.settled()).map(({ type }) => type)).toEqual(["session.welcome"]);
    expect(refusals(older.take())).toEqual([["UNAUTHENTICATED", "request-1"]]);
  });
});

describe("after a restart of the runtime [reading-resume-after-restart]", () => {
  it("the session is there, with its stream, its features and its right to cancel", async () => {
    const job = (await client.submit("flood", { n: 40 })).payload.job_id;
    const before = client.texts.filter((text) => text.includes('"event_seq"'));
    await runtime.close();
    const next = await runtime.restartOn(createMemoryStore(store.snapshot()));
    const { next: back, received } = await resumed(pointOf(welcome), "ann", next);
    expect(back.texts.slice(1)).toEqual(before);
    expect(theOne(received, "session.welcome").payload.capabilities).toEqual(welcome.payload.capabilities);
    const again = (await back.submit("puppet")).payload.job_id;
    back.send("job.cancel", { job_id: again });
    const ended = (await back.settled()).filter(isSequenced);
    expect(streamProblems(ended, { after: 41 })).toEqual([]);
    expect(ended.at(-1)).toMatchObject({ type: "job.error", job_id: again });
    expect(job).not.toBe(again);
  });

  it("a job that was running ends on the same stream with one retryable error", async () => {
    const job = (await client.submit("puppet")).payload.job_id;
    await runtime.puppet(job).ctx.log("before");
    await client.settled();
    const image = createMemoryStore(store.snapshot());
    await runtime.close();
    const next = await runtime.restartOn(image);
    const { received } = await resumed(pointOf(welcome, 1), "ann", next);
    expect(received.map(({ type }) => type)).toEqual(["session.welcome", "job.error"]);
    expect(theOne(received, "job.error")).toMatchObject({
      event_seq: 2,
      payload: { code: "INTERNAL_ERROR", retryable: true, final_status: "error", job_seq: 2 },
    });
  });
});

describe("a drop at any frame", () => {
  /** Two jobs over one session, cut after `position` frames of its first connection. */
  async function cutAfter(position: number): Promise<{ session: TestSession; sent: number }> {
    const cut = await startTestRuntime();
    const session = new TestSession(() => cut);
    session.dropAfter = position;
    session.client.send("job.submit", { agent: "flood", input: { n: 12, every: 3 }, idempotency_key: "one" });
    session.client.send("job.submit", { agent: "echo", input: 1, idempotency_key: "two" });
    await cut.world.settle();
    const sent = session.stream.length + session.replies.length;
    if (session.client.line.closed !== undefined) {
      const lost = session.point === undefined;
      session.connect();
      // What was lost on the way, an acceptance or the submission itself, the key makes good.
      session.client.send("job.submit", { agent: "flood", input: { n: 12, every: 3 }, idempotency_key: "one" });
      session.client.send("job.submit", { agent: "echo", input: 1, idempotency_key: "two" });
      await cut.world.settle();
      expect(lost).toBe(false);
    }
    await cut.close();
    return { session, sent };
  }

  it("loses nothing and repeats nothing [law-no-gap-or-repeat] [law-one-terminal]", async () => {
    const whole = await cutAfter(Number.POSITIVE_INFINITY);
    expect(whole.sent).toBe(1 + 2 + 13 + 2);
    for (let position = 1; position <= whole.sent; position++) {
      const { session } = await cutAfter(position);
      expect(streamProblems(session.events), `cut after ${position} frames`).toEqual([]);
      expect(session.stream, `cut after ${position} frames`).toHaveLength(15);
      const accepted = session.replies.filter(({ type }) => type === "job.accepted");
      expect(new Set(accepted.map(({ job_id }) => job_id)).size).toBe(2);
    }
  });
});
