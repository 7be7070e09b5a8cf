/**
 * For tests: as much of a runtime as a client can tell from one, over in-memory sockets, under a test's control. It
 * keeps sessions and job logs over dropped connections, and can lose frames, expire sessions and fall silent.
 */

import { decode } from "../protocol/codec.ts";
import { FEATURES } from "../protocol/features.ts";
import type { JsonObject } from "../protocol/fields.ts";
import type { Message, MessageOf } from "../protocol/registry.ts";
import type { FakeWorld } from "../testing/fake-world.ts";
import type { WebSocketLike } from "./web-socket.ts";

type Listener = Parameters<WebSocketLike["addEventListener"]>[1];

/** The client's end of one connection. Frames arrive in a later turn, or not at all once it is cut. */
class MemorySocket implements WebSocketLike {
  readonly #world: FakeWorld;
  readonly #listeners = new Map<string, Listener[]>();
  readonly #deliver: (text: string) => void;
  isOpen = true;
  closedByClient: number | undefined;

  constructor(world: FakeWorld, deliver: (text: string) => void) {
    this.#world = world;
    this.#deliver = deliver;
    this.#later("open", {});
  }

  addEventListener(type: string, listener: Listener): void {
    this.#listeners.set(type, [...(this.#listeners.get(type) ?? []), listener]);
  }

  send(text: string): void {
    this.#world.timers.soon(() => {
      if (this.isOpen) this.#deliver(text);
    });
  }

  close(code = 1000): void {
    this.closedByClient = code;
    this.isOpen = false;
  }

  receive(data: unknown): void {
    this.#later("message", { data });
  }

  /** Ends the connection at once: what is on the way is lost. */
  cut(code: number): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    for (const listener of this.#listeners.get("close") ?? []) listener({ code, reason: "" });
  }

  /** Ends the connection after what is on the way. */
  end(code: number): void {
    this.#world.timers.soon(() => this.cut(code));
  }

  #later(type: string, event: Parameters<Listener>[0]): void {
    this.#world.timers.soon(() => {
      if (this.isOpen) for (const listener of this.#listeners.get(type) ?? []) listener(event);
    });
  }
}

interface ScriptedSession {
  readonly id: string;
  readonly features: readonly string[];
  tokens: string[];
  /** What has an `event_seq`, from 1. */
  readonly stream: (JsonObject & { readonly type: string })[];
  readonly follows: Set<string>;
  /** Jobs it submitted, or came back to by their key. */
  readonly owns: Set<string>;
  socket: MemorySocket | undefined;
}

interface ScriptedJob {
  readonly id: string;
  readonly log: { type: string; payload: JsonObject }[];
  status: string;
}

export class ScriptedRuntime {
  /** What clients sent, in order. */
  readonly received: Message<"to-runtime">[] = [];
  readonly sockets: MemorySocket[] = [];
  readonly jobs = new Map<string, ScriptedJob>();
  readonly world: FakeWorld;
  /** Features this runtime has. */
  features: readonly string[] = FEATURES;
  /** What `job.accepted` and `job.subscribed` say beside the usual. */
  descriptor: JsonObject = {};
  /** Most jobs in a page of a listing. */
  pageSize = 100;
  /** Does not answer anything. */
  silent = false;
  /** Refuses every connection. */
  unreachable = false;
  /** Sees every frame before it is sent; returns false to have the connection cut in its place. */
  beforeSend: (message: JsonObject & { readonly type: string }) => boolean = () => true;
  /** Answers a request in its own way; returns true when it has. */
  onMessage: (
    message: Message<"to-runtime">,
    reply: (message: JsonObject & { readonly type: string }) => void,
  ) => boolean = () => false;
  readonly #sessions = new Map<string, ScriptedSession>();
  readonly #keys = new Map<string, string>();
  #counter = 0;

  constructor(world: FakeWorld) {
    this.world = world;
  }

  readonly connect = (): WebSocketLike => {
    let session: ScriptedSession | undefined;
    const socket: MemorySocket = new MemorySocket(this.world, (text) => {
      const decoded = decode(text, "to-runtime");
      if (!decoded.ok) throw new Error(`the client sent ${text}: ${decoded.error.message}`);
      this.received.push(decoded.message);
      if (this.silent) return;
      const reply = (message: JsonObject & { readonly type: string }): void => this.#send(socket, message);
      if (this.onMessage(decoded.message, reply)) return;
      if (session === undefined) session = this.#welcome(socket, decoded.message);
      else this.#handle(session, decoded.message);
    });
    this.sockets.push(socket);
    if (this.unreachable) socket.end(1006);
    return socket;
  };

  get socket(): MemorySocket {
    const socket = this.sockets.at(-1);
    if (socket === undefined) throw new Error("nobody has connected");
    return socket;
  }

  /** Messages of one type that clients sent. */
  sent<Type extends Message<"to-runtime">["type"]>(type: Type): MessageOf<Type>[] {
    return this.received.filter((message): message is MessageOf<Type> => message.type === type);
  }

  /** Cuts the newest connection. */
  drop(code = 1006): void {
    this.socket.cut(code);
  }

