/** For tests: one session over as many connections as it takes, each resuming from where the stream stands. */
import {
  decoded,
  type HelloOptions,
  isPlaced,
  isSequenced,
  type Placed,
  type Received,
  type ResumePoint,
  type Sequenced,
  type TestClient,
} from "./test-client.ts";
import type { TestRuntime } from "./test-runtime.ts";

export class TestSession {
  readonly #runtime: () => TestRuntime;
  readonly #options: HelloOptions & { readonly overloadBytes?: number };
  /** Every frame with a place in the stream, as it came, over all connections. */
  readonly stream: string[] = [];
  /** Everything else, over all connections. */
  readonly replies: Received[] = [];
  client: TestClient;
  point: ResumePoint | undefined;
  /** Cuts the line right after this many more frames. */
  dropAfter = Number.POSITIVE_INFINITY;

  constructor(runtime: () => TestRuntime, options: HelloOptions & { readonly overloadBytes?: number } = {}) {
    this.#runtime = runtime;
    this.#options = options;
    this.client = this.connect();
  }

  get events(): Sequenced[] {
    return this.stream.map(decoded).filter(isSequenced);
  }

  /** As `events`, with what tells of children. */
  get placed(): Placed[] {
    return this.stream.map(decoded).filter(isPlaced);
  }

  /** The stream of one job. */
  eventsOf(job: string): Sequenced[] {
    return this.events.filter((event) => event.job_id === job);
  }

  /** Connects, with a first frame: a hello, or a resume from the last place received. */
  connect(): TestClient {
    const { overloadBytes, ...hello } = this.#options;
    const client = this.#runtime().connect(overloadBytes === undefined ? {} : { overloadBytes });
    this.client = client;
    client.line.open({ frame: (text) => this.#receive(client, text), closed: () => {} });
    client.hello(this.point === undefined ? hello : { ...hello, resume: this.point });
    return client;
  }

  #receive(client: TestClient, text: string): void {
    // What an older connection still brings comes again over the newer one.
    if (client !== this.client) return;
    const message = decoded(text);
    if (isPlaced(message)) {
      this.stream.push(text);
      if (this.point !== undefined) this.point = { ...this.point, last_event_seq: message.event_seq };
    } else {
      this.replies.push(message);
      if (message.type === "session.welcome") {
        const { session_id, resume_token } = message.payload;
        this.point = { session_id, resume_token, last_event_seq: this.point?.last_event_seq ?? 0 };
      }
    }
    if (--this.dropAfter === 0) client.line.drop();
  }
}
