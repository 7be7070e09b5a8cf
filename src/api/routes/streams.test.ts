import { once } from "node:events";
import { request as httpRequest, type IncomingMessage } from "node:http";
import { createInterface } from "node:readline";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import type { JobHost } from "../../kernel/agents-port.ts";
import { anAgent, deaf, echo, say } from "../../kernel/test-kernel.ts";
import { AUTHENTICATE_AGAIN_MS } from "../followers.ts";
import { FEED_INTERVAL_MS } from "../job-feed.ts";
import { MAX_LONG_ANSWERS, STALLED_READER_MS } from "../long-answers.ts";
import { BLANK_LINE_EVERY_MS } from "../ndjson.ts";
import { createTestApi, type TestApi } from "../test-api.ts";

/** What sockets do takes as long as it takes. */
const until = <Result>(check: () => Result | Promise<Result>) => vi.waitFor(check, { timeout: 30_000 });

/** Says as many things as its input tells, and ends. */
const talker = anAgent("talker", async (host: JobHost, input) => {
  for (let index = 1; index <= Number(input); index++) await say(host, `line ${index}`);
  host.append("progress", "progress", '{"current":1,"total":1}');
  return { result: "null" };
});

/** Each job of it is moved by the test. */
function puppets() {
  const hosts: JobHost[] = [];
  const agent = anAgent("puppet", (host) => {
    hosts.push(host);
    return new Promise((resolve) => host.signal.addEventListener("abort", () => resolve({})));
  });
  return { hosts, agent };
}

/** Of 10 kB each: more than what sockets hold between two processes. */
const LONG_LINES = 4_000;

/** Until it is authenticated again, until the next blank line, and until it is given up. */
const WAITED_FOR_TIMERS = 3;

interface Reader {
  readonly response: IncomingMessage;
  // biome-ignore lint/suspicious/noExplicitAny: tests look at what they expect to be there.
  readonly lines: any[];
  readonly blanks: () => number;
  readonly ended: Promise<unknown>;
  leave(): void;
}

/** Reads lines over a real socket, until they end or the test leaves. */
async function read(url: string, path: string, token = "me"): Promise<Reader> {
  const request = httpRequest(`${url}${path}`, { headers: { authorization: `Bearer ${token}` }, agent: false });
  request.on("error", () => {});
  request.end();
  const [response] = (await once(request, "response")) as [IncomingMessage];
  response.on("error", () => {});
  const ended = new Promise((resolve) => response.once("close", resolve));
  const lines: unknown[] = [];
  let blanks = 0;
  const reading = createInterface({ input: response, crlfDelay: Number.POSITIVE_INFINITY });
  // It is the reader that leaves: what that looks like to itself is no matter.
  reading.on("error", () => {});
  reading.on("line", (line) => {
    if (line === "") blanks++;
    else lines.push(JSON.parse(line));
  });
  onTestFinished(() => void request.destroy());
  return { response, lines, blanks: () => blanks, ended, leave: () => request.destroy() };
}