  /** Forgets every session, but no job. Only sessions without a connection expire, so that none keeps one. */
  expireSessions(): void {
    for (const session of this.#sessions.values()) session.socket?.cut(1006);
    this.#sessions.clear();
  }

  /** Forgets jobs and keys. */
  forgetJobs(): void {
    this.jobs.clear();
    this.#keys.clear();
  }

  /** Sends text that is not a message of this runtime. */
  inject(data: unknown): void {
    this.socket.receive(data);
  }

  emit(jobId: string, kind: string, body: JsonObject): void {
    const ts = new Date(this.world.clock.now()).toISOString();
    this.#append(jobId, "job.event", { kind, ts, body });
  }

  /** A job delegates another: sessions that may cancel it, of a runtime that has the feature, are told and follow it. */
  delegate(parentId: string, agent = "echo"): string {
    const jobId = `job_${++this.#counter}`;
    const delegateId = `dlg_${++this.#counter}`;
    this.jobs.set(jobId, { id: jobId, log: [], status: "running" });
    this.emit(parentId, "delegate", {
      delegate_id: delegateId,
      child_job_id: jobId,
      agent: `${agent}@1.0.0`,
      lease: {},
    });
    const payload = {
      job_id: jobId,
      agent: `${agent}@1.0.0`,
      lease: {},
      parent_job_id: parentId,
      delegate_id: delegateId,
    };
    for (const session of this.#sessions.values()) {
      if (!session.owns.has(parentId) || !session.features.includes("x-leasehold.delegation")) continue;
      this.#place(session, jobId, "job.accepted", payload);
      session.owns.add(jobId);
      session.follows.add(jobId);
    }
    return jobId;
  }

  succeed(jobId: string, payload: JsonObject = {}): void {
    this.#end(jobId, "job.result", "success", payload);
  }

  end(jobId: string, status: string, error: JsonObject): void {
    this.#end(jobId, "job.error", status, error);
  }

  #end(jobId: string, type: string, status: string, payload: JsonObject): void {
    this.#append(jobId, type, { job_id: jobId, final_status: status, ...payload });
    const job = this.jobs.get(jobId);
    if (job !== undefined) job.status = status;
  }

