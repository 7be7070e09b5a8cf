/**
 * What a client does with a real runtime, from connecting to closing, with everything that may come in between. Runs
 * wherever `leasehold/client` does: in a browser's page, bundled, and in Node. A scenario that fails throws.
 */
import { type ConnectOptions, connect, type Job, type JobEvent, type Session } from "leasehold/client";
import type { agents } from "./agents.ts";

/** Where a scenario takes place; all of it can be handed into a page. */
export interface Stage {
  readonly url: string;
  readonly token: string;
  /** Ends every connection without a word. */
  cut(): Promise<void>;
  /** While unreachable, connections are cut and no other can be made. */
  setReachable(reachable: boolean): Promise<void>;
  /** Starts the runtime anew on its data. */
  restart(): Promise<void>;
}

type Agents = typeof agents;

/** Enough to be in the middle of when something happens. */
const MANY = 300;
/** Longer than the stage's resume window. */
const AWAY_MS = 1_500;

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

function open(stage: Stage, options: Pick<ConnectOptions, "features"> = {}): Promise<Session<Agents>> {
  const reconnect = { firstDelayMs: 20, maxDelayMs: 200 };
  return connect<Agents>(stage.url, { token: stage.token, reconnect, ...options });
}

function expectEqual(actual: unknown, expected: unknown, what: string): void {
  const [shown, wanted] = [JSON.stringify(actual), JSON.stringify(expected)];
  if (shown !== wanted) throw new Error(`${what}: expected ${wanted}, got ${shown}`);
}

/** The code of what `promise` rejects with. */
async function codeOf(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise;
  } catch (error) {
    return (error as { code?: unknown }).code ?? error;
  }
  throw new Error("it was expected to fail");
}

const lineOf = (event: JobEvent): string[] => (event.kind === "log" ? [event.body.message] : []);

/** Reads a counting job to its end, and has `meanwhile` happen once it has got some way. */
async function readThrough(job: Job, meanwhile: () => Promise<void>): Promise<JobEvent[]> {
  const events: JobEvent[] = [];
  let happening: Promise<void> | undefined;
  for await (const event of job.events()) {
    events.push(event);
    if (events.length === MANY / 10) happening = meanwhile();
  }
  await happening;
  expectEqual(happening !== undefined, true, "something happened meanwhile");
  expectEqual(
    events.map(({ jobSeq }) => jobSeq),
    events.map((_, index) => index + 1),
    "positions, without a gap or a repeat",
  );
  return events;
}

const upTo = (last: number): string[] => Array.from({ length: last }, (_, index) => String(index + 1));

async function followsJob(stage: Stage): Promise<void> {
  await using session = await open(stage);
  const job = await session.submit("counting", { to: 3, pauseMs: 0 }, { lease: { "fs.read": ["/workspace/**"] } });
  expectEqual(job.lease, { "fs.read": ["/workspace/**"] }, "the lease");
  const lines: string[] = [];
  for await (const event of job.events()) lines.push(...lineOf(event));
  expectEqual(lines, ["1", "2", "3"], "the log");
  expectEqual(await job.result(), { counted: 3, attempt: 1 }, "the result");
  expectEqual([job.agent, job.status], ["counting@1.0.0", "success"], "agent and status");
  const failed = await session.submit("failing", null);
  expectEqual(await codeOf(failed.result()), "PERMISSION_DENIED", "a job that fails");
  expectEqual(await codeOf(session.submit("nobody" as "failing", null)), "AGENT_NOT_AVAILABLE", "an unknown agent");
}

async function readsStreams(stage: Stage): Promise<void> {
  await using session = await open(stage);
  const text = await session.submit("writing", { chunks: MANY });
  let streamed = "";
  for await (const part of text.resultStream()) streamed += part;
  const again = await session.submit("writing", { chunks: MANY });
  expectEqual(streamed, await again.result(), "streamed and whole");
  expectEqual(streamed.split("\n").length, MANY + 1, "lines");
  const bytes = await (await session.submit("bytes", null)).result();
  expectEqual(
    bytes instanceof Uint8Array && [...bytes],
    Array.from({ length: 256 }, (_, byte) => byte),
    "bytes",
  );
}

async function resumesAfterDrops(stage: Stage): Promise<void> {
  await using session = await open(stage);
  const { id } = session;
  const job = await session.submit("counting", { to: MANY, pauseMs: 2 });
  const events = await readThrough(job, async () => {
    for (let time = 0; time < 3; time++) {
      await stage.cut();
      await pause(100);
    }
  });
  expectEqual(events.flatMap(lineOf), upTo(MANY), "the log");
  expectEqual(session.id, id, "the session");
}

