/**
 * An ARCP client made by hand: it writes frames as text and scans what comes back, so that it stays cheap beside the
 * server. It really checks the stream: no gap, no repeat, exactly one terminal for each job. Any breach fails
 * everything that is being awaited.
 */
import { acceptedRequestOf, eventSeqOf, isJobEvent, jobIdOf } from "./frame-scan.ts";
import { type FrameSocket, openFrameSocket } from "./frame-socket.ts";
import { StreamCheck, type StreamTally } from "./stream-check.ts";
import { Deadlines, REPLY_TIMEOUT_MS, STREAM_TIMEOUT_MS } from "./within.ts";

/** All features of the draft that a submitting client uses (§6.2). */
const FEATURES = [
  "heartbeat",
  "ack",
  "list_jobs",
  "subscribe",
  "lease_expires_at",
  "cost.budget",
  "model.use",
  "progress",
  "result_chunk",
  "agent_versions",
];
/** An acknowledgement goes out after this many events: a few times a second at full speed (§6.5). */
const EVENTS_PER_ACK = 32_768;
/** One of this many scanned frames is parsed in full, and must agree with the scan. */
const FRAMES_PER_PARSE = 1024;
/** Id of the first frame on a connection; a welcome answers it, whether it says so or not. */
const HANDSHAKE_ID = "msg_bench_handshake";

interface Envelope {
  readonly type: string;
  readonly id?: string;
  readonly session_id?: string;
  readonly job_id?: string;
  readonly event_seq?: number;
  readonly payload: Readonly<Record<string, unknown>>;
}

/** How a job ended, as its terminal message told it. */
export class Terminal {
  /** `performance.now()` at its arrival. */
  readonly arrivedAt = performance.now();
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  get type(): "job.result" | "job.error" {
    return this.#text.includes('"type":"job.result"') ? "job.result" : "job.error";
  }

  /** Parsed when it is asked for: most of what is run is only waited for. */
  get payload(): Readonly<Record<string, unknown>> {
    return (JSON.parse(this.#text) as Envelope).payload;
  }
}

export interface SubmittedJob {
  readonly id: string;
  /** Resolves at the job's terminal, whichever it is. */
  readonly terminal: Promise<Terminal>;
}

/** What a client needs to take its session up again on a new connection (§6.3). */
export interface Resumption {
  readonly sessionId: string;
  readonly resumeToken: string;
  readonly lastEventSeq: number;
  /** Jobs whose terminal has not arrived. */
  readonly openJobs: readonly string[];
}

export interface Target {
  /** `ws://host:port/arcp` */
  readonly url: string;
  readonly token: string;
}

export class RawClient {
  /** Called with the text of every `job.event`, after it was checked. */
  onEvent: ((frame: string) => void) | undefined;

  /** The jobs that were open when the session was dropped. */
  readonly resumedJobs: readonly SubmittedJob[];
  /** `performance.now()` at the arrival of the welcome. */
  welcomedAt = 0;

  readonly #stream: StreamCheck;
  /** Of replies by the id of the request, and of terminals that are waited for by the job's id. */
  readonly #deadlines = new Deadlines();
  /** Replies being awaited, by the id of the request. */
  readonly #replies = new Map<string, PromiseWithResolvers<Envelope>>();
  /** Acceptances being awaited, by the id of the request; each resolves with the job's id. */
  readonly #submissions = new Map<string, PromiseWithResolvers<string>>();
  #acceptances = 0;
  /** Terminals of jobs just accepted, by the id of the request, until the submitter takes them. */
  readonly #accepted = new Map<string, Promise<Terminal>>();
  readonly #terminals = new Map<string, PromiseWithResolvers<Terminal>>();
  #socket: FrameSocket | undefined;
  #failure: Error | undefined;
  #leaving = false;
  #nextId = 0;
  #acked = 0;
  #sessionId = "";
  #resumeToken = "";

  private constructor(resumption?: Resumption) {
    this.#stream = new StreamCheck(resumption?.lastEventSeq);
    this.#acked = resumption?.lastEventSeq ?? 0;
    this.resumedJobs = (resumption?.openJobs ?? []).map((id) => ({ id, terminal: this.#expectTerminal(id) }));
  }

  /** Opens a connection and a session on it. @throws Error when either is refused. */
  static async connect(target: Target): Promise<RawClient> {
    const client = new RawClient();
    await client.#open(target, "session.hello", {
      client: { name: "leasehold-benchmarks", version: "1.0.0" },
      auth: { scheme: "bearer", token: target.token },
      capabilities: { encodings: ["json"], features: FEATURES },
    });
    return client;
  }

  /** Takes a session up again on a new connection. Resolves at the welcome; the replay follows it. */
  static async resume(target: Target, resumption: Resumption): Promise<RawClient> {
    const client = new RawClient(resumption);
    await client.#open(target, "session.resume", {
      session_id: resumption.sessionId,
      resume_token: resumption.resumeToken,
      last_event_seq: resumption.lastEventSeq,
      auth: { scheme: "bearer", token: target.token },
    });
    return client;
  }

  /** Submits a job; resolves once it is accepted. @throws Error when it is refused. */
  async submit(agent: string, input: unknown): Promise<SubmittedJob> {
    if (this.#failure !== undefined) throw this.#failure;
    const requestId = this.#newId();
    const submission = Promise.withResolvers<string>();
    this.#submissions.set(requestId, submission);
    this.#deadlines.set(requestId, submission, REPLY_TIMEOUT_MS, "reply to job.submit");
    this.#send(requestId, "job.submit", { agent, input, idempotency_key: `${this.#sessionId}-${requestId}` });
    const id = await submission.promise;
    const terminal = this.#accepted.get(requestId) as Promise<Terminal>;
    this.#accepted.delete(requestId);
    return { id, terminal };
  }

  /** Follows a job of another session from here on (§7.6); resolves once it is subscribed to. @throws Error when that is refused. */
  async subscribe(jobId: string): Promise<SubmittedJob> {
    const requestId = this.#newId();
    await this.#exchange(requestId, "job.subscribe", { job_id: jobId });
    const terminal = this.#accepted.get(requestId) as Promise<Terminal>;
    this.#accepted.delete(requestId);
    return { id: jobId, terminal };
  }

  /** Submits a job and awaits its result. @throws Error when it does not end with `job.result`. */
  async run(agent: string, input: unknown): Promise<Terminal> {
    const job = await this.submit(agent, input);
    return await this.result(job);
  }

  /** Awaits the result of a submitted job. @throws Error when it does not end with `job.result`. */
  async result(job: SubmittedJob): Promise<Terminal> {
    const expected = this.#terminals.get(job.id);
    if (expected !== undefined) this.#deadlines.set(job.id, expected, STREAM_TIMEOUT_MS, `terminal of ${job.id}`);
    const terminal = await job.terminal;
    if (terminal.type !== "job.result")
      throw new Error(`${job.id} ended with ${terminal.type} ${JSON.stringify(terminal.payload)}`);
    return terminal;
  }

  /** Sends a `session.ping` and awaits its pong. @returns the round trip in milliseconds. */
  async ping(): Promise<number> {
    const nonce = this.#newId();
    const sentAt = performance.now();
    await this.#exchange(nonce, "session.ping", { nonce, sent_at: new Date().toISOString() });
    return performance.now() - sentAt;
  }

  /** Ids of this principal's jobs that have no terminal yet, at most 100 (§6.6). */
  async unfinishedJobs(): Promise<readonly string[]> {
    const { payload } = await this.#exchange(this.#newId(), "session.list_jobs", {
      filter: { status: ["pending", "running"] },
      limit: 100,
    });
    return (payload.jobs as { job_id: string }[]).map((job) => job.job_id);
  }

