/**
 * One ARCP session of the load run. It reads single fields out of frames instead of parsing them, so that a hundred of
 * them can follow a flood from one process, and holds every frame against the laws of the stream: each place of the
 * session, and each entry of the flood's log, once and in order.
 */
import { once } from "node:events";
import { WebSocket } from "ws";
import { numberAfter } from "../../benchmarks/frame-scan.ts";
import { within } from "../kill/within.ts";
import type { Judge } from "../simulation/laws.ts";
import type { Frame } from "../simulation/session-record.ts";

const ANSWER_MS = 60_000;
/** Without `ackLater`, an acknowledgement goes out after this many events. */
const EVENTS_PER_ACK = 32_768;
const FEATURES = ["heartbeat", "ack", "list_jobs", "subscribe", "progress", "result_chunk"];

export interface LoadSessionOptions {
  readonly url: string;
  readonly token: string;
  readonly judge: Judge;
  /** For messages about breaches. */
  readonly name: string;
  /** Named by a session that stops reading for long: without it nobody takes it for dead. */
  readonly withoutHeartbeat?: boolean;
  /** Leaves it to `acknowledge` to say what was received. */
  readonly acknowledgesLater?: boolean;
}

export class LoadSession {
  readonly #options: LoadSessionOptions;
  readonly #waiting = new Map<string, (frame: Frame) => void>();
  #socket: WebSocket | undefined;
  #id: string | undefined;
  #resumeToken = "";
  #requests = 0;
  #acknowledged = 0;
  /** The connection may end: we end it. */
  #leaving = false;
  #terminal = Promise.withResolvers<Frame>();
  #isEnded = false;
  /** Called with the `job_seq` of every event. */
  onEvent: ((jobSeq: number) => void) | undefined;
  /** The place that was received last. */
  eventSeq = 0;
  /** The entry of the flood's log that was received last, or that a subscription begins after. */
  jobSeq = 0;
  /** Frames with an `event_seq` that arrived. */
  received = 0;

  private constructor(options: LoadSessionOptions) {
    this.#options = options;
  }

  /** Resolves at the flood's terminal, in what the last subscription brings. */
  get terminal(): Promise<Frame> {
    return this.#terminal.promise;
  }

  /** Opens a connection and a session on it. @throws Error when either does not come about. */
  static async open(options: LoadSessionOptions): Promise<LoadSession> {
    const session = new LoadSession(options);
    await session.#connect();
    return session;
  }

  /** Submits a job, and follows it. @throws Error when it is refused. */
  async submit(agent: string, input: object): Promise<string> {
    const { payload } = await this.request("job.submit", { agent, input }, "job.accepted");
    return String(payload.job_id);
  }

  /** Follows the flood from after `from`, or from its head on. Resolves at the answer. @throws Error when it is refused. */
  async subscribe(job: string, from?: number): Promise<void> {
    const history = from === undefined ? {} : { history: true, from_job_seq: from };
    await this.request("job.subscribe", { job_id: job, ...history }, "job.subscribed");
  }

  /** Is not answered: the next subscription comes after it. */
  unsubscribe(job: string): void {
    this.#send("job.unsubscribe", { job_id: job });
  }

