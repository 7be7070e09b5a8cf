/** What a case is handed: connections and sessions with the target, and what is known of it. Closed after the case. */
import type { OpenWebSocket } from "../client/web-socket.ts";
import type { World } from "../platform/world.ts";
import { FEATURES } from "../protocol/features.ts";
import type { JsonObject } from "../protocol/fields.ts";
import type { AgentRole } from "./agent-roles.ts";
import { type Frame, isTerminal } from "./frame.ts";
import { Peer } from "./peer.ts";
import { Session } from "./session.ts";
import { check, NotReached, prepare } from "./verdict.ts";

/** The runtime under test, and how to reach it. */
export interface Target {
  readonly url: string;
  readonly token: string;
  /** Of another principal. */
  readonly secondToken?: string | undefined;
  /** What the agents are called there. */
  readonly agents: Readonly<Record<AgentRole, string>>;
  /** The longest a case waits for any one thing. */
  readonly patienceMs: number;
  readonly world: World;
  readonly openWebSocket: OpenWebSocket;
}

/** How the hello or resume of a connection differs from the usual one. */
export interface Greeting {
  readonly features?: readonly string[];
  readonly token?: string;
  /** Added to the hello's payload. */
  readonly payload?: JsonObject;
  /** Added to the hello's envelope. */
  readonly envelope?: JsonObject;
}

/** Where a session is taken up again. */
export interface ResumeFrom {
  readonly session: Session;
  readonly after: number;
  readonly resumeToken?: string;
  readonly token?: string;
}

/** In which form the runtime takes a resume: the draft's `session.resume`, or inside the hello, as many clients send it. */
export type ResumeForm = "message" | "hello";

/** What is known of the target before the first case. */
export interface Probed {
  readonly welcome: Frame;
  /** Undefined when it resumes in neither form. */
  readonly resumeForm: ResumeForm | undefined;
}

/** Between the end of a connection and its resumption: a runtime may need a moment to put the session aside. */
const ASIDE_MS = 50;

const ALL_FEATURES: readonly string[] = FEATURES.filter((feature) => !feature.startsWith("x-"));

export class Bench {
  readonly target: Target;
  /** Milliseconds; undefined where the runtime names none. */
  readonly heartbeatMs: number | undefined;
  readonly resumeWindowMs: number | undefined;
  readonly resumeForm: ResumeForm | undefined;
  readonly #peers: Peer[] = [];
  #unique = 0;
  readonly #seed: string;

  constructor(target: Target, probed: Probed | undefined) {
    this.target = target;
    this.heartbeatMs = milliseconds(probed?.welcome.payload.heartbeat_interval_sec);
    this.resumeWindowMs = milliseconds(probed?.welcome.payload.resume_window_sec);
    this.resumeForm = probed?.resumeForm;
    this.#seed = target.world.ids.next("cmd");
  }

  /** What a hello asks for by default. */
  get allFeatures(): readonly string[] {
    return ALL_FEATURES;
  }

  agent(role: AgentRole): string {
    return this.target.agents[role];
  }

  /** A text that no other run of the suite has used: an idempotency key, a nonce, an input. */
  unique(): string {
    this.#unique++;
    return `conformance-${this.#seed}-${this.#unique}`;
  }

  /** A connection without a hello. */
  async connect(): Promise<Peer> {
    const { url, openWebSocket, world, patienceMs } = this.target;
    const peer = new Peer({ url, openWebSocket, world, patienceMs });
    this.#peers.push(peer);
    await peer.opened();
    return peer;
  }

  /** Says hello on a new connection and returns what comes back: the welcome or a refusal. */
  async greet(
    greeting: Greeting = {},
  ): Promise<{ readonly peer: Peer; readonly answer: Frame; readonly asked: readonly string[] }> {
    const { features = ALL_FEATURES, token = this.target.token, payload = {}, envelope = {} } = greeting;
    const peer = await this.connect();
    const hello = {
      client: { name: "leasehold-conformance", version: "1" },
      auth: { scheme: "bearer", token },
      capabilities: { encodings: ["json"], features },
      ...payload,
    };
    peer.send("session.hello", hello, envelope);
    const answer = await peer.expect("an answer to session.hello", ({ type }) => GREETED.has(type));
    return { peer, answer, asked: features };
  }

  /** Opens a session as a preparation. */
  open(greeting: Greeting = {}): Promise<Session> {
    return prepare("opening a session", async () => {
      const { peer, answer, asked } = await this.greet(greeting);
      if (answer.type !== "session.welcome") throw new NotReached(`opening a session: ${String(answer.payload.code)}`);
      return new Session(peer, answer, asked, (ms) => this.pause(ms));
    });
  }

  /** Opens a session of the second principal as a preparation. */
  openSecond(): Promise<Session> {
    const { secondToken } = this.target;
    if (secondToken === undefined) throw new NotReached("no second token was given");
    return this.open({ token: secondToken });
  }

  /** Drops the session's connection and asks for it again (§6.3), in a form that works; returns what comes back. */
  askResume(from: ResumeFrom): Promise<{ readonly peer: Peer; readonly answer: Frame }> {
    if (this.resumeForm === undefined) throw new NotReached("the runtime resumes in no form");
    return this.askResumeAs(this.resumeForm, from);
  }

  async askResumeAs(
    form: ResumeForm,
    { session, after, resumeToken = session.resumeToken, token = this.target.token }: ResumeFrom,
  ): Promise<{ readonly peer: Peer; readonly answer: Frame }> {
    await session.peer.hangUp();
    await this.pause(ASIDE_MS);
    const resume = { session_id: session.id, resume_token: resumeToken, last_event_seq: after };
    if (form === "hello") return await this.greet({ token, payload: { resume } });
    const peer = await this.connect();
    peer.send("session.resume", { ...resume, auth: { scheme: "bearer", token } }, { session_id: session.id });
    const answer = await peer.expect("an answer to session.resume", ({ type }) => GREETED.has(type));
    return { peer, answer };
  }

  /** @throws Unmet when the runtime refuses to resume. */
  async resume(from: ResumeFrom): Promise<Session> {
    const { peer, answer } = await this.askResume(from);
    check(answer.type === "session.welcome", () => `the resume was refused with ${String(answer.payload.code)}`);
    return new Session(peer, answer, [...from.session.features], (ms) => this.pause(ms));
  }

  pause(ms: number): Promise<void> {
    return new Promise((resolve) => void this.target.world.timers.after(ms, resolve));
  }

  /** Cancels what the case left running, as far as that goes, and drops its connections. */
  close(): void {
    for (const peer of this.#peers) {
      const ended = new Set(peer.frames.filter(isTerminal).map(({ job_id }) => job_id));
      for (const { type, payload, session_id } of peer.frames) {
        const { job_id } = payload;
        if (type !== "job.accepted" || typeof job_id !== "string" || ended.has(job_id)) continue;
        peer.send("job.cancel", { job_id, reason: "the conformance case is over" }, { session_id, job_id });
      }
      peer.drop();
    }
  }
}

const GREETED: ReadonlySet<string> = new Set(["session.welcome", "session.error"]);

function milliseconds(seconds: unknown): number | undefined {
  return typeof seconds === "number" && seconds > 0 ? seconds * 1_000 : undefined;
}
