/**
 * What happens to jobs, told inside the process: the feed of `/api`, metrics and traces listen here. A listener hears of
 * nothing before it is committed, and after the sessions have heard of it. It may not wait; what it throws is logged
 * and breaks nothing. While nobody listens a commit pays for one look at an empty list.
 *
 * Being told here is a hint and not a record: what must be known for certain is read from the store.
 */
import type { Log } from "../platform/log.ts";
import type { Clock } from "../platform/world.ts";
import type { PermissionRow } from "./authority/permission.ts";
import type { JobRecord } from "./job/job-record.ts";
import type { Contribution, Contributor, Transition } from "./log/contributor.ts";
import type { Chunk } from "./ports.ts";

export interface KernelEvents {
  /** The job was accepted. */
  "job:accepted": { readonly job: JobRecord };
  /**
   * The job's state moved, short of its end. `status` is `running` when an attempt is about to start (`attempt` says
   * which), or `ending` when the outcome is fixed and something is still to be wound down. A job that was accepted and
   * started in one commit is told of twice, in that order.
   */
  "job:changed": { readonly job: JobRecord };
  /** Entries were added to the job's log; the terminal is one of them. */
  "job:appended": { readonly job: JobRecord; readonly chunks: readonly Chunk[] };
  /** The job's terminal is on its log; `outcome` tells how it ended. Comes after the `job:appended` of the terminal. */
  "job:ended": { readonly job: JobRecord };
  /** Something that the job asked for was asked, decided, or is over: as it now stands. */
  "permission:changed": { readonly job: JobRecord; readonly permission: PermissionRow };
  /** A commit with work of jobs in it is durable. Comes before what it did to each job. */
  "commit:done": {
    /** Jobs it changed, or added entries to. */
    readonly jobs: number;
    /** Entries it added. */
    readonly entries: number;
    /** UTF-16 units of their payloads: bytes, as far as they are ASCII. */
    readonly length: number;
    /** From the making of the batch to the store's answer, in milliseconds of the world's clock. */
    readonly durationMs: number;
  };
  /** The store rejected a commit, whoever had work in it; nothing of it was written. */
  "commit:failed": { readonly error: unknown };
}

export type KernelEventName = keyof KernelEvents;

export type KernelListener<Name extends KernelEventName> = (event: KernelEvents[Name]) => void;

type Listeners = { readonly [Name in KernelEventName]: Set<KernelListener<Name>> };

export class KernelEventSource implements Contributor {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #listeners: Listeners = {
    "job:accepted": new Set(),
    "job:changed": new Set(),
    "job:appended": new Set(),
    "job:ended": new Set(),
    "permission:changed": new Set(),
    "commit:done": new Set(),
    "commit:failed": new Set(),
  };
  /** Listeners of all names together. */
  #listening = 0;

  constructor(options: { readonly clock: Clock; readonly log: Log }) {
    this.#clock = options.clock;
    this.#log = options.log;
  }

  /** Calls `listener` from now on; returns how to stop, which is idempotent. */
  on<Name extends KernelEventName>(name: Name, listener: KernelListener<Name>): () => void {
    // A listener of its own for each call, so that one function can be given twice.
    const own: KernelListener<Name> = (event) => listener(event);
    const listeners: Set<KernelListener<Name>> = this.#listeners[name];
    listeners.add(own);
    this.#listening++;
    return () => {
      if (listeners.delete(own)) this.#listening--;
    };
  }

  /** Tells that a commit failed. */
  tellFailure(error: unknown): void {
    this.#emit("commit:failed", { error });
  }

  contribute(transitions: readonly Transition[]): Contribution | undefined {
    if (this.#listening === 0) return undefined;
    const startedAt = this.#clock.now();
    return { rows: {}, committed: () => this.#tell(transitions, this.#clock.now() - startedAt) };
  }

  #tell(transitions: readonly Transition[], durationMs: number): void {
    if (this.#hears("commit:done")) {
      let [entries, length] = [0, 0];
      for (const { chunks } of transitions) {
        for (const { payloads } of chunks) {
          entries += payloads.length;
          for (const payload of payloads) length += payload.length;
        }
      }
      this.#emit("commit:done", { jobs: transitions.length, entries, length, durationMs });
    }
    for (const { job, accepted, moved, ended, chunks, permissions } of transitions) {
      if (accepted && this.#hears("job:accepted")) this.#emit("job:accepted", { job });
      if (moved && !ended && this.#hears("job:changed")) this.#emit("job:changed", { job });
      if (chunks.length > 0 && this.#hears("job:appended")) this.#emit("job:appended", { job, chunks });
      if (permissions !== undefined && this.#hears("permission:changed")) {
        for (const permission of permissions) this.#emit("permission:changed", { job, permission });
      }
      if (ended && this.#hears("job:ended")) this.#emit("job:ended", { job });
    }
  }

  #hears(name: KernelEventName): boolean {
    return this.#listeners[name].size > 0;
  }

  #emit<Name extends KernelEventName>(name: Name, event: KernelEvents[Name]): void {
    const listeners: Set<KernelListener<Name>> = this.#listeners[name];
    for (const listener of listeners) {
      try {
        listener(event);
      } catch (error) {
        this.#log.error({ err: error, event: name }, "a listener threw; the work it was told of goes on");
      }
    }
  }
}