  /** What arrived in this session's stream since this was asked last. */
  takeTally(): StreamTally {
    return this.#stream.take();
  }

  /** Cuts the connection, as a lost network would. @returns what a new connection needs to resume. */
  drop(): Resumption {
    this.#leaving = true;
    this.#socket?.cut();
    return {
      sessionId: this.#sessionId,
      resumeToken: this.#resumeToken,
      lastEventSeq: this.#stream.lastEventSeq,
      openJobs: [...this.#terminals.keys()],
    };
  }

  /** Makes sure that nothing more is coming, and nothing is open, and ends the session (§6.7). */
  async close(): Promise<void> {
    // A pong leaves after whatever was sent before it: a second terminal would have been seen by now.
    await this.ping();
    if (this.#terminals.size > 0) throw new Error(`no terminal came for ${[...this.#terminals.keys()].join(", ")}`);
    this.#leaving = true;
    await this.#exchange(this.#newId(), "session.close", {});
    await this.#socket?.close();
  }

  async #open(target: Target, type: string, payload: Readonly<Record<string, unknown>>): Promise<void> {
    this.#socket = await openFrameSocket(target.url, {
      frame: (text) => {
        try {
          this.#receive(text);
        } catch (error) {
          this.#fail(error as Error);
        }
      },
      closed: (code, reason) => {
        if (!this.#leaving) this.#fail(new Error(`the server closed the connection: ${code} ${reason}`));
      },
    });
    const welcome = await this.#exchange(HANDSHAKE_ID, type, payload);
    this.#sessionId = welcome.session_id ?? (welcome.payload.session_id as string);
    this.#resumeToken = welcome.payload.resume_token as string;
  }

