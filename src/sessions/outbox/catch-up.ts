/**
 * Brings a connection to the head of its session's stream. First come the places that are durable and that this
 * connection has not been sent; then entries nobody has placed yet, page by page, each page with a commit of its own;
 * once no followed log lags, the stream goes live. A full socket pauses it: the cursors wait.
 *
 * What a page costs does not grow with the number of follows: only logs in `lagging` are looked at, several to a page.
 * Nothing read from the stream is kept over an await: jobs, cursors and the connection are looked at anew each time.
 */

import type { JobId } from "../../kernel/ids.ts";
import type { JobRecord } from "../../kernel/job/job-record.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { lastSeqOf } from "../../kernel/log/entry.ts";
import { chunkAfter } from "../../kernel/log/follow.ts";
import { type Chunk, PAGE_LENGTH, type Segment } from "../../kernel/ports.ts";
import type { Log } from "../../platform/log.ts";
import type { World } from "../../platform/world.ts";
import { CLOSE } from "../../protocol/framing.ts";
import type { Connection } from "../../transports/connection.ts";
import { AssembledResults } from "./assembled-result.ts";
import { backPressureFrame, type Lagging, TELL_EVERY_MS } from "./back-pressure.ts";
import { runsOf, tellsOfChildren } from "./delegated-jobs.ts";
import type { FramedJob } from "./event-frames.ts";
import type { Outbox } from "./outbox.ts";
import { PageTurns } from "./page-turns.ts";
import { PlacementPlan, type SessionStream } from "./session-stream.ts";

/** Entries read, placed and sent at a time, and the jobs they may come from. A page also ends at `PAGE_LENGTH`. */
const PAGE_ENTRIES = 4_096;
const PAGE_JOBS = 64;
/** Segments read at a time while replaying. */
const PAGE_SEGMENTS = 256;
/** After a fault of the store: how long until the next try. */
const RETRY_MS = 1_000;

type JobReader = Pick<
  Kernel,
  "readChunks" | "readSegments" | "readJob" | "keepHistory" | "readResult" | "readArtifact" | "addArtifact" | "plan"
>;

const NO_CHILDREN: ReadonlyMap<JobId, JobRecord> = new Map();

/** Entries of one job that follow `after`. */
interface Lag {
  readonly job: FramedJob;
  readonly after: number;
  readonly chunks: readonly Chunk[];
  /** Those that the entries tell of; none where the session does not hear of them. */
  readonly children: ReadonlyMap<JobId, JobRecord>;
}

export class CatchUp {
  readonly #kernel: JobReader;
  readonly #outbox: Outbox;
  readonly #world: World;
  readonly #log: Log;
  readonly #results: AssembledResults;
  /** All sessions together read no more than one page in a turn of the event loop. */
  readonly #turns: PageTurns;

  constructor(options: { kernel: JobReader; outbox: Outbox; world: World; log: Log }) {
    this.#kernel = options.kernel;
    this.#outbox = options.outbox;
    this.#world = options.world;
    this.#log = options.log;
    this.#results = new AssembledResults(options.kernel);
    this.#turns = new PageTurns(options.world.timers, PAGE_ENTRIES);
  }

  /** Feeds `connection` whenever its stream is not live, for as long as it is the stream's connection. Never rejects. */
  async run(stream: SessionStream, connection: Connection): Promise<void> {
    while (stream.connection === connection) {
      const waits = stream.mode === "live" || connection.overloaded;
      stream.behind = false;
      try {
        if (waits) await stream.changed();
        else await this.#step(stream, connection);
      } catch (error) {
        this.#log.error({ session: stream.session, err: error }, "a session cannot catch up; trying again");
        await this.#pause(stream, connection);
      }
    }
  }

