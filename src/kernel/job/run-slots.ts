/**
 * Which jobs may run now, and which wait. A job takes a slot where runtime, principal and agent have room; otherwise it
 * waits as `pending`, and takes the slot of one that ends. Principals take turns, so that nobody's thousand jobs delay
 * another's one; the jobs of one principal start in the order they came, as far as their agents have room.
 *
 * A delegated job takes no slot of runtime or principal: the job that waits for it has one, and would keep it. Only its
 * agent's own limit counts, where it comes before jobs that nobody waits for. `waitsInRing` finds the delegations after
 * which jobs would wait for each other's places for ever.
 *
 * A lane holds what waits for one limited agent; all agents without a limit share a lane. A principal at its own limit is
 * taken out of the lanes until one of its jobs ends, so that starting the next job looks at lanes and not at everyone.
 */
import { CodedError } from "../../protocol/errors.ts";
import type { JobId } from "../ids.ts";
import type { PrincipalKey } from "../principal.ts";
import type { JobRecord } from "./job-record.ts";
import type { JobLimits } from "./limits.ts";

/** What a refused client is told to wait before it tries again. */
const RETRY_AFTER_MS = 1_000;
/** The lane of all agents without a limit: no agent has this name. */
const UNLIMITED = "";

export type RunLimits = Pick<
  JobLimits,
  "maxRunningJobs" | "maxRunningJobsPerPrincipal" | "maxPendingJobs" | "maxPendingJobsPerPrincipal"
>;

/** What is asked of an agent: under which name it is counted, and how many of its jobs may run at a time. */
export interface CountedAgent {
  readonly name: string;
  readonly version: string;
  readonly maxConcurrent?: number;
}

interface Holder {
  readonly key: PrincipalKey;
  running: number;
  waiting: number;
  /** When it last started a job, in starts of anybody. */
  served: number;
  /** Lanes it is taken out of while it is at its own limit, and what waits there. */
  readonly setAside: Map<Lane, Line>;
}

/** Jobs of one principal in one lane, in the order they came. */
type Line = Map<JobId, Waiting>;

interface Lane {
  readonly name: string;
  /** The agent's as it is registered now: another may have taken its place under the same name and version. */
  limit: number;
  running: number;
  /** In the order of their turns. */
  readonly lines: Map<Holder, Line>;
  /** Jobs that run in it; not counted for agents without a limit. */
  readonly holders: Set<JobId>;
  /** Delegated jobs that wait. */
  readonly delegated: Map<JobId, Delegated>;
}

interface Delegated {
  /** The jobs above it, any of which may wait for it. */
  readonly above: readonly JobId[];
  readonly start: () => void;
}

interface Place {
  readonly holder: Holder;
  readonly lane: Lane;
}

interface Waiting extends Place {
  readonly id: JobId;
  readonly order: number;
  readonly start: () => void;
}

export class RunSlots {
  readonly #limits: RunLimits;
  readonly #holders = new Map<PrincipalKey, Holder>();
  readonly #lanes = new Map<string, Lane>();
  readonly #running = new Map<JobId, Place>();
  readonly #waiting = new Map<JobId, Waiting>();
  /** Delegated jobs of limited agents, running or waiting. */
  readonly #delegated = new Map<JobId, Lane>();
  /** How many delegated jobs below a job wait for a place. */
  readonly #waitingBelow = new Map<JobId, number>();
  #orders = 0;
  #starts = 0;
  #paused = false;
  #idle: (() => void)[] = [];

  constructor(limits: RunLimits) {
    this.#limits = limits;
  }

