/**
 * The only place that assigns `event_seq` (§8.3). As a contributor it gives the events of a commit their places in the
 * streams that are live, in that same commit, and sends them once it is durable. Streams that are not live are told
 * that they are behind, and catch up from the store.
 */

import type { JobId, SessionId } from "../../kernel/ids.ts";
import type { JobRecord } from "../../kernel/job/job-record.ts";
import type { Contribution, Contributor, Transition } from "../../kernel/log/contributor.ts";
import type { Chunk, Follow, Segment, Unfollow } from "../../kernel/ports.ts";
import { runsOf, tellsOfChildren } from "./delegated-jobs.ts";
import { PlacementPlan, type SessionStream } from "./session-stream.ts";

const NOBODY: readonly SessionStream[] = [];
const NOTHING: readonly Telling[] = [];

export class Outbox implements Contributor {
  readonly #streams = new Map<SessionId, SessionStream>();
  /** Lists, not sets: nearly every job has one follower, and a set for each costs more than the rest of following it. */
  readonly #followers = new Map<JobId, SessionStream[]>();
  /** New jobs whose acceptance has not left yet: their submitter follows them once it has. */
  readonly #heldBack = new Set<JobId>();

  /** Adds a stream with everything it follows. */
  add(stream: SessionStream): void {
    this.#streams.set(stream.session, stream);
    for (const job of stream.follows.keys()) this.#join(job, stream);
  }

  /** Forgets a stream whose session is over. */
  remove(stream: SessionStream): void {
    this.#streams.delete(stream.session);
    for (const job of stream.follows.keys()) this.#leave(job, stream);
  }

  /** False once the stream's session is over: nothing may be committed for it any more. */
  has(stream: SessionStream): boolean {
    return this.#streams.get(stream.session) === stream;
  }

  /**
   * Keeps the entries of a job that is being accepted from its submitter, until the returned function is called. Both
   * are for callbacks of commits, the first for that of the acceptance.
   */
  holdBack(stream: SessionStream, job: JobId): () => void {
    this.#heldBack.add(job);
    return () => {
      this.#heldBack.delete(job);
      if (this.has(stream) && !stream.follows.has(job)) this.follow(stream, job, 0, true);
    };
  }

  /**
   * Makes a stream follow a job from after `cursor`. The row is the caller's to commit. Only in a callback of a commit:
   * entries that were under way at any other time could be in neither the store, yet, nor a later contribution.
   */
  follow(stream: SessionStream, job: JobId, cursor: number, mayCancel: boolean): void {
    stream.follow(job, cursor, mayCancel);
    this.#join(job, stream);
    stream.lag(job);
  }

  unfollow(stream: SessionStream, job: JobId): void {
    stream.unfollow(job);
    this.#leave(job, stream);
  }