  /** Waits `RETRY_MS`, or until the connection is not the stream's any more. */
  async #pause(stream: SessionStream, connection: Connection): Promise<void> {
    let over = false;
    const timer = this.#world.timers.after(RETRY_MS, () => {
      over = true;
      stream.signal();
    });
    while (!over && stream.connection === connection) {
      stream.behind = false;
      await stream.changed();
    }
    timer.cancel();
  }

  async #step(stream: SessionStream, connection: Connection): Promise<void> {
    if (stream.sent < stream.head) return this.#replay(stream, connection);
    stream.giveAnswers();
    if (stream.untold !== undefined) return this.#tell(stream, connection, stream.untold);
    const page = await this.#readLagging(stream);
    if (page.length > 0) await this.#place(stream, connection, page);
    else if (stream.lagging.size === 0) await this.#goLive(stream, connection);
  }

  /** Sends places that are durable already. */
  async #replay(stream: SessionStream, connection: Connection): Promise<void> {
    const segments = await this.#kernel.readSegments(stream.session, stream.sent, PAGE_SEGMENTS);
    if (stream.connection !== connection) return;
    if ((segments[0]?.firstEventSeq ?? Number.POSITIVE_INFINITY) > stream.sent + 1) {
      // Freed by an acknowledgement that another connection sent meanwhile. The client resumes, and is told.
      this.#log.warn({ session: stream.session, after: stream.sent }, "segments of a session are not kept any more");
      stream.detach(connection);
      connection.close(CLOSE.internalError, "events to be sent again are not kept any more");
      return;
    }
    for (const segment of segments) {
      const job = await this.#framedJob(segment.job);
      if (segment.frame !== undefined) {
        if (stream.connection !== connection) return;
        connection.send(stream.framesOf({ segment, chunks: [], job }, stream.sent));
        stream.sent = Math.max(stream.sent, segment.lastEventSeq);
        continue;
      }
      let from = segment.firstJobSeq - 1;
      let firstEventSeq = segment.firstEventSeq;
      while (from < segment.lastJobSeq) {
        const page = clip(await this.#page(segment.job, from, segment.lastJobSeq), from, segment.lastJobSeq);
        const chunks = stream.needsWholeResults ? await this.#results.put(page) : page;
        const last = chunks.at(-1);
        if (last === undefined) throw new Error(`entries after ${from} of job ${segment.job} are missing`);
        const visible = chunks.reduce((sum, chunk) => sum + stream.countVisible(chunk.kinds), 0);
        const part: Segment = {
          ...segment,
          firstEventSeq,
          lastEventSeq: firstEventSeq + visible - 1,
          firstJobSeq: from + 1,
          lastJobSeq: lastSeqOf(last),
        };
        if (stream.connection !== connection) return;
        connection.send(stream.framesOf({ segment: part, chunks, job }, stream.sent));
        stream.sent = Math.max(stream.sent, part.lastEventSeq);
        firstEventSeq += visible;
        from = part.lastJobSeq;
        if (connection.overloaded) return;
      }
    }
  }

  /**
   * The next entries that have no place. A job whose log holds none does not lag any more; it is taken from `lagging`
   * before its log is read, so that a commit that lands meanwhile puts it back.
   */
  async #readLagging(stream: SessionStream): Promise<Lag[]> {
    const page: Lag[] = [];
    let entries = 0;
    let length = 0;
    for (const id of firstOf(stream.lagging, PAGE_JOBS)) {
      if (entries >= PAGE_ENTRIES || length >= PAGE_LENGTH) break;
      const after = stream.follows.get(id)?.cursor;
      stream.lagging.delete(id);
      if (after === undefined) continue;
      try {
        const read = clip(await this.#page(id, after, undefined, PAGE_ENTRIES - entries), after);
        const chunks = stream.needsWholeResults ? await this.#results.put(read) : read;
        if (chunks.length === 0) continue;
        const children =
          stream.takesChildren && tellsOfChildren(chunks) ? await this.#children(id, chunks) : NO_CHILDREN;
        page.push({ job: await this.#framedJob(id), after, chunks, children });
        for (const { payloads } of chunks) {
          entries += payloads.length;
          for (const payload of payloads) length += payload.length;
        }
      } catch (error) {
        this.#putBack(stream, id);
        throw error;
      }
      // There may be more of it: known when nothing is found, or its terminal ends the follow.
      this.#putBack(stream, id);
    }
    return page;
  }

  /** Told aloud: a newer connection may have gone live while the job was in the hands of this one. */
  #putBack(stream: SessionStream, job: JobId): void {
    if (stream.follows.has(job)) stream.lag(job);
  }

  /** Places and sends a page, but for what somebody else has placed meanwhile. */
  async #place(stream: SessionStream, connection: Connection, page: readonly Lag[]): Promise<void> {
    await this.#planned((resolve, reject) => {
      if (stream.connection !== connection) return resolve();
      const plan = new PlacementPlan(stream);
      for (const { job, after, chunks, children } of page) {
        if (stream.follows.get(job.id)?.cursor !== after) continue;
        if (children.size === 0 || !stream.takesChildrenOf(job.id)) plan.add(job, chunks);
        else planTelling(plan, job, chunks, children);
      }
      return {
        rows: { segments: plan.segments, follows: plan.follows, unfollows: plan.unfollows },
        committed: () => {
          this.#outbox.publish(plan);
          resolve();
        },
        failed: reject,
      };
    });
  }

  /** Tells a client that it lags, at a place of its stream. Not if it was told a moment ago. */
  async #tell(stream: SessionStream, connection: Connection, lagging: Lagging): Promise<void> {
    const { clock, ids } = this.#world;
    stream.untold = undefined;
    if (clock.now() - stream.toldAt < TELL_EVERY_MS) return;
    // Its history may have gone since, where the client acknowledged all of it while it read nothing more.
    const job = await this.#kernel.readJob(lagging.job.id);
    if (job === undefined) return;
    stream.toldAt = clock.now();
    await this.#planned((resolve, reject) => {
      if (stream.connection !== connection) return resolve();
      if (!this.#kernel.keepHistory(job)) return resolve();
      const plan = new PlacementPlan(stream);
      const id = ids.next("msg");
      plan.addFrame(lagging.job, (eventSeq) =>
        backPressureFrame(stream.session, lagging, { id, eventSeq, now: clock.now() }),
      );
      return {
        rows: { segments: plan.segments },
        committed: () => {
          this.#outbox.publish(plan);
          resolve();
        },
        failed: reject,
      };
    });
  }

  /** Nothing is missing as far as the store knows. Decided between two commits, where nothing can be under way. */
  #goLive(stream: SessionStream, connection: Connection): Promise<void> {
    return this.#planned((resolve) => {
      const isAtHead = stream.lagging.size === 0 && !stream.behind && stream.sent === stream.head;
      if (stream.connection === connection && isAtHead) stream.mode = "live";
      return resolve();
    });
  }

  #planned(
    plan: (resolve: () => undefined, reject: (error: unknown) => void) => ReturnType<Parameters<Kernel["plan"]>[0]>,
  ): Promise<void> {
    return new Promise((settle, reject) => {
      const resolve = (): undefined => void settle();
      this.#kernel.plan(() => plan(resolve, reject));
    });
  }

  async #children(parent: JobId, chunks: readonly Chunk[]): Promise<ReadonlyMap<JobId, JobRecord>> {
    const children = new Map<JobId, JobRecord>();
    for (const { child: id } of runsOf(chunks)) {
      const child = id === undefined ? undefined : await this.#kernel.readJob(id);
      if (child?.parent === parent) children.set(child.id, child);
    }
    return children;
  }

  async #framedJob(id: JobId): Promise<FramedJob> {
    const job = await this.#kernel.readJob(id);
    if (job === undefined) throw new Error(`job ${id} of a followed log is missing`);
    return job;
  }

  async #page(job: JobId, after: number, upTo?: number, limit = PAGE_ENTRIES): Promise<readonly Chunk[]> {
    await this.#turns.next();
    let entries = 0;
    try {
      const chunks = await this.#kernel.readChunks({ job, after, limit, ...(upTo === undefined ? {} : { upTo }) });
      for (const { payloads } of chunks) entries += payloads.length;
      return chunks;
    } finally {
      this.#turns.spent(entries);
    }
  }
}

