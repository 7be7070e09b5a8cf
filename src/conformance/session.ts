/** A session of a case with the runtime under test: what a client can do, one request at a time. */
import type { JsonObject } from "../protocol/fields.ts";
import { type Frame, isPlaced, isTerminal, jobOf } from "./frame.ts";
import type { Peer } from "./peer.ts";
import { check, NotReached, prepare } from "./verdict.ts";

/** How long the suite listens, once it has an answer to a later request, before it takes it that nothing comes. */
const QUIET_MS = 60;

export interface JobSeen {
  readonly id: string;
  readonly accepted: Frame;
}

export class Session {
  readonly peer: Peer;
  readonly welcome: Frame;
  readonly id: string;
  readonly resumeToken: string;
  /** The intersection of what was asked for and what the welcome names (§6.2). */
  readonly features: ReadonlySet<string>;
  readonly #pause: (ms: number) => Promise<void>;

  constructor(peer: Peer, welcome: Frame, asked: readonly string[], pause: (ms: number) => Promise<void>) {
    this.peer = peer;
    this.welcome = welcome;
    this.#pause = pause;
    const { payload } = welcome;
    this.id = String(welcome.session_id ?? payload.session_id ?? "");
    this.resumeToken = typeof payload.resume_token === "string" ? payload.resume_token : "";
    const named = featuresOf(welcome);
    this.features = new Set(asked.filter((feature) => named.includes(feature)));
  }

  get frames(): readonly Frame[] {
    return this.peer.frames;
  }

  send(type: string, payload: JsonObject = {}, envelope: JsonObject = {}): string {
    return this.peer.send(type, payload, { session_id: this.id, ...envelope });
  }

  /** Sends a request and returns what answers it: a frame of type `answer`, or a refusal. */
  async ask(type: string, payload: JsonObject, answer: string, envelope: JsonObject = {}): Promise<Frame> {
    const from = this.frames.length;
    const id = this.send(type, payload, envelope);
    return await this.peer.expect(
      `an answer to ${type}`,
      (frame) => frame.type === answer || isRefusalOf(frame, id),
      from,
    );
  }

  /** @throws Unmet unless the request is refused with one of `codes`. Returns the refusal. */
  async refused(
    type: string,
    payload: JsonObject,
    codes: readonly string[],
    envelope: JsonObject = {},
  ): Promise<Frame> {
    const frame = await this.ask(type, payload, ANSWERS[type] ?? "", envelope);
    check(isRefusal(frame), () => `${type} was answered with ${frame.type}, not refused with ${codes.join(" or ")}`);
    const code = String(frame.payload.code);
    check(codes.includes(code), `${type} was refused with ${code}, not with ${codes.join(" or ")}`);
    return frame;
  }

  submit(agent: string, input: unknown, more: JsonObject = {}, envelope: JsonObject = {}): Promise<Frame> {
    return this.ask("job.submit", { agent, input, ...more }, "job.accepted", envelope);
  }

  /** Submits as a preparation. @throws NotReached when the job is not accepted. */
  start(agent: string, input: unknown, more: JsonObject = {}): Promise<JobSeen> {
    return prepare(`submitting ${agent}`, async () => {
      const accepted = await this.submit(agent, input, more);
      if (accepted.type !== "job.accepted") throw new NotReached(`submitting ${agent}: ${shownRefusal(accepted)}`);
      const id = jobOf(accepted);
      if (id === undefined) throw new NotReached("job.accepted names no job");
      return { id, accepted };
    });
  }

  /** Events and terminal of a job, as they came. */
  stream(job: string): readonly Frame[] {
    return this.frames.filter((frame) => isPlaced(frame) && frame.job_id === job);
  }

  /** Everything that has a place in the session's stream. */
  placed(): readonly Frame[] {
    return this.frames.filter(isPlaced);
  }

  /** The job's terminal. @throws Unmet when none comes. */
  terminal(job: string): Promise<Frame> {
    return this.peer.expect(`the end of job ${job}`, (frame) => isTerminal(frame) && jobOf(frame) === job);
  }

  /** Waits for the job's end as a preparation. */
  finish(job: string): Promise<Frame> {
    return prepare("waiting for a job's end", () => this.terminal(job));
  }

  /** Submits, and waits for the end, as a preparation. */
  async run(agent: string, input: unknown, more: JsonObject = {}): Promise<JobSeen> {
    const job = await this.start(agent, input, more);
    await this.finish(job.id);
    return job;
  }

  /** Waits, as a preparation, until `count` events of the job have come. */
  async untilEvents(job: string, count: number): Promise<void> {
    await prepare(`waiting for ${count} events`, () =>
      this.peer.until(`${count} events of job ${job}`, () => (this.stream(job).length >= count ? true : undefined)),
    );
  }

  /** Resolves when what the runtime owed so far has come: it has answered a later request, and then been quiet. */
  async settled(): Promise<void> {
    await prepare("waiting for quiet", async () => {
      if (this.features.has("heartbeat")) await this.ping(`p_${this.frames.length}`);
      await this.#pause(QUIET_MS);
    });
  }

  async ping(nonce: string): Promise<Frame> {
    const from = this.frames.length;
    this.send("session.ping", { nonce, sent_at: "2026-01-01T00:00:00.000Z" });
    return await this.peer.expect("session.pong", (frame) => frame.type === "session.pong", from);
  }

  list(payload: JsonObject = {}): Promise<Frame> {
    return this.ask("session.list_jobs", payload, "session.jobs");
  }

  /** The id is sent in both places: the draft names none (§7.4). */
  cancel(job: string): Promise<Frame> {
    return this.ask("job.cancel", { job_id: job, reason: "conformance" }, "job.cancelled", { job_id: job });
  }

  subscribe(job: string, more: JsonObject = {}): Promise<Frame> {
    return this.ask("job.subscribe", { job_id: job, ...more }, "job.subscribed");
  }

  /** Subscribes as a preparation. */
  follow(job: string, more: JsonObject = {}): Promise<Frame> {
    return prepare("subscribing", async () => {
      const answer = await this.subscribe(job, more);
      if (answer.type !== "job.subscribed") throw new NotReached(`subscribing: ${shownRefusal(answer)}`);
      return answer;
    });
  }
}

const ANSWERS: Readonly<Record<string, string>> = {
  "job.submit": "job.accepted",
  "job.cancel": "job.cancelled",
  "job.subscribe": "job.subscribed",
  "session.list_jobs": "session.jobs",
};

/** A refusal, in either of its forms in the field: `session.error`, or a `job.error` that is no job's terminal. */
export function isRefusal(frame: Frame): boolean {
  return frame.type === "session.error" || (frame.type === "job.error" && !isTerminal(frame));
}

/** One request is under way at a time, so that a refusal without a `request_id` is the answer to it. */
function isRefusalOf(frame: Frame, id: string): boolean {
  const { request_id: requestId } = frame.payload;
  return isRefusal(frame) && (typeof requestId !== "string" || requestId === id);
}

export function shownRefusal({ type, payload }: Frame): string {
  return `${type} ${String(payload.code)}: ${String(payload.message)}`;
}

export function featuresOf(welcome: Frame): readonly string[] {
  const { capabilities } = welcome.payload;
  const features = (capabilities as { features?: unknown } | undefined)?.features;
  return Array.isArray(features) ? features.filter((feature) => typeof feature === "string") : [];
}
