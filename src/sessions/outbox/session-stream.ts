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
import type { Chunk, Segment } from "../../kernel/ports.ts";
import type { Connection } from "../../transports/connection.ts";
import { EventFrames, type FramedJob } from "./event-frames.ts";

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
  readonly follows = new Map<JobId, FollowedJob>();
  mode: StreamMode = "parked";
  connection: Connection | undefined;
  /** The highest `event_seq` whose place is durable. */
  head: number;
  /** The highest `event_seq` handed to the live connection. */
  sent = 0;
  /** Set when something happened that a stream which is catching up has not seen. */
  behind = false;
  #wake: (() => void) | undefined;

  constructor(options: { session: SessionId; hidden: string; head: number }) {
    this.session = options.session;
    this.#hidden = options.hidden;
    this.head = options.head;
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
    this.mode = "catching-up";
    this.signal();
  }

  /** Forgets the connection, unless a newer one has taken its place. */
  detach(connection: Connection): void {
    if (this.connection !== connection) return;
    this.connection = undefined;
    this.mode = "parked";
    this.signal();
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

  /** How many entries of a chunk the session sees. */
  countVisible(kinds: string): number {
    if (this.#hidden === "") return kinds.length;
    let count = 0;
    for (const code of kinds) if (!this.#hidden.includes(code)) count++;
    return count;
  }

  /** Frames of the places after `after`. */
  framesOf({ segment, chunks, job }: Placement, after: number): string[] {
    const followed = this.follows.get(job.id);
    const frames = followed?.frames ?? new EventFrames(this.session, job);
    if (followed !== undefined) followed.frames = frames;
    const texts: string[] = [];
    let eventSeq = segment.firstEventSeq;
    for (const chunk of chunks) {
      for (let index = 0; index < chunk.payloads.length; index++) {
        const jobSeq = chunk.firstSeq + index;
        const code = chunk.kinds.charAt(index);
        if (jobSeq < segment.firstJobSeq || jobSeq > segment.lastJobSeq) continue;
        if (this.#hidden !== "" && this.#hidden.includes(code)) continue;
        if (eventSeq > after) texts.push(frames.frame(code, chunk.payloads[index] as string, jobSeq, eventSeq));
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

  get segments(): Segment[] {
    return this.placements.map((placement) => placement.segment);
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