  #append(jobId: string, type: string, fields: JsonObject): void {
    const job = this.jobs.get(jobId);
    if (job === undefined) throw new Error(`no job ${jobId}`);
    const payload: JsonObject = { ...fields, job_seq: job.log.length + 1 };
    job.log.push({ type, payload });
    for (const session of this.#sessions.values()) {
      if (session.follows.has(jobId)) this.#place(session, jobId, type, payload);
    }
  }

  #place(session: ScriptedSession, jobId: string, type: string, payload: JsonObject): void {
    const place = { type, job_id: jobId, event_seq: session.stream.length + 1, payload };
    session.stream.push(place);
    if (session.socket !== undefined) this.#send(session.socket, place);
  }

  #send(socket: MemorySocket, message: JsonObject & { readonly type: string }): void {
    if (!socket.isOpen) return;
    const frame = { arcp: "1.1", id: `msg_${++this.#counter}`, ...message };
    if (this.beforeSend(frame)) socket.receive(JSON.stringify(frame));
    else socket.cut(1006);
  }

  #welcome(socket: MemorySocket, first: Message<"to-runtime">): ScriptedSession | undefined {
    if (first.type !== "session.hello" && first.type !== "session.resume") throw new Error(`${first.type} came first`);
    if (first.payload.auth?.token !== "secret") {
      this.#refuse(socket, first.id, "UNAUTHENTICATED");
      socket.end(4401);
      return undefined;
    }
    const session = first.type === "session.hello" ? this.#create(first) : this.#resumed(first);
    if (session === undefined) {
      this.#refuse(socket, first.id, "RESUME_WINDOW_EXPIRED");
      return undefined;
    }
    if (session.socket?.isOpen) session.socket.cut(4409);
    session.socket = socket;
    const token = `rt_${++this.#counter}`;
    session.tokens.push(token);
    const payload = {
      session_id: session.id,
      runtime: { name: "scripted", version: "0" },
      resume_token: token,
      resume_window_sec: 600,
      heartbeat_interval_sec: 30,
      capabilities: { features: session.features, agents: [{ name: "echo", versions: ["1.0.0"], default: "1.0.0" }] },
    };
    this.#send(socket, { type: "session.welcome", payload });
    const from = first.type === "session.resume" ? first.payload.last_event_seq : 0;
    for (const place of session.stream.slice(from)) this.#send(socket, place);
    return session;
  }

  #create({ payload }: MessageOf<"session.hello">): ScriptedSession {
    const id = `sess_${++this.#counter}`;
    const asked = payload.capabilities?.features ?? [];
    const session: ScriptedSession = {
      id,
      features: this.features.filter((feature) => asked.includes(feature)),
      tokens: [],
      stream: [],
      follows: new Set(),
      owns: new Set(),
      socket: undefined,
    };
    this.#sessions.set(id, session);
    return session;
  }

  /** Valid are the newest token and the last one presented; presenting the newest ends the older. */
  #resumed({ payload }: MessageOf<"session.resume">): ScriptedSession | undefined {
    const session = this.#sessions.get(payload.session_id ?? "");
    if (session === undefined) return undefined;
    if (!session.tokens.includes(payload.resume_token)) throw new Error(`token ${payload.resume_token} is not valid`);
    session.tokens = [payload.resume_token];
    return session;
  }

  #handle(session: ScriptedSession, message: Message<"to-runtime">): void {
    const socket = session.socket;
    if (socket === undefined) return;
    const reply = (type: string, payload: JsonObject): void =>
      this.#send(socket, { type, session_id: session.id, payload: { ...payload, request_id: message.id } });
    switch (message.type) {
      case "session.ping":
        return this.#send(socket, { type: "session.pong", payload: { ping_nonce: message.payload.nonce } });
      case "session.close":
        return reply("session.closed", {});
      case "session.list_jobs":
        return this.#list(message, reply);
      case "job.submit":
        return this.#submit(session, message, reply);
      case "job.subscribe":
        return this.#subscribe(session, message, reply);
      case "job.unsubscribe":
        return this.#unsubscribe(session, message.payload.job_id);
      case "job.cancel":
        return this.#cancel(session, message.payload.job_id, reply);
    }
  }

  #submit(
    session: ScriptedSession,
    { payload, id }: MessageOf<"job.submit">,
    reply: (type: string, payload: JsonObject) => void,
  ): void {
    const { agent, idempotency_key: key = id, lease_request: lease = {} } = payload;
    if (agent === "nobody") return reply("session.error", refusal("AGENT_NOT_AVAILABLE"));
    const known = this.#keys.get(key);
    const jobId = known ?? `job_${++this.#counter}`;
    if (known === undefined) {
      this.#keys.set(key, jobId);
      this.jobs.set(jobId, { id: jobId, log: [], status: "running" });
    }
    reply("job.accepted", {
      job_id: jobId,
      agent: `${agent}@1.0.0`,
      lease,
      trace_id: "0af7651916cd43dd8448eb211c80319c",
      ...this.descriptor,
    });
    session.owns.add(jobId);
    this.#follow(session, jobId, 0);
  }

  #subscribe(
    session: ScriptedSession,
    { payload }: MessageOf<"job.subscribe">,
    reply: (type: string, payload: JsonObject) => void,
  ): void {
    const job = this.jobs.get(payload.job_id);
    if (job === undefined) return reply("session.error", refusal("JOB_NOT_FOUND"));
    // What it follows already goes on from where it is.
    const isNew = payload.history && !session.follows.has(job.id);
    const from = isNew ? (payload.from_job_seq ?? 0) : job.log.length;
    reply("job.subscribed", {
      job_id: job.id,
      current_status: job.status,
      agent: "echo@1.0.0",
      subscribed_from: from,
      replayed: from < job.log.length,
      ...this.descriptor,
    });
    this.#follow(session, job.id, from);
  }

  /** What was submitted here is followed to its end. */
  #unsubscribe(session: ScriptedSession, jobId: string): void {
    const isRunning = this.jobs.get(jobId)?.status === "running";
    if (!isRunning || !session.owns.has(jobId)) session.follows.delete(jobId);
  }

  #follow(session: ScriptedSession, jobId: string, from: number): void {
    if (session.follows.has(jobId)) return;
    session.follows.add(jobId);
    for (const { type, payload } of this.jobs.get(jobId)?.log.slice(from) ?? [])
      this.#place(session, jobId, type, payload);
  }

  #list({ payload }: MessageOf<"session.list_jobs">, reply: (type: string, payload: JsonObject) => void): void {
    const jobs = [...this.jobs.values()].map(listing);
    const from = Number(payload.cursor ?? 0);
    const end = from + Math.min(payload.limit ?? this.pageSize, this.pageSize);
    reply("session.jobs", { jobs: jobs.slice(from, end), next_cursor: end < jobs.length ? String(end) : null });
  }

  #cancel(session: ScriptedSession, jobId: string, reply: (type: string, payload: JsonObject) => void): void {
    const job = this.jobs.get(jobId);
    if (job === undefined) return reply("session.error", refusal("JOB_NOT_FOUND"));
    if (job.status !== "running") return reply("job.cancelled", { job_id: jobId, final_status: job.status });
    if (!session.owns.has(jobId) && !this.features.includes("x-leasehold.control")) {
      return reply("session.error", refusal("PERMISSION_DENIED"));
    }
    reply("job.cancelled", { job_id: jobId });
    this.end(jobId, "cancelled", refusal("CANCELLED"));
  }

  #refuse(socket: MemorySocket, requestId: string, code: string): void {
    this.#send(socket, { type: "session.error", payload: { ...refusal(code), request_id: requestId } });
  }
}

function refusal(code: string): JsonObject {
  return { code, message: `refused with ${code}`, retryable: false };
}

function listing({ id, status, log }: ScriptedJob): JsonObject {
  return {
    job_id: id,
    agent: "echo@1.0.0",
    status,
    created_at: "2026-01-01T00:00:00.000Z",
    last_event_seq: log.length,
  };
}
