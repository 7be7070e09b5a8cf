/**
 * A client that speaks raw frames, does what the run tells it, and looks at every answer. It keeps what a real one
 * would: its session, the tokens it may resume with, the last place up to which it has everything.
 */
import type { MemoryClient } from "../../src/transports/memory.ts";
import type { Life } from "./life.ts";
import { RESUME_WINDOW_SEC } from "./limits.ts";
import { readPlan } from "./plan.ts";
import { type Frame, type PlacedFrame, placeOf, SessionRecord, type Unannounced } from "./session-record.ts";
import type { Ask, Stage } from "./stage.ts";

/** What a request was about, until it is answered. */
type Request =
  | { readonly type: "hello" | "trespass" }
  | { readonly type: "resume"; readonly token: string | undefined }
  | { readonly type: "submit"; readonly ask: Ask; readonly sentAfter: number }
  | { readonly type: "subscribe"; readonly job: string; readonly sentAfter: number }
  | { readonly type: "cancel"; readonly job: string };

/** One connection, from its first frame to its end. */
interface Line {
  readonly client: MemoryClient;
  readonly life: Life;
  /** Requests without an answer, oldest first. */
  readonly open: Map<string, Request>;
  readonly place: (frame: PlacedFrame) => void;
  welcomed: boolean;
  /** Cut off; what was on the way may still arrive. */
  cut: boolean;
}

interface Session {
  readonly id: string;
  readonly record: SessionRecord;
  /** Presented last: valid until the newest is presented. */
  presented: string | undefined;
  newest: string | undefined;
  readonly asks: Set<Ask>;
  /** Jobs whose acceptance this session was answered, and what they handed on: it may cancel them. */
  readonly accepted: Set<string>;
  /** Those of them whose logs it had nothing of before: it is told of what they hand on. */
  readonly heard: Set<string>;
  acked: number;
  /** Tokens of resumptions given up without an answer: the runtime may still come to them, in any order. */
  limbo: { readonly token: string | undefined; readonly life: Life }[];
  /** When the last connection was seen to end. */
  detachedAt: number;
  /** Requests whose answers were lost with their connection. */
  readonly lost: Request[];
}

/** The runtime may learn of the end of a connection earlier than the client, by at most this. */
const SLACK_MS = 5_000;
const JOB_ID = /job_[0-9A-Z]{26}/g;

export class ScriptedClient {
  readonly name: string;
  readonly principal: string;
  readonly #stage: Stage;
  readonly #features: readonly string[];
  readonly #hiddenKinds: string;
  #session: Session | undefined;
  #line: Line | undefined;
  /** The connection whose frame is being looked at. */
  #placing: Line | undefined;
  #stalled = false;
  #requests = 0;

  /** @param options.hiddenKinds codes of the kinds that the features left out hide. */
  constructor(
    stage: Stage,
    options: { name: string; principal: string; features: readonly string[]; hiddenKinds: string },
  ) {
    this.#stage = stage;
    this.name = options.name;
    this.principal = options.principal;
    this.#features = options.features;
    this.#hiddenKinds = options.hiddenKinds;
  }

  get acknowledges(): boolean {
    return this.#features.includes("ack");
  }

  /** Welcomed, and not yet gone. */
  get isOpen(): boolean {
    return this.#line?.welcomed === true && !this.#line.cut;
  }

  get isConnected(): boolean {
    return this.#line !== undefined;
  }

  get isStalled(): boolean {
    return this.#stalled;
  }

  get session(): string | undefined {
    return this.#session?.id;
  }

  get received(): number {
    return this.#session?.record.received ?? 0;
  }

  /** Opens a session, or resumes the one there is. A connection that lives is left to be superseded. */
  connect(): string {
    const session = this.#session;
    return session === undefined ? this.#hello() : this.#resume(session);
  }