/** Plans entries of `job`, and each child behind the entry that tells of it. */
function planTelling(
  plan: PlacementPlan,
  job: FramedJob,
  chunks: readonly Chunk[],
  children: ReadonlyMap<JobId, JobRecord>,
): void {
  for (const { chunks: run, child: id } of runsOf(chunks)) {
    plan.add(job, run);
    const child = id === undefined ? undefined : children.get(id);
    if (child !== undefined) plan.addChild(child, false);
  }
}

function firstOf<Item>(items: Iterable<Item>, count: number): Item[] {
  const first: Item[] = [];
  for (const item of items) if (first.push(item) === count) break;
  return first;
}

/** The entries of `chunks` after `after` and up to `upTo`. */
function clip(chunks: readonly Chunk[], after: number, upTo: number = Number.POSITIVE_INFINITY): Chunk[] {
  const clipped: Chunk[] = [];
  for (const stored of chunks) {
    const chunk = chunkAfter(stored, after);
    if (chunk === undefined || chunk.firstSeq > upTo) continue;
    const keep = upTo - chunk.firstSeq + 1;
    clipped.push(
      keep >= chunk.payloads.length
        ? chunk
        : { ...chunk, kinds: chunk.kinds.slice(0, keep), payloads: chunk.payloads.slice(0, keep) },
    );
  }
  return clipped;
}
