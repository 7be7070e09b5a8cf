/**
 * One session's stream: which places of it are taken, what it follows, and how far the live connection has been sent.
 *
 *   parked        no connection; what happens meanwhile costs nothing, the cursors wait
 *   catching-up   a connection is being sent what it lacks, page by page, from the store
 *   live          the connection is at the head: events get their places in their own commit and are sent from memory
 *
 * Only `Outbox` and `CatchUp` move a stream, and only in callbacks of commits, so that what is here is durable.
 */

import type { JobId, SessionId } from "../../kernel/ids.ts";
import type { JobRecord } from "../../kernel/job/job-record.ts";
import { lastSeqOf } from "../../kernel/log/entry.ts";
import { endsLog } from "../../kernel/log/follow.ts";
import type { Chunk, Follow, Segment, Unfollow } from "../../kernel/ports.ts";
import { EVENT_KINDS } from "../../protocol/event-kinds.ts";
import type { Connection } from "../../transports/connection.ts";
import type { Lagging, LagReason } from "./back-pressure.ts";
import { childAcceptedFrame } from "./delegated-jobs.ts";
import { EventFrames, type FramedJob } from "./event-frames.ts";
import { permissionRequestFrame, VENDOR } from "./permission-requests.ts";

export type StreamMode = "parked" | "catching-up" | "live";

/** One job a session receives. */
export interface FollowedJob {
  /** The last `job_seq` placed in the stream. */
  cursor: number;
  mayCancel: boolean;
  /** Made when the first frame of the job is built. */
  frames: EventFrames | undefined;
}

/** Consecutive entries of one job, and the places they take in a stream. */
export interface Placement {
  readonly segment: Segment;
  readonly chunks: readonly Chunk[];
  readonly job: FramedJob;
}

export class SessionStream {
  readonly session: SessionId;
  /** Kind codes the session's features hide from it. */
  readonly #hidden: string;
  /** The session is told of what is delegated by jobs that it may cancel, and follows it. */
  readonly takesChildren: boolean;
  /** The session is asked for what jobs ask for that it may cancel. */
  readonly #takesRequests: boolean;
  readonly follows = new Map<JobId, FollowedJob>();
  /** Every followed job whose log may hold committed entries without a place here; none is missing from it. */
  readonly lagging = new Set<JobId>();
  mode: StreamMode = "parked";
  connection: Connection | undefined;
  /** The highest `event_seq` whose place is durable. */
  head: number;
  /** The highest `event_seq` handed to the live connection. */
  sent = 0;
  /** Set when something happened that a stream which is catching up has not seen. */
  behind = false;
  /** The client is to be told that it lags, once the stream has come to its head. */
  untold: Lagging | undefined;
  /** When it was told last, in milliseconds since the epoch. */
  toldAt = Number.NEGATIVE_INFINITY;
  /** The highest `event_seq` that the client is known to have: from it the lag is counted. */
  #known = 0;
  /** It lags by more than `#mostUnacknowledged`, and has not come back to half of that. */
  #acknowledgesLate = false;
  readonly #mostUnacknowledged: number;
  /** What is to be answered once everything placed before has been sent. */
  #answers: (() => void)[] = [];
  #wake: (() => void) | undefined;

  /** @param options.mostUnacknowledged events from which the client is told that it lags; `Infinity` without `ack`. */
  constructor(options: {
    session: SessionId;
    hidden: string;
    head: number;
    takesChildren?: boolean;
    takesRequests?: boolean;
    mostUnacknowledged?: number;
  }) {
    this.session = options.session;
    this.#hidden = options.hidden;
    this.takesChildren = options.takesChildren ?? false;
    this.#takesRequests = options.takesRequests ?? false;
    this.head = options.head;
    this.#mostUnacknowledged = options.mostUnacknowledged ?? Number.POSITIVE_INFINITY;
  }

  follow(job: JobId, cursor: number, mayCancel: boolean): FollowedJob {
    const followed: FollowedJob = { cursor, mayCancel, frames: undefined };
    this.follows.set(job, followed);
    return followed;
  }

