import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { defineAgent } from "../../agents/define-agent.ts";
import type { Artifacts } from "../../kernel/ports.ts";
import { createMemoryArtifacts } from "../../stores/artifacts/memory-artifacts.ts";
import { createMemoryStore } from "../../stores/memory/memory-store.ts";
import { ALL_FEATURES, type Sequenced, theOne } from "../test-client.ts";
import { startTestRuntime, type TestRuntime, type TestRuntimeOptions } from "../test-runtime.ts";
import { TestSession } from "../test-session.ts";
import { MAX_ASSEMBLED_BYTES } from "./assembled-result.ts";

const WITHOUT_CHUNKS = ALL_FEATURES.filter((feature) => feature !== "result_chunk");

interface ReportInput {
  readonly text: string;
  /** How often it stands in one write. */
  readonly repeat?: number;
  readonly times?: number;
  readonly bytes?: boolean;
}

/** Streams `text`, with a log line before each time; as bytes when asked. */
const report = defineAgent({
  name: "report",
  version: "1.0.0",
  run: async (ctx, input) => {
    const { text, repeat = 1, times = 1, bytes = false } = input as ReportInput;
    const part = text.repeat(repeat);
    const stream = ctx.streamResult({ encoding: bytes ? "base64" : "utf8" });
    for (let index = 0; index < times; index++) {
      await ctx.log(`part ${index}`);
      await stream.write(bytes ? Buffer.from(part) : part);
    }
    return stream.end({ summary: "done" });
  },
});

/** Streams in both attempts; the first does not come to an end. */
const twice = defineAgent({
  name: "twice",
  version: "1.0.0",
  restart: "always",
  run: async (ctx) => {
    const stream = ctx.streamResult();
    await stream.write(`attempt ${ctx.attempt}`);
    await ctx.flush();
    return ctx.attempt === 1 ? new Promise<never>(() => {}) : stream.end();
  },
});

const start = (options: TestRuntimeOptions = {}): Promise<TestRuntime> =>
  startTestRuntime({ agents: [report, twice], ...options });

/** Putting a large result together is a longer chain of promises than one `settle` waits for. */
async function rest({ world }: TestRuntime): Promise<void> {
  for (let round = 0; round < 40; round++) await world.settle();
}

const session = async (runtime: () => TestRuntime, options = {}): Promise<TestSession> => {
  const opened = new TestSession(runtime, { features: WITHOUT_CHUNKS, ...options });
  await rest(runtime());
  return opened;
};

async function submit(runtime: TestRuntime, { client, replies }: TestSession, agent: string, input: unknown) {
  const before = replies.length;
  client.send("job.submit", { agent, input });
  await rest(runtime);
  return theOne(replies.slice(before), "job.accepted").payload.job_id;
}

function resultOf(events: readonly Sequenced[]): Record<string, unknown> {
  expect(events.map(({ event_seq }) => event_seq)).toEqual(events.map((_, index) => index + 1));
  expect(events.filter(({ payload }) => "kind" in payload && payload.kind === "result_chunk")).toEqual([]);
  return { ...theOne(events, "job.result").payload };
}

const digestOf = (text: string): string => createHash("sha256").update(text).digest("hex");