describe("GET /api/jobs/{job_id}/events", () => {
  it("gives the log as it is, and the terminal last", async () => {
    const { call, run } = await createTestApi({ agents: [talker] });
    const job = await run("talker", { input: 3 });
    const { status, headers, lines } = await call(`/api/jobs/${job}/events`);
    expect([status, headers["content-type"]]).toEqual([200, "application/x-ndjson; charset=utf-8"]);
    expect(lines.map(({ type, job_id, payload }) => [type, job_id, payload.kind, payload.job_seq])).toEqual([
      ["job.event", job, "log", 1],
      ["job.event", job, "log", 2],
      ["job.event", job, "log", 3],
      ["job.event", job, "progress", 4],
      ["job.result", job, undefined, 5],
    ]);
    expect(lines[0].payload.body).toEqual({ level: "info", message: "line 1" });
  });

  it("begins after a place, ends after a number of lines, and tells only of the kinds asked for", async () => {
    const { call, run } = await createTestApi({ agents: [talker] });
    const job = await run("talker", { input: 3 });
    const seqs = async (query: string) =>
      (await call(`/api/jobs/${job}/events?${query}`)).lines.map(({ payload }) => payload.job_seq);
    expect(await seqs("after=3")).toEqual([4, 5]);
    expect(await seqs("after=5")).toEqual([]);
    expect(await seqs("after=5&follow=1")).toEqual([]);
    expect(await seqs("after=1&limit=2")).toEqual([2, 3]);
    expect(await seqs("kinds=progress")).toEqual([4, 5]);
    expect(await seqs("kinds=progress,log&limit=4&follow=true")).toEqual([1, 2, 3, 4]);
    for (const [query, field] of [
      ["after=6", "query.after"],
      ["kinds=progress,nonsense", "query.kinds"],
      ["kinds=result", "query.kinds"],
      ["limit=0", "query.limit"],
      ["after=-1", "query.after"],
    ]) {
      expect(await call(`/api/jobs/${job}/events?${query}`), query).toMatchObject({
        status: 400,
        json: { error: { details: { field } } },
      });
    }
  });

  it("[law-no-gap-or-repeat] gives a long log whole, over a socket, while the job goes on: no gap, no repeat", async () => {
    const api = await createTestApi({ agents: [talker] });
    const { url } = await api.listen();
    const job = await api.submit("talker", { input: 20_000 });
    const readers = await Promise.all([1, 2, 3].map(() => read(url, `/api/jobs/${job}/events?follow=1`)));
    for (const { lines, ended } of readers) {
      await ended;
      expect(lines.map(({ payload }) => payload.job_seq)).toEqual(Array.from({ length: 20_002 }, (_, at) => at + 1));
      expect(lines.at(-1).type).toBe("job.result");
    }
  });

  it("breaks silence by blank lines", async () => {
    const api = await createTestApi({ agents: [deaf] });
    const { url } = await api.listen();
    const job = await api.submit("deaf");
    const { blanks, lines } = await read(url, `/api/jobs/${job}/events?follow=1`);
    for (let passed = 1; passed <= 3; passed++) {
      await api.world.advance(BLANK_LINE_EVERY_MS);
      await until(() => expect(blanks()).toBe(passed));
    }
    expect(lines).toEqual([]);
  });

  it("ends when the token is revoked, and says why", async () => {
    const api = await createTestApi({ agents: [deaf] });
    const { url } = await api.listen();
    const job = await api.submit("deaf");
    const mine = await read(url, `/api/jobs/${job}/events?follow=1`);
    const boss = await read(url, `/api/jobs/${job}/events?follow=1`, "boss");
    api.revoked.add("me");
    await api.world.advance(AUTHENTICATE_AGAIN_MS);
    await mine.ended;
    expect(mine.lines).toEqual([
      {
        type: "error",
        error: {
          code: "UNAUTHENTICATED",
          message: expect.any(String),
          retryable: false,
          request_id: expect.any(String),
        },
      },
    ]);
    expect(boss.lines).toEqual([]);
    expect(boss.response.closed).toBe(false);
  });

  it("ends when the job was removed under it", async () => {
    const api = await createTestApi({ agents: [deaf] });
    const { url } = await api.listen();
    const job = await api.submit("deaf");
    const { lines, ended } = await read(url, `/api/jobs/${job}/events?follow=1`);
    api.kernel.readJob = async () => undefined;
    await api.world.advance(AUTHENTICATE_AGAIN_MS);
    await ended;
    expect(lines).toMatchObject([{ type: "error", error: { code: "PERMISSION_DENIED" } }]);
  });

  it("ends when the runtime shuts down, and says that it may be read on", async () => {
    const api = await createTestApi({ agents: [deaf] });
    const { url, close } = await api.listen();
    const job = await api.submit("deaf");
    const { lines, ended } = await read(url, `/api/jobs/${job}/events?follow=1`);
    close();
    await ended;
    expect(lines).toMatchObject([{ type: "error", error: { code: "INTERNAL_ERROR", retryable: true } }]);
    expect((await fetch(`${url}/api/health`)).status).toBe(503);
  });

  it("is open so often for each principal, until readers leave", async () => {
    const api = await createTestApi({ agents: [deaf] });
    const { url } = await api.listen();
    const job = await api.submit("deaf");
    const path = `/api/jobs/${job}/events?follow=1`;
    const readers = await Promise.all(Array.from({ length: MAX_LONG_ANSWERS }, () => read(url, path)));
    const open = async (token: string): Promise<number | undefined> => {
      const { response, leave } = await read(url, path, token);
      leave();
      return response.statusCode;
    };
    expect(await open("me")).toBe(429);
    expect(await open("boss")).toBe(200);
    readers[0]?.leave();
    await until(async () => expect(await open("me")).toBe(200));
  });

  it("is over when the reader has left before it began", async () => {
    const api = await createTestApi({ agents: [deaf] });
    const { url } = await api.listen();
    const job = await api.submit("deaf");
    const { readHeads } = api.kernel;
    const reached = Promise.withResolvers<void>();
    const left = Promise.withResolvers<void>();
    api.kernel.readHeads = async (jobs) => {
      reached.resolve();
      await left.promise;
      return readHeads.call(api.kernel, jobs);
    };
    const request = httpRequest(`${url}/api/jobs/${job}/events?follow=1`, { headers: { authorization: "Bearer me" } });
    request.on("error", () => {});
    request.end();
    await reached.promise;
    request.destroy();
    const headers = { authorization: "Bearer boss" };
    // By then the server has heard of it.
    for (let asked = 0; asked < 3; asked++) await fetch(`${url}/api/health`, { headers });
    left.resolve();
    await until(async () =>
      expect(await (await fetch(`${url}/api/health`, { headers })).json()).toMatchObject({ readers: 0 }),
    );
    expect(api.world.pendingTimers).toBe(0);
  });

  it("waits for a reader that does not read, holds nothing for it, and gives it up in the end", async () => {
    const long = anAgent("long", async (host: JobHost) => {
      for (let index = 0; index < LONG_LINES; index++) await say(host, "x".repeat(10_000));
      return {};
    });
    const api = await createTestApi({ agents: [long] });
    const { url } = await api.listen();
    const job = await api.run("long");
    let reads = 0;
    const { readChunks } = api.kernel;
    api.kernel.readChunks = (query) => {
      reads++;
      return readChunks.call(api.kernel, query);
    };
    const open = async (): Promise<IncomingMessage> => {
      const request = httpRequest(`${url}/api/jobs/${job}/events`, { headers: { authorization: "Bearer me" } });
      request.end();
      const [response] = (await once(request, "response")) as [IncomingMessage];
      onTestFinished(() => void request.destroy());
      return response;
    };
    /** The reading stands still, and the reader is being waited for. */
    const standStill = async (): Promise<void> => {
      let before = -1;
      await until(() => {
        const still = reads === before && api.world.pendingTimers === WAITED_FOR_TIMERS;
        before = reads;
        expect(still).toBe(true);
      });
    };
    const slow = await open();
    await standStill();
    expect(reads).toBeLessThan(LONG_LINES / 100 / 2);
    let lines = 0;
    for await (const piece of slow) lines += (piece as Buffer).toString().split("\n").length - 1;
    expect(lines).toBe(LONG_LINES + 1);

    const stuck = await open();
    const gone = once(stuck, "error");
    await standStill();
    await api.world.advance(STALLED_READER_MS);
    stuck.resume();
    await gone;
  });
});

