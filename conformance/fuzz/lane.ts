/** One stranger: sends bad frames one after the other, and sees that each is answered or its connection closed. */
import { once } from "node:events";
import { WebSocket } from "ws";
import { decode } from "../../src/protocol/index.ts";
import type { FuzzFrame } from "./frames.ts";

export interface LaneOptions {
  readonly url: string;
  readonly token: string;
  /** Hears every resume token that comes by. */
  readonly onResumeToken: (token: string) => void;
}

/** A frame that was neither answered nor cost its sender the connection. */
class Unanswered extends Error {
  override readonly name = "Unanswered";
}

const PATIENCE_MS = 10_000;
/** A connection is given up after this many frames, and a session after this many connections. */
const FRAMES_PER_CONNECTION = 400;
const CONNECTIONS_PER_SESSION = 50;
/** Messages that are never answered, right or wrong in what they mean. */
const SILENT: ReadonlySet<string> = new Set(["session.ack", "session.pong", "job.unsubscribe"]);

interface Heard {
  readonly type: string;
  readonly nonce: unknown;
}

interface Line {
  readonly socket: WebSocket;
  readonly heard: Heard[];
  sent: number;
}

/** What it takes to resume: a runtime keeps each session for a while, and a new one for each connection would add up. */
interface Kept {
  readonly session_id: unknown;
  readonly resume_token: unknown;
  last_event_seq: number;
  connections: number;
}

export class Lane {
  readonly #options: LaneOptions;
  #line: Line | undefined;
  #kept: Kept | undefined;
  #marks = 0;
  answered = 0;
  closed = 0;
  connections = 0;

  constructor(options: LaneOptions) {
    this.#options = options;
  }

  /** @throws Unanswered */
  async send(frame: FuzzFrame, asFirstFrame: boolean): Promise<void> {
    if (asFirstFrame) this.#hangUp();
    this.#line ??= await this.#connect(!asFirstFrame);
    const line = this.#line;
    const before = line.heard.length;
    line.sent++;
    line.socket.send(frame.data, { binary: frame.binary });
    const mark = `mark-${++this.#marks}`;
    const needsAnswer = asFirstFrame || isAlwaysAnswered(frame);
    if (!needsAnswer) {
      line.socket.send(JSON.stringify({ arcp: "1.1", id: mark, type: "session.ping", payload: { nonce: mark } }));
    }
    const isOver = (): boolean =>
      needsAnswer ? line.heard.length > before : line.heard.slice(before).some(({ nonce }) => nonce === mark);
    const outcome = await this.#until(line, isOver);
    if (outcome === "late") throw new Unanswered(`not answered, and not closed: ${shown(frame)}`);
    if (outcome === "closed") {
      this.closed++;
      this.#line = undefined;
      return;
    }
    this.answered++;
    // What was taken for a first frame ends in a close, or in a session that nobody wants.
    if (asFirstFrame || line.sent >= FRAMES_PER_CONNECTION) this.#hangUp();
  }

  #hangUp(): void {
    this.#line?.socket.terminate();
    this.#line = undefined;
  }

  close(): void {
    this.#hangUp();
  }

  async #connect(welcomed: boolean): Promise<Line> {
    const line = await this.#open();
    if (!welcomed) return line;
    if (this.#kept !== undefined && ++this.#kept.connections < CONNECTIONS_PER_SESSION) {
      const { connections: _, ...resume } = this.#kept;
      if (await this.#greet(line, { resume })) return line;
    }
    this.#kept = undefined;
    const fresh = await this.#open();
    if (!(await this.#greet(fresh, {}))) throw new Unanswered("a proper hello was not welcomed");
    return fresh;
  }

  async #open(): Promise<Line> {
    this.#hangUp();
    const socket = new WebSocket(this.#options.url);
    const line: Line = { socket, heard: [], sent: 0 };
    this.#line = line;
    socket.on("error", () => {});
    socket.on("message", (data) => this.#hear(line, String(data)));
    await once(socket, "open");
    this.connections++;
    return line;
  }

  /** Returns whether the runtime said welcome. */
  async #greet(line: Line, resume: object): Promise<boolean> {
    const features = ["heartbeat", "ack", "list_jobs", "subscribe", "lease_expires_at", "cost.budget", "progress"];
    const payload = { auth: { token: this.#options.token }, capabilities: { features }, ...resume };
    line.socket.send(JSON.stringify({ arcp: "1.1", id: "hello", type: "session.hello", payload }));
    await this.#until(line, () => line.heard.length > 0);
    return line.heard[0]?.type === "session.welcome";
  }

  #hear(line: Line, text: string): void {
    const {
      type,
      payload,
      event_seq: seq,
    } = JSON.parse(text) as {
      type: string;
      payload: Record<string, unknown>;
      event_seq?: number;
    };
    if (type === "session.welcome") {
      const { session_id, resume_token } = payload;
      this.#options.onResumeToken(String(resume_token));
      const known = this.#kept?.session_id === session_id ? this.#kept : undefined;
      this.#kept = { last_event_seq: 0, connections: 0, ...known, session_id, resume_token };
    }
    if (seq !== undefined && this.#kept !== undefined) this.#kept.last_event_seq = seq;
    // Events are answers to nothing, and a runtime's own pings come at any time.
    if (type === "job.event" || type === "job.result" || type === "job.error" || type === "session.ping") return;
    line.heard.push({ type, nonce: payload.ping_nonce });
    line.socket.emit("heard");
  }

  #until({ socket }: Line, isOver: () => boolean): Promise<"over" | "closed" | "late"> {
    return new Promise((resolve) => {
      const finish = (outcome: "over" | "closed" | "late"): void => {
        clearTimeout(timer);
        socket.off("heard", look);
        socket.off("close", end);
        resolve(outcome);
      };
      const look = (): void => {
        if (isOver()) finish("over");
      };
      const end = (): void => finish("closed");
      const timer = setTimeout(() => finish("late"), PATIENCE_MS);
      socket.on("heard", look);
      socket.on("close", end);
      if (socket.readyState === WebSocket.CLOSED) end();
      else look();
    });
  }
}

/** But for what is, by chance, a proper message that is never answered: there the answer to a ping shows that it was read. */
function isAlwaysAnswered({ data, binary }: FuzzFrame): boolean {
  if (binary) return true;
  const decoded = decode(typeof data === "string" ? data : new TextDecoder().decode(data), "to-runtime");
  return !decoded.ok || !SILENT.has(decoded.message.type);
}

function shown({ data }: FuzzFrame): string {
  const text = typeof data === "string" ? data : Buffer.from(data).toString("hex");
  return text.length > 500 ? `${text.slice(0, 500)}… (${text.length} long)` : text;
}
