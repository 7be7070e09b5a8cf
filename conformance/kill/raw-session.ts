/** One ARCP session over a raw WebSocket, which outlives every kill of the runtime and keeps a record of its stream. */
import { once } from "node:events";
import { WebSocket } from "ws";
import type { Judge } from "../simulation/laws.ts";
import { type Frame, placeOf, SessionRecord } from "../simulation/session-record.ts";
import { within } from "./within.ts";

const FEATURES = ["heartbeat", "list_jobs", "progress", "result_chunk", "cost.budget"];
const ANSWER_MS = 15_000;

/** A job asked for by key; it has an id once its acceptance has arrived. */
export interface AskedJob {
  readonly key: string;
  readonly agent: string;
  readonly lease?: Readonly<Record<string, readonly string[]>>;
  id?: string;
}

export class RawSession {
  readonly #url: string;
  readonly #token: string;
  readonly #judge: Judge;
  readonly #record: SessionRecord;
  /** Jobs whose terminal has arrived. */
  readonly #ended = new Set<string>();
  readonly #waiting = new Map<string, (frame: Frame) => void>();
  #socket: WebSocket | undefined;
  #id: string | undefined;
  #resumeToken: string | undefined;
  #requests = 0;
  readonly jobs: AskedJob[] = [];
  /** Frames with an `event_seq` that arrived, replayed ones included. */
  events = 0;

  constructor(options: { url: string; token: string; judge: Judge }) {
    this.#url = options.url;
    this.#token = options.token;
    this.#judge = options.judge;
    this.#record = new SessionRecord({
      name: "the session",
      judge: options.judge,
      // Every job is submitted here, and a kill may have taken the acceptance with it.
      unannounced: () => "at-its-beginning",
    });
  }

  get received(): number {
    return this.#record.received;
  }

  get unfinished(): readonly AskedJob[] {
    return this.jobs.filter(({ id }) => id === undefined || !this.#ended.has(id));
  }

  /** Connects; opens the session the first time, and resumes it after `lastEventSeq` from then on. */
  async connect(lastEventSeq: number): Promise<void> {
    const socket = new WebSocket(this.#url);
    this.#socket = socket;
    const place = this.#record.connection(lastEventSeq);
    socket.on("message", (data) => this.#take(String(data), place));
    // A kill ends the connection in many ways; whoever waits for an answer finds that it does not come.
    socket.on("error", () => {});
    await within(ANSWER_MS, "the runtime does not take the connection", once(socket, "open"));
    const auth = { token: this.#token };
    const resume = { session_id: this.#id, resume_token: this.#resumeToken, last_event_seq: lastEventSeq };
    const welcome = await this.request(
      "session.hello",
      this.#id === undefined ? { auth, capabilities: { features: FEATURES } } : { auth, resume },
    );
    if (welcome.type !== "session.welcome") throw new Error(`not welcomed: ${JSON.stringify(welcome)}`);
    if (this.#id !== undefined && welcome.payload.session_id !== this.#id) {
      this.#judge.report("sessions-are-kept", `resumed ${this.#id} and got ${welcome.payload.session_id}`);
    }
    this.#id = String(welcome.payload.session_id);
    this.#resumeToken = String(welcome.payload.resume_token);
  }

  /** Forgets the connection, whose runtime is gone. */
  disconnect(): void {
    this.#socket?.removeAllListeners("message").terminate();
    this.#waiting.clear();
  }

  /** Submits without waiting: the runtime may be killed before it answers. */
  submit(job: AskedJob): void {
    if (!this.jobs.includes(job)) this.jobs.push(job);
    const { agent, key, lease } = job;
    const asked = { agent, input: {}, idempotency_key: key, ...(lease && { lease_request: lease }) };
    const id = this.#send("job.submit", asked);
    this.#waiting.set(id, ({ type, payload }) => {
      if (type !== "job.accepted")
        return this.#judge.report("refusals-have-causes", `${job.key}: ${JSON.stringify(payload)}`);
      const accepted = String(payload.job_id);
      if (job.id !== undefined && job.id !== accepted) {
        this.#judge.report("one-job-per-key", `${job.key} gave ${job.id}, then ${accepted}`);
      }
      job.id = accepted;
    });
  }

  async request(type: string, payload: object): Promise<Frame> {
    const { promise, resolve } = Promise.withResolvers<Frame>();
    this.#waiting.set(this.#send(type, payload), resolve);
    return within(ANSWER_MS, `${type} was not answered`, promise);
  }

  #send(type: string, payload: object): string {
    const id = `r${++this.#requests}`;
    this.#socket?.send(JSON.stringify({ arcp: "1.1", id, type, payload }));
    return id;
  }

  #take(text: string, place: ReturnType<SessionRecord["connection"]>): void {
    const frame = JSON.parse(text) as Frame;
    const placed = placeOf(frame, text);
    if (placed !== undefined) {
      this.events++;
      place(placed);
      if (placed.terminal) this.#ended.add(placed.job);
      return;
    }
    const { request_id: requestId } = frame.payload;
    if (frame.type === "session.ping") this.#send("session.pong", { ping_nonce: frame.payload.nonce });
    if (typeof requestId !== "string") return;
    const answered = this.#waiting.get(requestId);
    this.#waiting.delete(requestId);
    answered?.(frame);
  }
}