  /** Tries to resume another principal's session with this client's own token. */
  intrude(session: string): void {
    const client = this.#stage.life.connect();
    const payload = {
      session_id: session,
      resume_token: "rt_guessed",
      last_event_seq: 0,
      auth: { token: this.principal },
    };
    client.open({
      frame: (text) => {
        const { type, payload } = JSON.parse(text) as Frame;
        const refused = type === "session.error" && payload.code === "RESUME_WINDOW_EXPIRED";
        if (!refused)
          this.#stage.judge.report("principals-apart", `${this.name} got ${text} from the session of another`);
      },
      closed() {},
    });
    client.send(JSON.stringify({ arcp: "1.1", id: `${this.name}-intruder`, type: "session.resume", payload }));
  }

  submit(ask: Ask): void {
    const { agent, plan, key, lease } = ask;
    this.#session?.asks.add(ask);
    const payload = {
      agent,
      input: plan,
      ...(lease && { lease_request: lease.request }),
      ...(lease?.constraints && { lease_constraints: lease.constraints }),
      ...(key === undefined ? {} : { idempotency_key: key }),
    };
    this.#request("job.submit", payload, { type: "submit", ask, sentAfter: this.received });
  }

  subscribe(job: string, history: boolean): void {
    this.#session?.record.want(job);
    this.#request("job.subscribe", { job_id: job, history }, { type: "subscribe", job, sentAfter: this.received });
  }

  /** Only what was subscribed to can be left: of a job it was accepted for, the session keeps getting everything. */
  unsubscribe(job: string): void {
    this.#session?.record.leave(job);
    this.#send("job.unsubscribe", { job_id: job });
  }

  cancel(job: string): void {
    this.#request("job.cancel", { job_id: job, reason: "no longer needed" }, { type: "cancel", job });
  }

  /** Reaches for a job of another principal. */
  trespass(job: string): void {
    const type = this.#stage.chance(0.5) ? "job.cancel" : "job.subscribe";
    this.#request(type, { job_id: job }, { type: "trespass" });
  }

  ack(): void {
    const session = this.#session;
    if (session === undefined) return;
    session.acked = session.record.received;
    this.#send("session.ack", { last_processed_seq: session.acked });
  }

  ping(): void {
    this.#send("session.ping", { nonce: this.#nextId() });
  }

  close(): void {
    this.#send("session.close", {});
  }