  contribute(transitions: readonly Transition[]): Contribution | undefined {
    const plans = new Map<SessionStream, PlacementPlan>();
    const accepted: { stream: SessionStream; job: JobId }[] = [];
    const missed: { stream: SessionStream; job: JobId }[] = [];
    const follows: Follow[] = [];

    for (const { job, accepted: isNew, ended, chunks } of transitions) {
      // A child comes to its submitter behind the entry of its parent that tells of it.
      const isRoot = job.parent === null;
      const submitter = isNew && isRoot && job.session !== null ? this.#streams.get(job.session) : undefined;
      if (submitter !== undefined) {
        accepted.push({ stream: submitter, job: job.id });
        follows.push({ session: submitter.session, job: job.id, cursor: 0, mayCancel: true, since: submitter.head });
      }
      const first = chunks[0];
      if (first === undefined) continue;
      // A job can be over before it was ever durable, as when its time ran out while a slow commit was under way.
      if (submitter !== undefined) {
        submitter.behind = true;
        missed.push({ stream: submitter, job: job.id });
      }
      const tellings = tellsOfChildren(chunks) ? tellingsOf(job, chunks, transitions) : undefined;
      const streamed = ended && job.outcome?.status === "success" && job.outcome.stream !== undefined;
      for (const stream of this.#followers.get(job.id) ?? NOBODY) {
        const takesPlaces = stream.mode === "live" && stream.follows.get(job.id)?.cursor === first.firstSeq - 1;
        const told = tellings !== undefined && stream.takesChildrenOf(job.id) ? tellings : NOTHING;
        // `CatchUp` may wait for the store: for a result that has to be put together, or a child of an earlier commit.
        if (!takesPlaces || (streamed && stream.needsWholeResults) || told === "elsewhere") {
          // Marked already while planning: a stream must not go live in a commit it has no places in.
          stream.behind = true;
          missed.push({ stream, job: job.id });
          continue;
        }
        const plan = plans.get(stream) ?? new PlacementPlan(stream);
        plans.set(stream, plan);
        if (told.length === 0) plan.add(job, chunks);
        for (const { chunks: run, child } of told) {
          plan.add(job, run);
          if (child !== undefined) plan.addChild(child.job, child.chunks.length === 0);
        }
      }
    }
    if (plans.size === 0 && accepted.length === 0 && missed.length === 0) return undefined;

    const segments: Segment[] = [];
    const unfollows: Unfollow[] = [];
    for (const plan of plans.values()) {
      segments.push(...plan.segments);
      follows.push(...plan.follows);
      unfollows.push(...plan.unfollows);
    }
    return {
      rows: { segments, follows, unfollows },
      committed: () => {
        for (const { stream, job } of accepted) {
          if (this.#heldBack.has(job)) continue;
          stream.follow(job, 0, true);
          this.#join(job, stream);
        }
        for (const plan of plans.values()) this.publish(plan);
        // Only now: a reader that looked before the commit has found nothing, and will not look again by itself.
        for (const { stream, job } of missed) if (stream.follows.has(job)) stream.lag(job);
      },
    };
  }

  /** The places of a plan are durable: takes them, and sends what the connection is ready for. */
  publish(plan: PlacementPlan): void {
    const { stream } = plan;
    const before = stream.head;
    const ended = plan.take();
    const { connection } = stream;
    if (connection !== undefined && stream.sent === before) {
      const newest = plan.placements.at(-1);
      if (connection.overloaded) {
        if (newest === undefined) stream.fallBehind();
        else stream.tellLag("unread", newest.job);
      } else {
        for (const placement of plan.placements) connection.send(stream.framesOf(placement, before));
        stream.sent = stream.head;
        if (newest !== undefined) stream.watchAcknowledgements(newest.job);
      }
    }
    for (const [job, { isNew }] of plan.children) this.#followChild(stream, job, isNew);
    for (const job of ended) this.unfollow(stream, job);
  }

  #followChild(stream: SessionStream, job: JobId, isNew: boolean): void {
    const followed = stream.follows.get(job);
    if (followed !== undefined) followed.mayCancel = true;
    else if (!isNew) this.follow(stream, job, 0, true);
    else {
      stream.follow(job, 0, true);
      this.#join(job, stream);
    }
  }

  #join(job: JobId, stream: SessionStream): void {
    // It may have gone while a commit that gives it places was under way.
    if (!this.has(stream)) return;
    const followers = this.#followers.get(job);
    if (followers === undefined) this.#followers.set(job, [stream]);
    else if (!followers.includes(stream)) followers.push(stream);
  }

  #leave(job: JobId, stream: SessionStream): void {
    const followers = this.#followers.get(job);
    const place = followers?.indexOf(stream) ?? -1;
    if (followers === undefined || place < 0) return;
    if (followers.length === 1) this.#followers.delete(job);
    else followers.splice(place, 1);
  }
}

/** Entries of a parent, and what their commit does to the child that the last of them tells of. */
interface Telling {
  readonly chunks: readonly Chunk[];
  readonly child: Transition | undefined;
}

/** `elsewhere` when a child is not accepted by this very commit. */
function tellingsOf(
  parent: JobRecord,
  chunks: readonly Chunk[],
  transitions: readonly Transition[],
): readonly Telling[] | "elsewhere" {
  const tellings: Telling[] = [];
  for (const { chunks: run, child: id } of runsOf(chunks)) {
    const child = transitions.find(({ job, accepted }) => accepted && job.id === id && job.parent === parent.id);
    if (id !== undefined && child === undefined) return "elsewhere";
    tellings.push({ chunks: run, child });
  }
  return tellings;
}
