/**
 * Changes of jobs, gathered for each reader of the feed: the latest of every job, not each by itself. So a reader that is
 * slow, or jobs that change by the thousand, cost one row a job; beyond a number of jobs the reader is told that it has
 * missed some, and reads the listing again.
 */
import type { Static } from "typebox";
import type { PermissionRow } from "../kernel/authority/permission.ts";
import type { JobId, PermissionId } from "../kernel/ids.ts";
import type { JobRecord } from "../kernel/job/job-record.ts";
import type { Kernel } from "../kernel/kernel.ts";
import type { Chunk } from "../kernel/ports.ts";
import type { Timers } from "../platform/world.ts";
import { EVENT_KINDS } from "../protocol/event-kinds.ts";
import { changeOf, type JobChange } from "./job-view.ts";
import { permissionView } from "./permission-view.ts";

/** Jobs and permissions whose changes may wait for one reader; one more, and all that wait are given up and told of as missed. */
export const MAX_WAITING_CHANGES = 1_000;
/** The least time between two writes of changes to one reader: what happens meanwhile is told as one. */
export const FEED_INTERVAL_MS = 100;
/**
 * A write begins no further permission once it has this many UTF-16 units, since arguments can be long: nobody else has a turn
 * while they are written. The others come with the next write.
 */
export const MAX_WRITE_LENGTH = 1_048_576;

/** What happened to a job, the least telling first: of several things since the last line, the last in this list is told. */
export const CHANGES = ["job.budget", "job.progress", "job.changed", "job.accepted", "job.ended"] as const;
export type ChangeType = (typeof CHANGES)[number];

interface WaitingChange {
  type: ChangeType;
  job: JobRecord;
  /** Payload of the latest `progress` event. */
  progress: string | undefined;
  /** Currency → what remains, of the counters that have moved. */
  remaining: Readonly<Record<string, string>> | undefined;
}

export class FeedReader {
  readonly #timers: Timers;
  readonly #maySee: (job: JobRecord) => boolean;
  readonly #stops: (() => void)[];
  #waiting = new Map<JobId, WaitingChange>();
  #permissions = new Map<PermissionId, PermissionRow>();
  #missed = 0;
  #woken = Promise.withResolvers<void>();

  /** Listens from now on, until `lines` has ended. */
  constructor(kernel: Pick<Kernel, "on">, timers: Timers, maySee: (job: JobRecord) => boolean) {
    this.#timers = timers;
    this.#maySee = maySee;
    this.#stops = [
      kernel.on("job:accepted", ({ job }) => this.#add("job.accepted", job)),
      kernel.on("job:changed", ({ job }) => this.#add("job.changed", job)),
      kernel.on("job:appended", ({ job, chunks }) => {
        const progress = latestProgress(chunks);
        const remaining = latestRemaining(chunks);
        if (progress !== undefined) this.#add("job.progress", job, progress, remaining);
        else if (remaining !== undefined) this.#add("job.budget", job, undefined, remaining);
      }),
      kernel.on("job:ended", ({ job }) => this.#add("job.ended", job)),
      kernel.on("permission:changed", ({ job, permission }) => this.#addPermission(job, permission)),
    ];
  }

  /** First that the feed is open, then changes as they come; ends when `signal` aborts. */
  async *lines(signal: AbortSignal): AsyncGenerator<string, void, void> {
    const wake = (): void => this.#woken.resolve();
    signal.addEventListener("abort", wake, { once: true });
    try {
      yield '{"type":"feed.opened"}\n';
      while (!signal.aborted) {
        const text = this.#take();
        if (text === "") {
          await this.#woken.promise;
          continue;
        }
        yield text;
        // Not only to gather: the reader may have been waited for meanwhile, and its next lines are the newest.
        await this.#pause(signal);
      }
    } finally {
      signal.removeEventListener("abort", wake);
      for (const stop of this.#stops) stop();
      this.#waiting.clear();
      this.#permissions.clear();
    }
  }

  #add(type: ChangeType, job: JobRecord, progress?: string, remaining?: WaitingChange["remaining"]): void {
    if (!this.#maySee(job)) return;
    const waiting = this.#waiting.get(job.id);
    if (waiting !== undefined) {
      if (CHANGES.indexOf(type) > CHANGES.indexOf(waiting.type)) waiting.type = type;
      waiting.job = job;
      waiting.progress = progress ?? waiting.progress;
      if (remaining !== undefined) waiting.remaining = { ...waiting.remaining, ...remaining };
      return;
    }
    this.#makeRoom();
    this.#waiting.set(job.id, { type, job, progress, remaining });
    this.#woken.resolve();
  }

  #addPermission(job: JobRecord, permission: PermissionRow): void {
    if (!this.#maySee(job)) return;
    if (!this.#permissions.has(permission.id)) this.#makeRoom();
    this.#permissions.set(permission.id, permission);
    this.#woken.resolve();
  }

  /** For one more. */
  #makeRoom(): void {
    const waiting = this.#waiting.size + this.#permissions.size;
    if (waiting < MAX_WAITING_CHANGES) return;
    this.#missed += waiting;
    this.#waiting = new Map();
    this.#permissions = new Map();
  }

  /** The lines that wait; "" when none do. */
  #take(): string {
    const waiting = this.#waiting;
    this.#waiting = new Map();
    this.#woken = Promise.withResolvers();
    let text = "";
    if (this.#missed > 0) {
      text = `${JSON.stringify({ type: "feed.missed", changes: this.#missed })}\n`;
      this.#missed = 0;
    }
    for (const { type, job, progress, remaining } of waiting.values()) {
      const line: { readonly type: ChangeType; readonly job: Static<typeof JobChange> } = {
        type,
        job: changeOf(job, progress, remaining),
      };
      text += `${JSON.stringify(line)}\n`;
    }
    for (const [id, permission] of this.#permissions) {
      if (text.length >= MAX_WRITE_LENGTH) break;
      this.#permissions.delete(id);
      text += `${JSON.stringify({ type: "permission.changed", permission: permissionView(permission) })}\n`;
    }
    return text;
  }

  #pause(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const over = (): void => {
        timer.cancel();
        signal.removeEventListener("abort", over);
        resolve();
      };
      const timer = this.#timers.after(FEED_INTERVAL_MS, over);
      signal.addEventListener("abort", over, { once: true });
    });
  }
}

function latestProgress(chunks: readonly Chunk[]): string | undefined {
  const { code } = EVENT_KINDS.progress;
  for (let index = chunks.length - 1; index >= 0; index--) {
    const at = chunks[index]?.kinds.lastIndexOf(code) ?? -1;
    if (at >= 0) return chunks[index]?.payloads[at];
  }
  return undefined;
}

/** As the runtime words it (§9.6), digit by digit: a JSON number that is read may round. */
const REMAINING = /"name":"cost\.budget\.remaining","value":(-?[\d.]+),"unit":("(?:[^"\\]|\\.)*")/;

function latestRemaining(chunks: readonly Chunk[]): Readonly<Record<string, string>> | undefined {
  const { code } = EVENT_KINDS.metric;
  let remaining: Record<string, string> | undefined;
  for (const { kinds, payloads } of chunks) {
    for (let at = kinds.indexOf(code); at >= 0; at = kinds.indexOf(code, at + 1)) {
      const [, value, unit] = REMAINING.exec(payloads[at] ?? "") ?? [];
      if (value === undefined || unit === undefined) continue;
      remaining ??= {};
      remaining[JSON.parse(unit)] = value;
    }
  }
  return remaining;
}