describe("GET /api/feed", () => {
  const kinds = ({ lines }: Reader) =>
    lines.map(({ type, job }) => (job === undefined ? type : `${type} ${job.status}`));

  async function feedOf(api: TestApi, token = "me") {
    const { url } = await api.listen();
    const reader = await read(url, "/api/feed", token);
    await until(() => expect(reader.lines).toEqual([{ type: "feed.opened" }]));
    // The first pause, so that what happens next is told at once.
    await api.world.advance(FEED_INTERVAL_MS);
    return reader;
  }

  it("tells of a job as it is accepted, tells of progress, and ends", async () => {
    const { hosts, agent } = puppets();
    const api = await createTestApi({ agents: [agent] });
    const reader = await feedOf(api);
    const job = await api.submit("puppet");
    await until(() => expect(kinds(reader)).toEqual(["feed.opened", "job.accepted running"]));
    await until(() => expect(hosts).toHaveLength(1));
    for (const current of [1, 2, 3]) hosts[0]?.append("progress", "progress", `{"current":${current}}`);
    await hosts[0]?.flush();
    await api.world.advance(FEED_INTERVAL_MS);
    await until(() => expect(reader.lines).toHaveLength(3));
    expect(reader.lines[2]).toMatchObject({
      type: "job.progress",
      job: { job_id: job, progress: { current: 3, job_seq: 3 } },
    });
    await api.call(`/api/jobs/${job}:cancel`, { method: "POST" });
    await api.world.advance(FEED_INTERVAL_MS);
    await until(() => expect(reader.lines).toHaveLength(4));
    expect(reader.lines[3]).toMatchObject({
      type: "job.ended",
      job: { job_id: job, status: "cancelled", error: { code: "CANCELLED" } },
    });
  });

  it("tells what remains of a budget, to the last digit, with whatever else happens", async () => {
    const { hosts, agent } = puppets();
    const api = await createTestApi({ agents: [agent] });
    const reader = await feedOf(api);
    const lease_request = { "cost.budget": ["USD:1", "credits:100000000000000000000.5"] };
    await api.submit("puppet", { lease_request });
    await until(() => expect(hosts).toHaveLength(1));
    await until(() => expect(kinds(reader)).toEqual(["feed.opened", "job.accepted running"]));
    const told = 2;
    hosts[0]?.report({ name: "cost.model", value: "0.25", unit: "USD" });
    hosts[0]?.report({ name: "cost.model", value: "0.25", unit: "credits" });
    await hosts[0]?.flush();
    await api.world.advance(FEED_INTERVAL_MS);
    await until(() => expect(reader.lines).toHaveLength(told + 1));
    expect(reader.lines[told]).toMatchObject({
      type: "job.budget",
      job: { budget: { USD: { remaining: "0.75" }, credits: { remaining: "100000000000000000000.25" } } },
    });
    hosts[0]?.report({ name: "cost.model", value: 1, unit: "USD" });
    hosts[0]?.append("progress", "progress", '{"current":1}');
    await hosts[0]?.flush();
    await api.world.advance(FEED_INTERVAL_MS);
    await until(() => expect(reader.lines).toHaveLength(told + 2));
    expect(reader.lines[told + 1]).toMatchObject({
      type: "job.progress",
      job: { progress: { current: 1 }, budget: { USD: { remaining: "-0.25" } } },
    });
  });

  it("tells of several changes at once as one, with the job as it is by then", async () => {
    const api = await createTestApi({ agents: [echo] });
    const reader = await feedOf(api);
    await api.run("echo");
    const told = reader.lines.length;
    const jobs = [await api.run("echo"), await api.run("echo")];
    await api.world.advance(FEED_INTERVAL_MS);
    await until(() => expect(reader.lines.length).toBeGreaterThanOrEqual(told + 2));
    expect(reader.lines.slice(-2)).toMatchObject(
      jobs.map((job) => ({ type: "job.ended", job: { job_id: job, status: "success" } })),
    );
  });

  it("[law-principals-apart] tells of no job that the reader may not see", async () => {
    const api = await createTestApi({ agents: [echo] });
    const [mine, boss, stranger] = [await feedOf(api), await feedOf(api, "boss"), await feedOf(api, "stranger")];
    const job = await api.run("echo", {}, "you");
    const own = await api.run("echo");
    await api.world.advance(FEED_INTERVAL_MS);
    await until(() => expect(JSON.stringify(boss.lines)).toContain(own));
    await until(() => expect(JSON.stringify(mine.lines)).toContain(own));
    expect(JSON.stringify(boss.lines)).toContain(job);
    expect(JSON.stringify(mine.lines)).not.toContain(job);
    expect(stranger.lines).toEqual([{ type: "feed.opened" }]);
  });

  it("leaves nothing behind when its reader leaves", async () => {
    const api = await createTestApi({ agents: [echo] });
    const { url } = await api.listen();
    const listening = new Set<string>();
    const { on } = api.kernel;
    api.kernel.on = (name, listener) => {
      const stop = on.call(api.kernel, name, listener as never);
      listening.add(name);
      return () => {
        listening.delete(name);
        stop();
      };
    };
    const health = async () =>
      (await (await fetch(`${url}/api/health`, { headers: { authorization: "Bearer me" } })).json()).readers;
    const reader = await read(url, "/api/feed");
    await until(() => expect(reader.lines).toHaveLength(1));
    expect([await health(), listening.size]).toEqual([1, 5]);
    reader.leave();
    await until(async () => expect([await health(), listening.size]).toEqual([0, 0]));
    expect(api.world.pendingTimers).toBe(0);
  });
});