  get running(): number {
    return this.#running.size;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  /**
   * @throws CodedError INTERNAL_ERROR, retryable, when a new job could neither run nor wait; its details name the limit.
   */
  assertRoom(principal: PrincipalKey, agent: CountedAgent): void {
    const holder = this.#holders.get(principal);
    if (this.#hasSlot(holder, this.#lanes.get(laneName(agent)), agent)) return;
    const { maxPendingJobs, maxPendingJobsPerPrincipal } = this.#limits;
    if (this.#waiting.size >= maxPendingJobs) throw full("the runtime", "maxPendingJobs", maxPendingJobs);
    if ((holder?.waiting ?? 0) >= maxPendingJobsPerPrincipal) {
      throw full("this principal", "maxPendingJobsPerPrincipal", maxPendingJobsPerPrincipal);
    }
  }

  /**
   * Whether a delegated job of this agent would wait for a place that nobody could free: everyone who has one may be
   * waiting, for this job or, over any number of other agents, for places of jobs that are waiting too.
   * @param above the ids of the jobs that would stand above it.
   */
  waitsInRing(agent: CountedAgent, above: readonly JobId[]): boolean {
    const lane = this.#lanes.get(laneName(agent));
    if (agent.maxConcurrent === undefined || lane === undefined || lane.running < agent.maxConcurrent) return false;
    for (const id of lane.holders) if (!this.#waitingBelow.has(id) && !above.includes(id)) return false;

    const waits = [{ lane, above }];
    for (const each of this.#lanes.values()) {
      for (const waiting of each.delegated.values()) waits.push({ lane: each, above: waiting.above });
    }
    // Those in which somebody can go on are taken out until none is left to take.
    const stuck = new Set(waits.map((wait) => wait.lane));
    for (let before = 0; before !== stuck.size; ) {
      before = stuck.size;
      const waiting = new Set(waits.flatMap((wait) => (stuck.has(wait.lane) ? wait.above : [])));
      for (const each of stuck) if (![...each.holders].every((id) => waiting.has(id))) stuck.delete(each);
    }
    return stuck.has(lane);
  }

  /**
   * Takes a slot and returns true; or returns false, and calls `start` once the job has one. Until `release`.
   * @param above of a delegated job of a limited agent: the ids of the jobs above it.
   */
  take(
    job: Pick<JobRecord, "id" | "principal" | "parent">,
    agent: CountedAgent,
    start: () => void,
    above: readonly JobId[] = [],
  ): boolean {
    const { id, principal, parent } = job;
    if (parent !== null) return this.#takeDelegated(id, agent, { above, start });
    const lane = this.#lane(agent);
    const place = { holder: this.#holder(principal), lane };
    if (this.#hasSlot(place.holder, place.lane, agent)) {
      this.#occupy(id, place);
      return true;
    }
    this.#enqueue({ ...place, id, order: this.#orders++, start });
    return false;
  }

  /** Gives a job's slot, or its place among the waiting, to others. Does nothing for a job that has neither. */
  release(id: JobId): void {
    const place = this.#running.get(id);
    if (place === undefined) {
      const lane = this.#delegated.get(id);
      if (lane === undefined) this.#dequeue(id);
      else this.#releaseDelegated(id, lane);
      return;
    }
    this.#running.delete(id);
    const { holder, lane } = place;
    holder.running--;
    lane.running--;
    lane.holders.delete(id);
    this.#startDelegated(lane);
    if (holder.setAside.size > 0) {
      for (const [from, line] of holder.setAside) from.lines.set(holder, line);
      holder.setAside.clear();
    }
    this.#startNext();
    this.#forget(holder);
    if (this.#running.size === 0) for (const resolve of this.#idle.splice(0)) resolve();
  }

  /** Starts nothing that waits any more. */
  pause(): void {
    this.#paused = true;
  }

  /** Resolves when nothing runs. */
  idle(): Promise<void> {
    if (this.#running.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.#idle.push(resolve));
  }

  #hasSlot(holder: Holder | undefined, lane: Lane | undefined, agent: CountedAgent): boolean {
    const { maxRunningJobs, maxRunningJobsPerPrincipal } = this.#limits;
    return (
      !this.#paused &&
      this.#running.size < maxRunningJobs &&
      (holder?.running ?? 0) < maxRunningJobsPerPrincipal &&
      // Nobody who waits is passed: were there room for them, they would not wait.
      (lane?.running ?? 0) < (agent.maxConcurrent ?? Infinity)
    );
  }

  #takeDelegated(id: JobId, agent: CountedAgent, delegated: Delegated): boolean {
    if (agent.maxConcurrent === undefined) return true;
    const lane = this.#lane(agent);
    this.#delegated.set(id, lane);
    if (lane.running < lane.limit) {
      lane.running++;
      lane.holders.add(id);
      return true;
    }
    lane.delegated.set(id, delegated);
    for (const above of delegated.above) this.#waitingBelow.set(above, (this.#waitingBelow.get(above) ?? 0) + 1);
    return false;
  }

  #releaseDelegated(id: JobId, lane: Lane): void {
    this.#delegated.delete(id);
    const waiting = lane.delegated.get(id);
    if (waiting !== undefined) {
      this.#leaveLine(id, lane, waiting);
      return;
    }
    lane.running--;
    lane.holders.delete(id);
    this.#startDelegated(lane);
    this.#startNext();
  }

  #startDelegated(lane: Lane): void {
    for (const [id, waiting] of lane.delegated) {
      if (lane.running >= lane.limit) return;
      this.#leaveLine(id, lane, waiting);
      lane.running++;
      lane.holders.add(id);
      waiting.start();
    }
  }

  #leaveLine(id: JobId, lane: Lane, { above }: Delegated): void {
    lane.delegated.delete(id);
    for (const each of above) {
      const others = (this.#waitingBelow.get(each) ?? 0) - 1;
      if (others > 0) this.#waitingBelow.set(each, others);
      else this.#waitingBelow.delete(each);
    }
  }

  #occupy(id: JobId, place: Place): void {
    this.#running.set(id, place);
    place.holder.running++;
    place.holder.served = ++this.#starts;
    place.lane.running++;
    if (place.lane.name !== UNLIMITED) place.lane.holders.add(id);
  }

  #enqueue(waiting: Waiting): void {
    const { id, holder, lane } = waiting;
    this.#waiting.set(id, waiting);
    holder.waiting++;
    const line = lane.lines.get(holder) ?? holder.setAside.get(lane);
    if (line === undefined) lane.lines.set(holder, new Map([[id, waiting]]));
    else line.set(id, waiting);
  }

  #dequeue(id: JobId): void {
    const waiting = this.#waiting.get(id);
    if (waiting === undefined) return;
    const { holder, lane } = waiting;
    this.#waiting.delete(id);
    holder.waiting--;
    const line = lane.lines.get(holder) ?? holder.setAside.get(lane);
    line?.delete(id);
    if (line?.size === 0) {
      lane.lines.delete(holder);
      holder.setAside.delete(lane);
    }
    this.#forget(holder);
  }