  #newId(): string {
    return `msg_bench${this.#nextId++}`;
  }

  /** @param id the envelope's id, which the reply names; a ping's nonce is the same. */
  async #exchange(id: string, type: string, payload: Readonly<Record<string, unknown>>): Promise<Envelope> {
    if (this.#failure !== undefined) throw this.#failure;
    const reply = Promise.withResolvers<Envelope>();
    this.#replies.set(id, reply);
    this.#deadlines.set(id, reply, REPLY_TIMEOUT_MS, `reply to ${type}`);
    this.#send(id, type, payload);
    return await reply.promise;
  }

  #send(id: string, type: string, payload: Readonly<Record<string, unknown>>): void {
    const session = this.#sessionId === "" ? {} : { session_id: this.#sessionId };
    this.#socket?.send(JSON.stringify({ arcp: "1.1", id, type, ...session, payload }));
  }

  #receive(text: string): void {
    const eventSeq = eventSeqOf(text);
    if (eventSeq === undefined) {
      const accepted = acceptedRequestOf(text);
      return accepted === undefined ? this.#control(JSON.parse(text) as Envelope) : this.#jobAccepted(accepted, text);
    }
    this.#stream.placed(eventSeq, text.length);
    const event = isJobEvent(text);
    if (eventSeq % FRAMES_PER_PARSE === 1) checkScan(text, eventSeq, event);
    if (event) this.onEvent?.(text);
    else this.#ended(text);
    if (eventSeq - this.#acked >= EVENTS_PER_ACK) {
      this.#acked = eventSeq;
      this.#send(`msg_ack${eventSeq}`, "session.ack", { last_processed_seq: eventSeq });
    }
  }

  #jobAccepted(requestId: string, text: string): void {
    const jobId = jobIdOf(text);
    const submission = this.#submissions.get(requestId);
    if (jobId === undefined) throw new Error(`an acceptance names no job: ${text.slice(0, 400)}`);
    if (submission === undefined)
      throw new Error(`job.accepted answers ${requestId}, which was not asked or is answered already`);
    if (this.#acceptances++ % FRAMES_PER_PARSE === 0) checkAcceptance(text, requestId, jobId);
    this.#submissions.delete(requestId);
    this.#deadlines.met(requestId);
    // At once, not when the submitter's promise runs: the terminal may be in the same read.
    this.#accepted.set(requestId, this.#expectTerminal(jobId));
    submission.resolve(jobId);
  }

  #control(envelope: Envelope): void {
    const { type, id, payload } = envelope;
    switch (type) {
      case "session.welcome":
        this.welcomedAt = performance.now();
        return this.#answer(HANDSHAKE_ID, envelope);
      case "session.ping":
        return this.#send(`${id}-pong`, "session.pong", {
          ping_nonce: payload.nonce,
          received_at: new Date().toISOString(),
        });
      case "session.pong":
        return this.#answer(payload.ping_nonce as string, envelope);
      case "job.subscribed":
        // At once, not when the submitter's promise runs: the terminal may be in the same read.
        this.#accepted.set(payload.request_id as string, this.#expectTerminal(payload.job_id as string));
        return this.#answer(payload.request_id as string, envelope);
      case "session.jobs":
      case "session.closed":
        return this.#answer(payload.request_id as string, envelope);
      case "session.error":
        throw new Error(`the server answered session.error ${JSON.stringify(payload)}`);
      default:
        throw new Error(`the server sent an unexpected ${type}`);
    }
  }

  #answer(key: string, envelope: Envelope): void {
    const reply = this.#replies.get(key);
    if (reply === undefined)
      throw new Error(`${envelope.type} answers ${key}, which was not asked or is answered already`);
    this.#replies.delete(key);
    this.#deadlines.met(key);
    reply.resolve(envelope);
  }

  #expectTerminal(jobId: string): Promise<Terminal> {
    const terminal = Promise.withResolvers<Terminal>();
    // Whoever waits sees the failure; where nobody does, it must not end the process.
    terminal.promise.catch(() => {});
    this.#terminals.set(jobId, terminal);
    this.#stream.accepted(jobId);
    return terminal.promise;
  }

  #ended(text: string): void {
    const jobId = jobIdOf(text);
    if (jobId === undefined || !TERMINAL.test(text))
      throw new Error(`a frame has an event_seq and is neither event nor terminal: ${text.slice(0, 400)}`);
    this.#stream.ended(jobId);
    this.#deadlines.met(jobId);
    this.#terminals.get(jobId)?.resolve(new Terminal(text));
    this.#terminals.delete(jobId);
  }

  #fail(error: Error): void {
    if (this.#failure !== undefined) return;
    this.#failure = error;
    const waiting = [...this.#replies, ...this.#submissions, ...this.#terminals];
    for (const [key, { reject }] of waiting) {
      this.#deadlines.met(key);
      reject(error);
    }
    this.#replies.clear();
    this.#submissions.clear();
    this.#leaving = true;
    this.#socket?.cut();
  }
}

const TERMINAL = /"type":"job\.(result|error)"/;

function checkAcceptance(text: string, requestId: string, jobId: string): void {
  const { type, payload } = JSON.parse(text) as Envelope;
  if (type === "job.accepted" && payload.request_id === requestId && payload.job_id === jobId) return;
  throw new Error(`scanning an acceptance gave another answer than parsing it: ${text.slice(0, 400)}`);
}

function checkScan(text: string, eventSeq: number, event: boolean): void {
  const parsed = JSON.parse(text) as Envelope;
  if (parsed.event_seq !== eventSeq || (parsed.type === "job.event") !== event) {
    throw new Error(`scanning a frame gave another answer than parsing it: ${text.slice(0, 400)}`);
  }
}
