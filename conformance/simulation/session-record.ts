/**
 * What one session's client has seen, held against the stream laws. Knows nothing of the runtime: the kill test keeps
 * the same record of a real one.
 */
import type { Judge } from "./laws.ts";

/** A frame with a place in a session's stream. */
export interface PlacedFrame {
  /** False for what the session alone is told, such as `back_pressure`: it is no entry of the job's log. */
  readonly onLog: boolean;
  readonly eventSeq: number;
  readonly job: string;
  readonly jobSeq: number;
  readonly terminal: boolean;
  /** The session is told of a child: its log follows. */
  readonly accepts: boolean;
  readonly text: string;
}

export interface Frame {
  readonly type: string;
  readonly id: string;
  readonly session_id?: string;
  readonly job_id?: string;
  readonly event_seq?: number;
  readonly payload: Readonly<Record<string, unknown>>;
}

/** The place of `frame` in its stream; undefined for a message that has none. */
export function placeOf(frame: Frame, text: string): PlacedFrame | undefined {
  const { type, event_seq: eventSeq, job_id: job = "", payload } = frame;
  if (eventSeq === undefined) return undefined;
  const onLog = payload.job_seq !== undefined;
  const terminal = type === "job.result" || type === "job.error";
  return { onLog, eventSeq, job, jobSeq: Number(payload.job_seq), terminal, accepts: type === "job.accepted", text };
}

interface Reading {
  /** The `job_seq` that was seen last; undefined when the reading has not begun, or is over. */
  last: number | undefined;
  /** Positions after which an answer said that the log would follow, each for one reading at most. */
  promised: number[];
  /** A promise was made that no event has kept yet. */
  owed: boolean;
  /** The place of the terminal seen last; 0 for none. */
  endedAt: number;
  /** The reading under way began with the log's first entry. */
  fromStart: boolean;
  /** The stream holds the log from its first entry to its terminal. */
  whole: boolean;
  /** The session has said that it wants no more: whether that arrives, and when, nobody tells it. */
  left: boolean;
  /** It was left and asked for again: it goes on, or begins anew where the answer said. */
  wasLeft: boolean;
}

/** Where a job's log may begin without an answer having said so: the answer was lost, or is on its way. */
export type Unannounced = "anywhere" | "at-its-beginning" | "nowhere";

export interface SessionRecordOptions {
  /** For messages about breaches. */
  readonly name: string;
  readonly judge: Judge;
  unannounced(job: string): Unannounced;
  /** Whether the session's features hide this entry. Default: nothing is hidden. */
  isHidden?(job: string, jobSeq: number): boolean;
}

export class SessionRecord {
  readonly #options: SessionRecordOptions;
  readonly #texts: string[] = [];
  readonly #readings = new Map<string, Reading>();

  constructor(options: SessionRecordOptions) {
    this.#options = options;
  }

  /** The last place up to which everything was seen; 0 for none. */
  get received(): number {
    return this.#texts.length;
  }