  /** @returns the round trip in milliseconds. */
  async ping(): Promise<number> {
    const sentAt = performance.now();
    // A pong names the nonce, not the request.
    await this.request("session.ping", { nonce: this.#nextId }, "session.pong");
    return performance.now() - sentAt;
  }

  /** Reads nothing any more, as a client that hangs. */
  pause(): void {
    this.#socket?.pause();
  }

  readOn(): void {
    this.#socket?.resume();
  }

  /** Cuts the connection, as a lost network would, and resumes the session on another one `afterMs` later. */
  async reconnect(pause: () => Promise<void>): Promise<void> {
    this.#cut();
    await pause();
    await this.#connect();
  }

  /** Says that everything up to this place is processed. */
  acknowledge(eventSeq: number): void {
    if (eventSeq <= this.#acknowledged) return;
    this.#acknowledged = eventSeq;
    this.#send("session.ack", { last_processed_seq: eventSeq });
  }

  leave(): void {
    this.#cut();
  }

  /** @throws Error when the answer is none of this type. */
  async request(type: string, payload: object, answer: string): Promise<Frame> {
    const { promise, resolve } = Promise.withResolvers<Frame>();
    this.#waiting.set(this.#send(type, payload), resolve);
    const frame = await within(ANSWER_MS, `${this.#options.name}: ${type} was not answered`, promise);
    if (frame.type !== answer) {
      throw new Error(`${this.#options.name}: ${type} was answered ${JSON.stringify(frame.payload)}`);
    }
    return frame;
  }

  async #connect(): Promise<void> {
    const { url, token, name, judge, withoutHeartbeat } = this.#options;
    const socket = new WebSocket(url, { perMessageDeflate: false, skipUTF8Validation: true });
    this.#socket = socket;
    this.#leaving = false;
    socket.on("message", (data) => this.#take(String(data)));
    socket.on("close", (code, reason) => {
      if (socket === this.#socket && !this.#leaving)
        judge.report("sessions-are-kept", `${name}: the runtime closed the connection: ${code} ${reason}`);
    });
    await within(ANSWER_MS, `${name}: the runtime does not take the connection`, once(socket, "open"));
    const auth = { token };
    const features = withoutHeartbeat ? FEATURES.filter((feature) => feature !== "heartbeat") : FEATURES;
    const resume = { session_id: this.#id, resume_token: this.#resumeToken, last_event_seq: this.eventSeq };
    const { payload } = await this.request(
      "session.hello",
      this.#id === undefined ? { auth, capabilities: { features } } : { auth, resume },
      "session.welcome",
    );
    if (this.#id !== undefined && payload.session_id !== this.#id) {
      judge.report("sessions-are-kept", `${name}: resumed ${this.#id} and got ${payload.session_id}`);
    }
    this.#id = String(payload.session_id);
    this.#resumeToken = String(payload.resume_token);
  }

  #cut(): void {
    this.#leaving = true;
    this.#socket?.removeAllListeners("message").terminate();
  }

  get #nextId(): string {
    return `r${this.#requests + 1}`;
  }

  #send(type: string, payload: object): string {
    const id = this.#nextId;
    this.#requests++;
    this.#socket?.send(JSON.stringify({ arcp: "1.1", id, type, payload }));
    return id;
  }

  #take(text: string): void {
    const eventSeq = numberAfter(text, '"event_seq":');
    if (eventSeq === undefined) return this.#answered(JSON.parse(text) as Frame);
    const { judge, name } = this.#options;
    if (eventSeq !== this.eventSeq + 1) {
      judge.report("no-gap-or-repeat", `${name}: event_seq ${eventSeq} came after ${this.eventSeq}`);
    }
    this.eventSeq = eventSeq;
    this.received++;
    const jobSeq = numberAfter(text, '"job_seq":');
    // What the session alone is told, such as that it lags, has no place on the log.
    if (jobSeq !== undefined) this.#entry(text, jobSeq);
    if (!this.#options.acknowledgesLater && eventSeq - this.#acknowledged >= EVENTS_PER_ACK) this.acknowledge(eventSeq);
  }

  #entry(text: string, jobSeq: number): void {
    const { judge, name } = this.#options;
    if (jobSeq !== this.jobSeq + 1) judge.report("job-order", `${name}: job_seq ${jobSeq} came after ${this.jobSeq}`);
    this.jobSeq = jobSeq;
    this.onEvent?.(jobSeq);
    if (text.includes('"type":"job.event"')) return;
    if (this.#isEnded) judge.report("one-terminal", `${name}: a second terminal came: ${text}`);
    this.#isEnded = true;
    this.#terminal.resolve(JSON.parse(text) as Frame);
  }

  #answered(frame: Frame): void {
    const { type, payload } = frame;
    if (type === "session.ping") {
      this.#send("session.pong", { ping_nonce: payload.nonce });
      return;
    }
    if (type === "job.subscribed") this.#subscribed(Number(payload.subscribed_from));
    const requestId = String(payload.request_id ?? payload.ping_nonce);
    const waiting = this.#waiting.get(requestId);
    this.#waiting.delete(requestId);
    waiting?.(frame);
  }

  /** The log is read anew from after this place. */
  #subscribed(from: number): void {
    this.jobSeq = from;
    if (!this.#isEnded) return;
    this.#isEnded = false;
    this.#terminal = Promise.withResolvers<Frame>();
  }
}