  /** A connection that has been sent everything up to `sent`. It has to catch up before it is live. */
  attach(connection: Connection, sent: number): void {
    this.connection = connection;
    this.sent = sent;
    this.#known = sent;
    this.#acknowledgesLate = false;
    // They were for the connection before.
    this.#answers = [];
    this.mode = "catching-up";
    this.signal();
  }

  /**
   * Calls `answer` when the connection has been sent every place that is durable now: at once, unless it catches up. Places
   * of an earlier follow of the job must not come after the answer that says where the next one begins.
   */
  answerInOrder(answer: () => void): void {
    if (this.connection === undefined || (this.sent >= this.head && this.#answers.length === 0)) answer();
    else this.#answers.push(answer);
  }

  /** To be called when every durable place has been sent, and before anything else is placed. */
  giveAnswers(): void {
    for (const answer of this.#answers.splice(0)) answer();
  }

  /** Forgets the connection, unless a newer one has taken its place. */
  detach(connection: Connection): void {
    if (this.connection !== connection) return;
    this.connection = undefined;
    this.mode = "parked";
    this.signal();
  }

  /** Entries of a followed job are, or may be, durable without a place in this stream. */
  lag(job: JobId): void {
    this.lagging.add(job);
    this.fallBehind();
  }

  unfollow(job: JobId): void {
    this.follows.delete(job);
    this.lagging.delete(job);
  }

  /** The client says that it has everything up to here. */
  acknowledge(eventSeq: number): void {
    this.#known = Math.max(this.#known, eventSeq);
    if (this.sent - this.#known <= this.#mostUnacknowledged / 2) this.#acknowledgesLate = false;
  }

  /** To be called when more was sent: notes when the client acknowledges too late. */
  watchAcknowledgements(job: FramedJob): void {
    if (this.#acknowledgesLate || this.sent - this.#known <= this.#mostUnacknowledged) return;
    this.#acknowledgesLate = true;
    this.tellLag("unacknowledged", job);
  }

  /** The client lags: it is told as soon as the stream has come to its head. */
  tellLag(reason: LagReason, job: FramedJob): void {
    this.untold ??= { reason, unacknowledged: this.sent - this.#known, job };
    this.fallBehind();
  }

  /** There is something the connection lacks that no commit will bring it: it has to catch up. */
  fallBehind(): void {
    if (this.mode === "live") this.mode = "catching-up";
    this.signal();
  }

  /** Wakes whoever waits in `changed`. */
  signal(): void {
    this.behind = true;
    this.#wake?.();
  }

  /** Resolves at the next `signal`, or at once when there was one since `behind` was last cleared. */
  changed(): Promise<void> {
    if (this.behind) return Promise.resolve();
    return new Promise((resolve) => {
      this.#wake = () => {
        this.#wake = undefined;
        resolve();
      };
    });
  }

  /** True when the session is to be told of the children that this job delegates. */
  takesChildrenOf(job: JobId): boolean {
    return this.takesChildren && this.follows.get(job)?.mayCancel === true;
  }

  /** True when the session sees no chunks of a streamed result, and needs it put together. */
  get needsWholeResults(): boolean {
    return this.#hidden.includes(EVENT_KINDS.result_chunk.code);
  }

  /** How many entries of a chunk the session sees. */
  countVisible(kinds: string): number {
    if (this.#hidden === "") return kinds.length;
    let count = 0;
    for (const code of kinds) if (!this.#hidden.includes(code)) count++;
    return count;
  }

  /** Frames of the places after `after`. */
  framesOf({ segment, chunks, job }: Placement, after: number): string[] {
    if (segment.frame !== undefined) return segment.firstEventSeq > after ? [segment.frame] : [];
    const followed = this.follows.get(job.id);
    const frames = followed?.frames ?? new EventFrames(this.session, job);
    if (followed !== undefined) followed.frames = frames;
    const texts: string[] = [];
    const takesRequests = this.#takesRequests && followed?.mayCancel === true;
    let eventSeq = segment.firstEventSeq;
    for (const chunk of chunks) {
      for (let index = 0; index < chunk.payloads.length; index++) {
        const jobSeq = chunk.firstSeq + index;
        const code = chunk.kinds.charAt(index);
        if (jobSeq < segment.firstJobSeq || jobSeq > segment.lastJobSeq) continue;
        if (this.#hidden !== "" && this.#hidden.includes(code)) continue;
        if (eventSeq > after) {
          const payload = chunk.payloads[index] as string;
          const request =
            takesRequests && code === VENDOR ? permissionRequestFrame(this.session, job, payload, jobSeq) : undefined;
          if (request !== undefined) texts.push(request);
          texts.push(frames.frame(code, payload, jobSeq, eventSeq));
        }
        eventSeq++;
      }
    }
    return texts;
  }
}

/** Plans consecutive places for one stream, from its durable head on. Nothing is taken until `take`. */
export class PlacementPlan {
  readonly stream: SessionStream;
  readonly placements: Placement[] = [];
  readonly #children = new Map<JobId, { readonly isNew: boolean }>();
  readonly #cursors = new Map<JobId, number>();
  readonly #ended = new Set<JobId>();
  #head: number;

  constructor(stream: SessionStream) {
    this.stream = stream;
    this.#head = stream.head;
  }

  /** Gives the entries of `chunks`, consecutive ones of one job, their places. */
  add(job: FramedJob & Pick<JobRecord, "id">, chunks: readonly Chunk[]): void {
    const first = chunks[0];
    const last = chunks.at(-1);
    if (first === undefined || last === undefined) return;
    const visible = chunks.reduce((sum, chunk) => sum + this.stream.countVisible(chunk.kinds), 0);
    this.#cursors.set(job.id, lastSeqOf(last));
    if (endsLog(last)) this.#ended.add(job.id);
    if (visible === 0) return;
    const segment: Segment = {
      session: this.stream.session,
      firstEventSeq: this.#head + 1,
      lastEventSeq: this.#head + visible,
      job: job.id,
      firstJobSeq: first.firstSeq,
      lastJobSeq: lastSeqOf(last),
    };
    this.#head += visible;
    this.placements.push({ segment, chunks, job });
  }

  /** Gives a frame that is no entry of a log the next place. */
  addFrame(job: FramedJob, textAt: (eventSeq: number) => string): void {
    const eventSeq = ++this.#head;
    const place = { session: this.stream.session, firstEventSeq: eventSeq, lastEventSeq: eventSeq, job: job.id };
    const segment: Segment = { ...place, firstJobSeq: 0, lastJobSeq: 0, frame: textAt(eventSeq) };
    this.placements.push({ segment, chunks: [], job });
  }

  /**
   * Tells the session of a child, at the next place: the child's log follows it, from its first entry.
   * @param isNew nothing of the child's log is durable without this very commit telling the stream so.
   */
  addChild(child: JobRecord, isNew: boolean): void {
    if (this.#children.has(child.id)) return;
    this.#children.set(child.id, { isNew });
    this.addFrame(child, (eventSeq) => childAcceptedFrame(this.stream.session, child, eventSeq));
  }

  /** Children the session was told of. */
  get children(): ReadonlyMap<JobId, { readonly isNew: boolean }> {
    return this.#children;
  }

  /** One for each child. One that was subscribed to goes on where it is, and may be cancelled from now on. */
  get follows(): Follow[] {
    const { session, head, follows } = this.stream;
    return Array.from(this.#children.keys(), (job) => {
      return { session, job, cursor: follows.get(job)?.cursor ?? 0, mayCancel: true, since: head };
    });
  }

  get segments(): Segment[] {
    return this.placements.map((placement) => placement.segment);
  }

  /** Follows of jobs whose log the session then has to the end: they have nothing left to receive. */
  get unfollows(): Unfollow[] {
    return Array.from(this.#ended, (job) => ({ session: this.stream.session, job }));
  }

  /** The places are durable: takes them. Returns the jobs whose log the session now has to the end. */
  take(): ReadonlySet<JobId> {
    this.stream.head = this.#head;
    for (const [job, cursor] of this.#cursors) {
      const followed = this.stream.follows.get(job);
      if (followed !== undefined) followed.cursor = cursor;
    }
    return this.#ended;
  }
}