  #startNext(): void {
    while (!this.#paused && this.#waiting.size > 0 && this.#running.size < this.#limits.maxRunningJobs) {
      const next = this.#next();
      if (next === undefined) return;
      const { id, holder, lane } = next;
      this.#occupy(id, next);
      this.#dequeue(id);
      const rest = lane.lines.get(holder);
      if (rest !== undefined) {
        // To the end of the turns.
        lane.lines.delete(holder);
        lane.lines.set(holder, rest);
      }
      next.start();
    }
  }

  /** Of the first in each lane with room: whoever has waited longest for a start. */
  #next(): Waiting | undefined {
    let next: Waiting | undefined;
    for (const lane of this.#lanes.values()) {
      if (lane.running >= lane.limit) continue;
      const first = this.#firstIn(lane);
      if (first !== undefined && (next === undefined || comesBefore(first, next))) next = first;
    }
    return next;
  }

  #firstIn(lane: Lane): Waiting | undefined {
    for (const [holder, line] of lane.lines) {
      if (holder.running < this.#limits.maxRunningJobsPerPrincipal) return line.values().next().value;
      lane.lines.delete(holder);
      holder.setAside.set(lane, line);
    }
    return undefined;
  }

  #holder(key: PrincipalKey): Holder {
    let holder = this.#holders.get(key);
    if (holder === undefined) {
      holder = { key, running: 0, waiting: 0, served: 0, setAside: new Map() };
      this.#holders.set(key, holder);
    }
    return holder;
  }

  #forget(holder: Holder): void {
    if (holder.running === 0 && holder.waiting === 0) this.#holders.delete(holder.key);
  }

  /** One for each limited agent that is or was registered, so that there are never many. */
  #lane(agent: CountedAgent): Lane {
    const name = laneName(agent);
    const limit = agent.maxConcurrent ?? Infinity;
    let lane = this.#lanes.get(name);
    if (lane === undefined) {
      lane = { name, limit, running: 0, lines: new Map(), holders: new Set(), delegated: new Map() };
      this.#lanes.set(name, lane);
    } else if (lane.limit !== limit) {
      lane.limit = limit;
      // Those who wait come before whoever brought the news.
      this.#startDelegated(lane);
      this.#startNext();
    }
    return lane;
  }
}

function laneName({ name, version, maxConcurrent }: CountedAgent): string {
  return maxConcurrent === undefined ? UNLIMITED : `${name}@${version}`;
}

function comesBefore(a: Waiting, b: Waiting): boolean {
  return a.holder === b.holder || a.holder.served === b.holder.served
    ? a.order < b.order
    : a.holder.served < b.holder.served;
}

function full(whose: string, limit: string, count: number): CodedError {
  return new CodedError(
    "INTERNAL_ERROR",
    `too many jobs of ${whose} wait to run (${limit}: ${count}); submit again later`,
    {
      details: { limit, retry_after_ms: RETRY_AFTER_MS },
    },
  );
}
