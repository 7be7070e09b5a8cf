/**
 * `kill -9` under artifacts and sessions whose clients were away, and a downtime that is longer than their windows. And a
 * second process on a directory whose first one is alive.
 */
import { fileURLToPath } from "node:url";
import { connect, type JobEvent } from "leasehold/client";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Command, createPlace, jsonLines, LEASEHOLD, type Place, within } from "./test-place.ts";

const RUNTIME = fileURLToPath(new URL("./windowless-runtime.ts", import.meta.url));
const [NODE = "", CONDITION = ""] = LEASEHOLD;
const LINES = 300;
const CONTENT = "content of an artifact, é\n".repeat(5_000);
const WITHOUT_ACK = ["heartbeat", "list_jobs", "subscribe", "progress", "result_chunk"];

let place: Place;
let token: string;
beforeEach(async () => {
  place = await createPlace();
  token = (await place.run(["token", "create", "ada"])).stdout.trim();
});
afterEach(() => place[Symbol.asyncDispose]());

function spawnRuntime(port = "0"): Command {
  return place.spawn(NODE, [CONDITION, RUNTIME, place.path(".leasehold"), port]);
}

async function start(port?: string): Promise<Command & { readonly url: string }> {
  const command = spawnRuntime(port);
  const { url } = await command.until("its url", (stdout) => jsonLines(stdout)[0]);
  return { ...command, url: String(url) };
}

/** A client's line to the runtime, which can be cut and kept from being made again. */
class Line {
  #socket: WebSocket | undefined;
  #isCut = false;

  readonly open = (url: string): WebSocket => {
    if (this.#isCut) throw new Error("the line is cut");
    this.#socket = new WebSocket(url);
    return this.#socket;
  };

  cut(): void {
    this.#isCut = true;
    this.#socket?.close();
  }

  mend(): void {
    this.#isCut = false;
  }
}

describe("kill -9 while a client is away, and a downtime longer than its session's window", () => {
  it.each([
    ["is resumed, for it owes events [reading-resume-window]", undefined],
    ["is over without `ack`, and another one goes on where its jobs had got to", WITHOUT_ACK],
  ])("lose no event and no artifact; the session %s", async (_, features) => {
    const first = await start();
    const line = new Line();
    const reconnect = { firstDelayMs: 50, maxDelayMs: 50, maxAttempts: 10_000 };
    const options = { token, reconnect, webSocket: line.open, ...(features && { features }) };
    await using session = await connect(first.url, options);
    const sessionBefore = session.id;
    const job = await session.submit("recorder", { until: place.path("done"), content: CONTENT, lines: LINES });
    const events: JobEvent[] = [];
    const waits = Promise.withResolvers<void>();
    const read = (async () => {
      for await (const event of job.events()) {
        events.push(event);
        if (event.kind === "status" && event.body.phase === "waiting") waits.resolve();
      }
    })();
    await within(Promise.race([waits.promise, job.result()]), () => "the agent to wait");

    line.cut();
    first.child.kill("SIGKILL");
    await first.ended();
    const second = await start(new URL(first.url).port);
    // Whoever comes now finds the runtime through with what an earlier run left.
    await using other = await connect(second.url, { token });
    expect((await other.jobs().page()).jobs.map(({ id }) => id)).toEqual([job.id]);
    line.mend();
    await place.write("done", "");

    const result = (await within(job.result(), () => "the result")) as { attempt: number; uri: string };
    await read;
    expect(result.attempt).toBe(2);
    expect(session.id === sessionBefore).toBe(features === undefined);
    expect(events.map(({ jobSeq }) => jobSeq)).toEqual(events.map((_event, index) => index + 1));
    // Both attempts' lines, the artifact once.
    expect(events.filter(({ kind }) => kind === "log")).toHaveLength(2 * LINES);
    expect(events.filter(({ kind }) => kind === "artifact_ref")).toHaveLength(1);

    const api = new URL(result.uri, second.url.replace(/^ws/, "http"));
    const answer = await fetch(api, { headers: { authorization: `Bearer ${token}` } });
    expect({ status: answer.status, text: await answer.text() }).toEqual({ status: 200, text: CONTENT });
  });
});

it("a second process on the directory names the first, and leaves its jobs alone", async () => {
  const first = await start();
  await using session = await connect(first.url, { token });
  const job = await session.submit("recorder", { until: place.path("done"), content: CONTENT, lines: LINES });
  const second = await spawnRuntime().ended();
  expect(second.code).not.toBe(0);
  expect(second.stderr).toContain(`in use by process ${first.pid}`);
  await place.write("done", "");
  expect(await job.result()).toMatchObject({ attempt: 1 });
  expect(first.child.exitCode).toBeNull();
});