describe("a streamed result in a session without result_chunk [reading-result-without-chunks]", () => {
  it("comes whole and inline, in a stream without gaps", async () => {
    const runtime = await start();
    const mine = await session(() => runtime);
    const job = await submit(runtime, mine, "report", { text: "né 😀\n", times: 3 });
    expect(mine.events.map(({ type }) => type)).toEqual(["job.event", "job.event", "job.event", "job.result"]);
    expect(resultOf(mine.events)).toEqual({
      job_id: job,
      final_status: "success",
      completed_at: expect.any(String),
      job_seq: 8,
      summary: "done",
      result_size: 27,
      result_encoding: "utf8",
      result: "né 😀\n".repeat(3),
    });
  });

  it("comes in base64 when it is bytes", async () => {
    const runtime = await start();
    const mine = await session(() => runtime);
    await submit(runtime, mine, "report", { text: "odd", times: 7, bytes: true });
    await submit(runtime, mine, "report", { text: "", bytes: true });
    const [first, second] = mine.events.filter(({ type }) => type === "job.result").map(({ payload }) => payload);
    expect(first).toMatchObject({ result: btoa("odd".repeat(7)), result_encoding: "base64", result_size: 21 });
    expect(second).toMatchObject({ result: "", result_encoding: "base64", result_size: 0 });
  });

  it("is a link to an artifact above 1 MiB, for whoever sees the job", async () => {
    const artifacts = createMemoryArtifacts();
    const store = createMemoryStore();
    const runtime = await start({ artifacts, store });
    const mine = await session(() => runtime);
    const job = await submit(runtime, mine, "report", { text: "0123456789".repeat(10_000), times: 11 });
    const whole = "0123456789".repeat(110_000);
    const { result_artifact: link, ...rest } = resultOf(mine.events);
    expect(rest).toEqual({
      job_id: job,
      final_status: "success",
      completed_at: expect.any(String),
      job_seq: expect.any(Number),
      summary: "done",
      result_size: whole.length,
      result_encoding: "utf8",
    });
    expect(link).toEqual({
      uri: expect.stringMatching(/^\/api\/artifacts\/art_/),
      content_type: "text/plain; charset=utf-8",
      byte_size: whole.length,
      sha256: digestOf(whole),
    });
    const { uri, sha256 } = link as { uri: string; sha256: string };
    expect(await store.readArtifact(uri.split("/").at(-1) as string)).toMatchObject({ job, sha256, name: null });
    const parts: Uint8Array[] = [];
    for await (const part of (await artifacts.open(sha256)) ?? []) parts.push(part);
    expect(Buffer.concat(parts).toString()).toBe(whole);
  });

  it("is measured as it would stand in the frame", async () => {
    const runtime = await start();
    const mine = await session(() => runtime);
    const longest = MAX_ASSEMBLED_BYTES - '""'.length;
    for (const [text, repeat] of [
      ["x", longest],
      ["x", longest + 1],
      ['"', MAX_ASSEMBLED_BYTES / 2],
    ] as const) {
      await submit(runtime, mine, "report", { text, repeat });
    }
    const results = mine.events.filter(({ type }) => type === "job.result").map(({ payload }) => payload);
    expect(results.map((payload) => ["result" in payload, "result_artifact" in payload])).toEqual([
      [true, false],
      [false, true],
      [false, true],
    ]);
    expect(results[0]).toMatchObject({ result: "x".repeat(longest) });
  });

  it("is the same frame on every replay, also after a restart, and made into an artifact once", async () => {
    const artifacts = createMemoryArtifacts();
    let puts = 0;
    const counting: Artifacts = { ...artifacts, put: (content) => artifacts.put(content).finally(() => puts++) };
    const store = createMemoryStore();
    let runtime = await start({ artifacts: counting, store });
    const mine = await session(() => runtime);
    await submit(runtime, mine, "report", { text: "small" });
    await submit(runtime, mine, "report", { text: "large ".repeat(40_000), times: 6 });
    const seen = [...mine.stream];
    const point = { ...(mine.point as NonNullable<typeof mine.point>), last_event_seq: 0 };

    mine.point = point;
    mine.stream.length = 0;
    mine.connect();
    await rest(runtime);
    expect(mine.stream).toEqual(seen);

    const image = store.snapshot();
    await runtime.close();
    runtime = await runtime.restartOn(createMemoryStore(image));
    mine.point = { ...(mine.point as NonNullable<typeof mine.point>), last_event_seq: 0 };
    mine.stream.length = 0;
    mine.connect();
    await rest(runtime);
    expect(mine.stream).toEqual(seen);
    expect(puts).toBe(1);
  });

  it("is made once for many sessions that need it at a time, beside one that gets the chunks", async () => {
    const artifacts = createMemoryArtifacts();
    let puts = 0;
    const counting: Artifacts = { ...artifacts, put: (content) => artifacts.put(content).finally(() => puts++) };
    const runtime = await start({ artifacts: counting });
    const full = await session(() => runtime, { features: ALL_FEATURES });
    const others = await Promise.all([1, 2, 3].map(() => session(() => runtime)));
    full.client.send("job.submit", { agent: "puppet" });
    await rest(runtime);
    const job = theOne(full.replies, "job.accepted").payload.job_id;
    for (const { client } of others) client.send("job.subscribe", { job_id: job, history: true });
    await rest(runtime);
    const puppet = runtime.puppet(job);
    const stream = puppet.ctx.streamResult();
    const text = "0123456789".repeat(120_000);
    const written = stream.write(text);
    await rest(runtime);
    await written;
    const ending = stream.end();
    await rest(runtime);
    puppet.finish(await ending);
    await rest(runtime);
    expect(puts).toBe(1);
    const results = others.map(({ events }) => resultOf(events));
    expect(new Set(results.map((result) => JSON.stringify(result))).size).toBe(1);
    expect(results[0]).toMatchObject({ result_artifact: { sha256: digestOf(text) } });
    expect(full.events.filter(({ type }) => type === "job.result")[0]?.payload).toMatchObject({
      result_id: stream.resultId,
      result_size: text.length,
    });
    expect(full.events.length).toBeGreaterThan(10);
  });

  it("holds nothing of an attempt that was lost", async () => {
    const store = createMemoryStore();
    let runtime = await start({ store });
    const mine = await session(() => runtime);
    await submit(runtime, mine, "twice", {});
    const image = store.snapshot();
    await runtime.close();
    runtime = await runtime.restartOn(createMemoryStore(image));
    mine.connect();
    await rest(runtime);
    expect(resultOf(mine.events)).toMatchObject({ result: "attempt 2", result_size: 9 });
  });

  it("comes as soon as its artifact can be stored; the session's other jobs wait, and lose nothing", async () => {
    const artifacts = createMemoryArtifacts();
    let full = true;
    const filling: Artifacts = {
      ...artifacts,
      put: async (content) => {
        if (full) throw new Error("no space left on device");
        return artifacts.put(content);
      },
    };
    const runtime = await start({ artifacts: filling });
    const mine = await session(() => runtime);
    await submit(runtime, mine, "report", { text: "x", repeat: 1_200_000 });
    expect(mine.events.map(({ type }) => type)).not.toContain("job.result");
    full = false;
    await runtime.world.advance(5_000);
    await rest(runtime);
    expect(resultOf(mine.events)).toMatchObject({ result_artifact: { byte_size: 1_200_000 } });
    expect(new Set(runtime.errors.splice(0))).toEqual(new Set(["a session cannot catch up; trying again"]));
  });

  it("leaves an inline result as it is, whatever that says", async () => {
    const runtime = await start();
    const mine = await session(() => runtime);
    const sly = { result_id: "res_x", result_size: 1, text: '","result_id":"res_y"' };
    await submit(runtime, mine, "echo", sly);
    expect(resultOf(mine.events)).toMatchObject({ result: sly });
    await submit(runtime, mine, "echo", '{"result_id":');
    expect(mine.events.at(-1)?.payload).toMatchObject({ result: '{"result_id":' });
  });
});