  drop(): void {
    if (this.#line === undefined) return;
    this.#line.cut = true;
    this.#line.client.drop({ toClient: this.#stage.draw(5), toServer: this.#stage.draw(3) });
  }

  /** Gives its session up for good: the next connection opens another. */
  forsake(): void {
    this.close();
    this.drop();
    this.#abandon();
    this.#session = undefined;
  }

  stall(): void {
    this.#stalled = true;
    this.#line?.client.stall();
  }

  unstall(): void {
    this.#stalled = false;
    this.#line?.client.resume();
  }

  /** Requests that a living connection owes an answer to, in words. */
  get unanswered(): string[] {
    return [...(this.#line?.open ?? [])].map(([id, { type }]) => `${type} ${id}`);
  }

  /** Jobs whose log this session follows and has not got to the end of. */
  get unfinished(): readonly string[] {
    return this.#session?.record.unfinished ?? [];
  }

  /** Jobs below those this session submitted, of which it should have been told and was not. */
  get untold(): readonly string[] {
    const { accepted, heard, record } = this.#session ?? {};
    if (accepted === undefined || !this.#features.includes("x-leasehold.delegation")) return [];
    return [...this.#stage.ledger.jobs.values()]
      .filter(({ record: { id, parent } }) => parent !== null && heard?.has(parent) && !accepted.has(id))
      .filter(({ record: { parent } }) => parent !== null && record?.hasWhole(parent) === true)
      .map(({ record: { id } }) => id);
  }

  #hello(): string {
    const payload = { auth: { token: this.principal }, capabilities: { features: this.#features } };
    this.#dial({ type: "hello" }, "session.hello", payload, () => {});
    return "opens a session";
  }

  #resume(session: Session): string {
    const { record, presented, newest, acked } = session;
    const useOlder = newest === undefined || (presented !== undefined && this.#stage.chance(0.3));
    const token = useOlder ? presented : newest;
    // Until its welcome comes, only the token presented now is certain to be valid.
    session.presented = token;
    session.newest = undefined;
    const from = this.#stage.chance(0.3) ? acked + this.#stage.draw(record.received - acked + 1) : record.received;
    const point = { session_id: session.id, resume_token: token, last_event_seq: from };
    const auth = { token: this.principal };
    const place = record.connection(from);
    if (this.#stage.chance(0.5)) this.#dial({ type: "resume", token }, "session.resume", { ...point, auth }, place);
    else this.#dial({ type: "resume", token }, "session.hello", { auth, resume: point }, place);
    return `resumes after ${from} of ${record.received}${useOlder && newest !== undefined ? " with its older token" : ""}`;
  }

  #dial(request: Request, type: string, payload: object, place: Line["place"]): void {
    this.#abandon();
    const { life } = this.#stage;
    const client = life.connect();
    const line: Line = { client, life, open: new Map(), place, welcomed: false, cut: false };
    this.#line = line;
    this.#stalled = false;
    client.open({
      frame: (text) => this.#take(line, text),
      closed: () => {
        if (this.#line === line) this.#abandon();
      },
    });
    this.#request(type, payload, request);
  }

  /** The connection is given up: what it left unanswered is lost. */
  #abandon(): void {
    const line = this.#line;
    if (line === undefined) return;
    this.#line = undefined;
    this.#stalled = false;
    if (this.#session === undefined) return;
    if (line.welcomed) this.#session.detachedAt = this.#stage.world.clock.now();
    this.#session.lost.push(...line.open.values());
    for (const request of line.open.values()) {
      if (request.type === "resume") this.#session.limbo.push({ token: request.token, life: line.life });
    }
  }

  #take(line: Line, text: string): void {
    this.#stage.onFrame?.(`${this.name} < ${text}`);
    const frame = JSON.parse(text) as Frame;
    const placed = placeOf(frame, text);
    if (placed !== undefined) this.#checkForeign(text);
    // A superseded connection's last frames still count: they are places of the same stream.
    if (placed !== undefined) return this.#takePlaced(line, placed);
    if (frame.type === "session.welcome") line.welcomed = true;
    // Whatever else comes on a connection that was given up is as good as lost.
    if (this.#line !== line) return;
    const requestId = frame.payload.request_id;
    const request = typeof requestId === "string" ? line.open.get(requestId) : undefined;
    if (request !== undefined && typeof requestId === "string") {
      if (request.type === "submit") this.#checkOrder(line, requestId);
      line.open.delete(requestId);
    }
    if (frame.type === "session.error") return this.#takeRefusal(line, request, frame);
    this.#checkForeign(text);
    if (frame.type === "session.welcome") this.#takeWelcome(line, request, frame);
    else if (frame.type === "session.ping") this.#send("session.pong", { ping_nonce: frame.payload.nonce });
    else if (request !== undefined) this.#takeAnswer(request, frame);
  }

  #takePlaced(line: Line, placed: PlacedFrame): void {
    if (!line.welcomed) this.#report("no-gap-or-repeat", `event_seq ${placed.eventSeq} came before the welcome`);
    if (placed.accepts) this.#noteAccepted(placed.job);
    this.#placing = line;
    line.place(placed);
    this.#placing = undefined;
  }

  #takeWelcome(line: Line, request: Request | undefined, { payload }: Frame): void {
    const id = payload.session_id as string;
    const token = payload.resume_token as string;
    if (request?.type === "resume" && this.#session !== undefined) {
      if (this.#session.id !== id) this.#report("sessions-are-kept", `resumed ${this.#session.id} and got ${id}`);
      this.#session.newest = token;
      // What was under way in an earlier life is settled, and this token came after it.
      this.#session.limbo = this.#session.limbo.filter(({ life }) => life === line.life);
      return;
    }
    const lost: Request[] = [];
    const record = new SessionRecord({
      name: `${this.name} (${id})`,
      judge: this.#stage.judge,
      unannounced: (job) => this.#unannounced(job, lost),
      isHidden: (job, jobSeq) => this.#hiddenKinds.includes(this.#stage.ledger.jobs.get(job)?.kinds[jobSeq - 1] ?? " "),
    });
    this.#session = {
      id,
      record,
      presented: undefined,
      newest: token,
      asks: new Set(),
      accepted: new Set(),
      heard: new Set(),
      acked: 0,
      limbo: [],
      detachedAt: 0,
      lost,
    };
    // The line was opened before there was a record to take its frames.
    this.#line = Object.assign(line, { place: record.connection(0) });
  }

  #takeRefusal({ life }: Line, request: Request | undefined, { payload }: Frame): void {
    const { code, message } = payload;
    if (request?.type === "trespass") {
      if (code !== "JOB_NOT_FOUND")
        this.#report("principals-apart", `reached for another's job and got ${code}: ${message}`);
      return;
    }
    if (request?.type === "resume" && code === "RESUME_WINDOW_EXPIRED") return this.#takeExpiry(String(message));
    if (request?.type === "resume" && code === "UNAUTHENTICATED" && this.#hasOtherToken(request.token)) return;
    if (this.#isAboutRemoved(request, String(message)) && (code === "JOB_NOT_FOUND" || code === "INTERNAL_ERROR"))
      return;
    if (request?.type === "submit") {
      request.ask.refused = true;
      // Asked again when what it asks for is past.
      const { expires_at: expiresAt } = request.ask.lease?.constraints ?? {};
      if (expiresAt !== undefined && Date.parse(expiresAt) <= this.#stage.world.clock.now()) return;
      if (String((payload.details as { limit?: unknown } | undefined)?.limit).startsWith("maxPendingJobs")) return;
    }
    if (request?.type === "cancel" && code === "PERMISSION_DENIED" && this.#session?.accepted.has(request.job) !== true)
      return;
    if (code === "HEARTBEAT_LOST" || (code === "INTERNAL_ERROR" && life.troubled)) return;
    this.#report("refusals-have-causes", `${request?.type ?? "nothing"} was answered with ${code}: ${message}`);
  }

  /** Whether a job's history went, or is going, before it could be had. */
  #isAboutRemoved(request: Request | undefined, message: string): boolean {
    const { ledger } = this.#stage;
    const isGone = (job: string): boolean =>
      ledger.removed.has(job) || (message.includes("is just being removed") && ledger.mayGo(job));
    // The answer that told of the job may have been lost.
    if (request?.type === "submit") return (message.match(JOB_ID) ?? []).some(isGone);
    return request !== undefined && "job" in request && isGone(request.job);
  }

  /** Another resumption was taken up after all, and this token died with it: what that one presented is valid now. */
  #hasOtherToken(refused: string | undefined): boolean {
    const session = this.#session;
    const other = session?.limbo.find(({ token }) => token !== refused);
    if (session === undefined || other === undefined) return false;
    session.presented = other.token;
    session.newest = undefined;
    return true;
  }

  #takeExpiry(message: string): void {
    const session = this.#session;
    if (session === undefined) return;
    const goneMs = this.#stage.world.clock.now() - session.detachedAt;
    if (goneMs < RESUME_WINDOW_SEC * 1000 - SLACK_MS) {
      this.#report(
        "sessions-are-kept",
        `resumed ${session.id} after ${goneMs} ms without a connection, and got: ${message}`,
      );
    }
    this.#session = undefined;
  }

  #takeAnswer(request: Request, { type, payload }: Frame): void {
    const job = String(payload.job_id);
    if (request.type === "submit") this.#takeAccepted(request.ask, request.sentAfter, job);
    else if (request.type === "trespass") this.#report("principals-apart", `reached for another's job and got ${type}`);
    else if (request.type === "subscribe") this.#takeSubscribed(job, request.sentAfter, payload);
    else if (request.type === "cancel" && payload.final_status === undefined) {
      this.#stage.cancelled.add(job);
      if (!this.#askedFor(job)) this.#report("principals-apart", `cancelled ${job}, which only its submitter may`);
    }
  }

  #takeSubscribed(
    job: string,
    sentAfter: number,
    { current_status, replayed, subscribed_from }: Frame["payload"],
  ): void {
    // Subscribed from its end on, a job that has ended has nothing more to send, but for a terminal of this very moment.
    const isOver = !["pending", "running"].includes(String(current_status)) && replayed === false;
    if (isOver) this.#session?.record.excuse(job, Number(subscribed_from));
    else this.#session?.record.promise(job, Number(subscribed_from), sentAfter);
  }

  #takeAccepted(ask: Ask, sentAfter: number, job: string): void {
    const known = ask.job;
    ask.job = job;
    if (known !== undefined && known !== job && !this.#stage.ledger.removed.has(known))
      this.#report("one-job-per-key", `${ask.plan.tag} gave ${known}, then ${job}`);
    const session = this.#session;
    if (session === undefined) return;
    this.#noteAccepted(job);
    const isOwn = this.#stage.ledger.jobs.get(job)?.record.session === session.id;
    // Asked for again in the session that submitted it, a job starts no second stream; in one that has it all it may.
    if (isOwn && session.record.knows(job)) return;
    if (session.record.hasWhole(job)) session.record.allow(job, 0);
    else session.record.promise(job, 0, sentAfter);
  }

  #noteAccepted(job: string): void {
    const { accepted, heard, record } = this.#session ?? {};
    accepted?.add(job);
    if (record?.knows(job) === false) heard?.add(job);
  }

  /** Whether this session asked for the job's tree, be it that the answer was lost: then it may have the right to cancel it. */
  #askedFor(job: string): boolean {
    const { jobs } = this.#stage.ledger;
    const { input } = jobs.get(jobs.get(job)?.record.root ?? job) ?? {};
    // By its tag: nobody may have been told what became of an ask.
    const tag = input === undefined ? undefined : readPlan(JSON.parse(input)).tag;
    return [...(this.#session?.asks ?? [])].some((ask) => ask.job === job || ask.plan.tag === tag);
  }

  #unannounced(job: string, answersLost: readonly Request[]): Unannounced {
    // An answer on the way is no excuse: it must come before the first event, unless on another connection.
    const elsewhere = this.#line === this.#placing ? [] : (this.#line?.open.values() ?? []);
    const lost = [...answersLost, ...elsewhere];
    if (lost.some((request) => request.type === "subscribe" && request.job === job)) return "anywhere";
    return lost.some((request) => request.type === "submit") ? "at-its-beginning" : "nowhere";
  }

  #checkOrder(line: Line, requestId: string): void {
    for (const [id, { type }] of line.open) {
      if (type !== "submit") continue;
      if (id !== requestId) this.#report("requests-are-answered", `${requestId} was answered before the older ${id}`);
      return;
    }
  }

  #checkForeign(text: string): void {
    for (const [job] of text.matchAll(JOB_ID)) {
      const owner = this.#stage.ownerOf(job);
      if (owner !== this.principal) this.#report("principals-apart", `saw ${job} of ${owner}: ${text}`);
    }
  }

  #request(type: string, payload: object, request: Request): void {
    const id = this.#nextId();
    this.#line?.open.set(id, request);
    this.#send(type, payload, id);
  }

  #send(type: string, payload: object, id = this.#nextId()): void {
    const text = JSON.stringify({ arcp: "1.1", id, type, payload });
    this.#stage.onFrame?.(`${this.name} > ${text}`);
    this.#line?.client.send(text);
  }

  #nextId(): string {
    return `${this.name}-${++this.#requests}`;
  }

  #report(law: Parameters<Stage["judge"]["report"]>[0], detail: string): void {
    this.#stage.judge.report(law, `${this.name}: ${detail}`);
  }
}