async function survivesItsSession(stage: Stage): Promise<void> {
  await using another = await open(stage);
  // With acknowledgements, what was not acknowledged is kept beyond the window (§6.5). Without the control feature, only the
  // job's key gives another session the right to cancel.
  const features = another.features.filter((feature) => feature !== "ack" && feature !== "x-leasehold.control");
  await using session = await open(stage, { features });
  const endless = await session.submit("waiting", null);
  const submitted = await session.submit("counting", { to: 2_000, pauseMs: 2 });
  const { id } = session;
  // A window is no deadline: the session may be kept a little longer, and then is resumed.
  const leave = async (): Promise<void> => {
    for (let time = 1; session.id === id && time < 10; time++) {
      await stage.setReachable(false);
      await pause(AWAY_MS * time);
      await stage.setReachable(true);
      await session.jobs().page();
    }
  };
  const events = await readThrough(submitted, leave);
  expectEqual(session.id === id, false, "another session took its place");
  expectEqual(events.flatMap(lineOf), upTo(2_000), "the log");
  expectEqual(await submitted.result(), { counted: 2_000, attempt: 1 }, "the result");
  await endless.cancel();
  expectEqual(await codeOf(endless.result()), "CANCELLED", "the other job");
}

async function survivesRestart(stage: Stage): Promise<void> {
  await using session = await open(stage);
  const job = await session.submit("counting", { to: MANY, pauseMs: 2 });
  const events = await readThrough(job, () => stage.restart());
  expectEqual(events.flatMap(lineOf).slice(-MANY), upTo(MANY), "the log of the last attempt");
  expectEqual(await job.result(), { counted: MANY, attempt: 2 }, "the result");
}

async function followsJobOfAnother(stage: Stage): Promise<void> {
  await using owner = await open(stage);
  await using watcher = await open(stage);
  const createdAfter = new Date(Date.now() - 1_000);
  const job = await owner.submit("counting", { to: MANY, pauseMs: 2 });
  const listed: string[] = [];
  for await (const { id } of watcher.jobs({ agent: "counting", createdAfter, pageSize: 1 })) listed.push(id);
  expectEqual(listed[0], job.id, "the newest job");
  const watched = await watcher.subscribe(job.id, { history: true });
  const events = await readThrough(watched, () => stage.cut());
  expectEqual(events.flatMap(lineOf), upTo(MANY), "the log");
  const endless = await owner.submit("waiting", null);
  const seen = await watcher.subscribe(endless.id, { history: true });
  await seen.events().next();
  await seen.cancel("seen enough");
  expectEqual(await codeOf(endless.result()), "CANCELLED", "the owner's job");
  const left = await watcher.subscribe((await owner.submit("waiting", null)).id);
  left.unsubscribe();
  expectEqual(await codeOf(left.result()), "UNSUBSCRIBED", "a job that was left");
}

async function aborts(stage: Stage): Promise<void> {
  await using session = await open(stage);
  const job = await session.submit("waiting", null);
  const controller = new AbortController();
  const { signal } = controller;
  const readAll = async (): Promise<void> => {
    for await (const event of job.events({ signal })) void event;
  };
  await stage.setReachable(false);
  const calls = [
    job.result({ signal }),
    job.resultStream({ signal }).next(),
    readAll(),
    session.submit("waiting", null, { signal }),
    session.jobs({}, { signal }).page(),
    session.subscribe("job_elsewhere", { signal }),
    job.cancel("why", { signal }),
    connect(stage.url, { token: stage.token, signal: AbortSignal.abort("enough") }),
  ];
  const codes = Promise.all(calls.map(codeOf));
  await pause(50);
  controller.abort("enough");
  expectEqual(await codes, Array(calls.length).fill("enough"), "what the calls reject with");
  await stage.setReachable(true);
  await job.cancel();
  expectEqual(await codeOf(job.result()), "CANCELLED", "the job, which no abort harmed");
}

async function closes(stage: Stage): Promise<void> {
  const session = await open(stage);
  const job = await session.submit("waiting", null);
  const result = job.result();
  await session.close();
  expectEqual(await codeOf(result), "SESSION_CLOSED", "what waited");
  await using another = await open(stage);
  const found = await another.subscribe(job.id);
  expectEqual(found.status, "running", "the job");
  await found.cancel();
  const refused = connect(stage.url, { token: "not the token" });
  expectEqual(await codeOf(refused), "UNAUTHENTICATED", "a wrong token");
}

export const SCENARIOS: Readonly<Record<string, (stage: Stage) => Promise<void>>> = {
  "submits a job, and gets its events and result": followsJob,
  "reads streamed results, text and bytes": readsStreams,
  "resumes after its connection was cut": resumesAfterDrops,
  "goes on in another session when its own is gone": survivesItsSession,
  "goes on when the runtime restarts": survivesRestart,
  "lists, follows and cancels jobs of another session": followsJobOfAnother,
  "gives up what is aborted, and nothing else": aborts,
  "closes, and leaves its jobs running": closes,
};
