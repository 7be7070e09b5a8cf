/**
 * Brings a connection to the head of its session's stream. First come the places that are durable and that this
 * connection has not been sent; then entries nobody has placed yet, page by page, each page with a commit of its own;
 * once a look at all followed logs finds nothing more, the stream goes live. A full socket pauses it: the cursors wait.
 */

import type { JobId } from "../../kernel/ids.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { lastSeqOf } from "../../kernel/log/entry.ts";
import { chunkAfter } from "../../kernel/log/follow.ts";
import type { Chunk, Segment } from "../../kernel/ports.ts";
import type { Log } from "../../platform/log.ts";
import type { Timers } from "../../platform/world.ts";
import { CLOSE } from "../../protocol/framing.ts";
import type { Connection } from "../../transports/connection.ts";
import type { FramedJob } from "./event-frames.ts";
import type { Outbox } from "./outbox.ts";
import { PlacementPlan, type SessionStream } from "./session-stream.ts";

/** Entries read, placed and sent at a time. */
const PAGE_ENTRIES = 4_096;
/** Segments read at a time while replaying. */
const PAGE_SEGMENTS = 256;
/** After a fault of the store: how long until the next try. */
const RETRY_MS = 1_000;

type JobReader = Pick<Kernel, "readChunks" | "readSegments" | "readHeads" | "readJob" | "plan">;

export class CatchUp {
  readonly #kernel: JobReader;
  readonly #outbox: Outbox;
  readonly #timers: Timers;
  readonly #log: Log;

  constructor(options: { kernel: JobReader; outbox: Outbox; timers: Timers; log: Log }) {
    this.#kernel = options.kernel;
    this.#outbox = options.outbox;
    this.#timers = options.timers;
    this.#log = options.log;
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
    const timer = this.#timers.after(RETRY_MS, () => {
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
    const heads = await this.#kernel.readHeads([...stream.follows.keys()]);
    for (const [job, followed] of stream.follows) {
      if (followed.cursor < (heads.get(job) ?? 0)) return this.#placePage(stream, connection, job, followed.cursor);
    }
    await this.#goLive(stream, connection);
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
      let from = segment.firstJobSeq - 1;
      let firstEventSeq = segment.firstEventSeq;
      while (from < segment.lastJobSeq) {
        const chunks = clip(await this.#page(segment.job, from, segment.lastJobSeq), from, segment.lastJobSeq);
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

  /** Places and sends the next entries of one job. */
  async #placePage(stream: SessionStream, connection: Connection, job: JobId, after: number): Promise<void> {
    const framedJob = await this.#framedJob(job);
    const chunks = clip(await this.#page(job, after), after);
    if (chunks.length === 0) return;
    await this.#planned((resolve, reject) => {
      if (stream.connection !== connection || stream.follows.get(job)?.cursor !== after) return resolve();
      const plan = new PlacementPlan(stream);
      plan.add(framedJob, chunks);
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
      if (stream.connection === connection && !stream.behind && stream.sent === stream.head) stream.mode = "live";
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

  async #framedJob(id: JobId): Promise<FramedJob> {
    const job = await this.#kernel.readJob(id);
    if (job === undefined) throw new Error(`job ${id} of a followed log is missing`);
    return job;
  }

  #page(job: JobId, after: number, upTo?: number): Promise<readonly Chunk[]> {
    return this.#kernel.readChunks({ job, after, limit: PAGE_ENTRIES, ...(upTo === undefined ? {} : { upTo }) });
  }
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