  /** Jobs whose log was promised or begun, and has not come to its end. */
  get unfinished(): string[] {
    return [...this.#readings]
      .filter(([, { last, owed, left }]) => !left && (last !== undefined || owed))
      .map(([job]) => job);
  }

  /** Whether the job's log was seen from its first entry to its terminal. */
  hasWhole(job: string): boolean {
    return this.#readings.get(job)?.whole === true;
  }

  /** Whether anything of this job was seen or promised. */
  knows(job: string): boolean {
    const reading = this.#readings.get(job);
    return reading !== undefined && (reading.last !== undefined || reading.endedAt > 0 || reading.promised.length > 0);
  }

  /**
   * An answer says that the job's log follows from after `jobSeq`.
   * @param askedAfter the last place that had been received when the request was sent.
   */
  promise(job: string, jobSeq: number, askedAfter: number): void {
    this.allow(job, jobSeq);
    const reading = this.#readingOf(job);
    // A request sent while the log was being read changes nothing: it simply went on.
    // Nor does the answer to one that was taken back meanwhile.
    const begins = !reading.left && (reading.last === undefined || reading.wasLeft);
    if (begins && askedAfter >= reading.endedAt) reading.owed = true;
  }

  /** The session has asked for the job's log, be it again. */
  want(job: string): void {
    const reading = this.#readingOf(job);
    reading.wasLeft ||= reading.left;
    reading.left = false;
  }

  /** The session wants no more of the job's log. */
  leave(job: string): void {
    const reading = this.#readingOf(job);
    reading.left = true;
    // Asked for again, it is the answer to that which says whether anything follows.
    reading.owed = false;
  }

  /** The job's log may follow from after `jobSeq`, if there is more of it. */
  allow(job: string, jobSeq: number): void {
    this.#readingOf(job).promised.push(jobSeq);
  }

  /** An answer says that the job is over, and that nothing of its log follows but what may be under way. */
  excuse(job: string, jobSeq: number): void {
    this.allow(job, jobSeq);
    const reading = this.#readingOf(job);
    // Left before this was asked, it owes nothing by an earlier answer either.
    if (reading.wasLeft) reading.owed = false;
  }

  /** A new connection that asked for what comes after `lastEventSeq`. Returns what takes its placed frames. */
  connection(lastEventSeq: number): (frame: PlacedFrame) => void {
    let last = lastEventSeq;
    return (frame) => {
      if (frame.eventSeq !== last + 1) {
        this.#report("no-gap-or-repeat", `event_seq ${frame.eventSeq} came after ${last}`);
      }
      last = frame.eventSeq;
      this.#place(frame);
    };
  }

  #place(frame: PlacedFrame): void {
    const known = this.#texts[frame.eventSeq - 1];
    if (known === undefined) {
      this.#texts.push(frame.text);
      if (frame.onLog) this.#read(frame);
      if (frame.accepts) this.promise(frame.job, 0, frame.eventSeq);
    } else if (known !== frame.text) {
      this.#report("same-bytes-on-replay", `event_seq ${frame.eventSeq} was ${known} and is ${frame.text}`);
    }
  }

  #read({ job, jobSeq, terminal, eventSeq }: PlacedFrame): void {
    const wasKnown = this.#readings.has(job);
    const reading = this.#readingOf(job);
    const mayBeginAnew = reading.wasLeft || reading.left;
    if (reading.last !== undefined && (!mayBeginAnew || this.#isNext(job, reading.last, jobSeq))) {
      if (!this.#isNext(job, reading.last, jobSeq)) {
        this.#report("job-order", `job_seq ${jobSeq} of ${job} came after ${reading.last}`);
      }
    } else if (this.#mayBegin(job, reading, jobSeq)) {
      reading.fromStart = this.#isNext(job, 0, jobSeq);
      reading.wasLeft = false;
    } else {
      const law = wasKnown && reading.promised.length === 0 ? "one-terminal" : "only-what-is-followed";
      this.#report(law, `job_seq ${jobSeq} of ${job} came; promised were ${reading.promised.join(", ") || "none"}`);
    }
    reading.owed = false;
    reading.last = terminal ? undefined : jobSeq;
    if (terminal) {
      reading.endedAt = eventSeq;
      reading.whole ||= reading.fromStart;
    }
  }

  #mayBegin(job: string, reading: Reading, jobSeq: number): boolean {
    const kept = reading.promised.findIndex((after) => this.#isNext(job, after, jobSeq));
    if (kept >= 0) {
      reading.promised = reading.promised.toSpliced(kept, 1);
      return true;
    }
    const unannounced = this.#options.unannounced(job);
    return unannounced === "anywhere" || (unannounced === "at-its-beginning" && this.#isNext(job, 0, jobSeq));
  }

  /** Whether `jobSeq` is the first entry after `after` that this session may see. */
  #isNext(job: string, after: number, jobSeq: number): boolean {
    if (jobSeq <= after) return false;
    for (let skipped = after + 1; skipped < jobSeq; skipped++) {
      if (this.#options.isHidden?.(job, skipped) !== true) return false;
    }
    return true;
  }

  #readingOf(job: string): Reading {
    const known = this.#readings.get(job);
    if (known !== undefined) return known;
    const reading: Reading = {
      last: undefined,
      promised: [],
      owed: false,
      endedAt: 0,
      fromStart: false,
      whole: false,
      left: false,
      wasLeft: false,
    };
    this.#readings.set(job, reading);
    return reading;
  }

  #report(law: Parameters<Judge["report"]>[0], detail: string): void {
    this.#options.judge.report(law, `${this.#options.name}: ${detail}`);
  }
}
