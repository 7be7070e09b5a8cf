/** The kernel's use cases as the faces call them, wired once. */
import type { Log } from "../platform/log.ts";
import type { World } from "../platform/world.ts";
import { CodedError } from "../protocol/errors.ts";
import type { AgentListing, Agents } from "./agents-port.ts";
import type { JobId, NodeId, SessionId } from "./ids.ts";
import type { JobRecord } from "./job/job-record.ts";
import { JobTable } from "./job/job-table.ts";
import { Recovery } from "./job/recovery.ts";
import { Runner } from "./job/run.ts";
import { type CancelRequest, Stops } from "./job/stop.ts";
import { type Accepted, Submissions, type SubmitRequest } from "./job/submit.ts";
import type { Contributor } from "./log/contributor.ts";
import { follow } from "./log/follow.ts";
import { GroupCommit, type Plan, StaleTreeError } from "./log/group-commit.ts";
import type { Chunk, ChunkQuery, JobQuery, Segment, Store, StoredSession } from "./ports.ts";
import { StoreError } from "./store-error.ts";

export interface KernelOptions {
  readonly store: Store;
  readonly agents: Agents;
  readonly world: World;
  readonly log: Log;
  /** The faces that add rows to kernel transitions. */
  readonly contributors: readonly Contributor[];
  /** The store cannot tell what is on the disk any more: the process must end. */
  readonly onFatal: (error: unknown) => void;
}

export class Kernel {
  readonly #store: Store;
  readonly #agents: Agents;
  readonly #log: Log;
  readonly #node: NodeId;
  readonly #commits: GroupCommit;
  readonly #table: JobTable;
  readonly #runner: Runner;
  readonly #submissions: Submissions;
  readonly #stops: Stops;
  readonly #recovery: Recovery;
  #unwake: () => void = () => {};

  constructor(options: KernelOptions) {
    const { store, agents, world, log } = options;
    this.#store = store;
    this.#agents = agents;
    this.#log = log;
    this.#node = world.ids.next("node");
    this.#commits = new GroupCommit({
      store,
      timers: world.timers,
      log,
      contributors: options.contributors,
      onFailed: (error) => {
        if (error instanceof StoreError && error.fatal) options.onFatal(error);
      },
    });
    this.#runner = new Runner({ agents, store, world, log });
    this.#table = new JobTable({
      clock: world.clock,
      commits: this.#commits,
      onLost: (job, cause) => {
        const lost = () => new CodedError("INTERNAL_ERROR", "the job's events could not be stored", { cause });
        this.#runner.release(job.record.id, lost);
        if (!(cause instanceof StaleTreeError)) this.#recovery.reload(job.record.id, job.claim);
      },
    });
    this.#submissions = new Submissions({ agents, store, world, table: this.#table, runner: this.#runner });
    this.#stops = new Stops({ store, log, commits: this.#commits, table: this.#table, runner: this.#runner });
    this.#recovery = new Recovery({ agents, store, world, log, table: this.#table, runner: this.#runner });
  }

  /** Takes up what an earlier run left unfinished. Call once, before anything else. Closed when it rejects. */
  async start(): Promise<void> {
    try {
      await this.#recovery.recover(this.#node);
    } catch (error) {
      await this.close();
      throw error;
    }
    const runCommands = (): void => {
      this.#stops.runCommands(this.#node).catch((error: unknown) => {
        this.#log.error({ err: error }, "commands of other nodes could not be read");
      });
    };
    this.#unwake = this.#store.onWake(runCommands);
    // What was asked while nobody owned the tree has woken nobody.
    runCommands();
  }

  /** See `Submissions.submit`. */
  submit(request: SubmitRequest, accepted: (answer: Accepted) => void): Promise<void> {
    return this.#submissions.submit(request, accepted);
  }

  /** See `Stops.cancel`. */
  cancel(request: CancelRequest, answered: (job: JobRecord) => void): Promise<void> {
    return this.#stops.cancel(request, answered);
  }

  /** Agents and versions that can be submitted to (§7.5). */
  listAgents(): readonly AgentListing[] {
    return this.#agents.list();
  }

  /** The job as it was last committed. */
  async readJob(id: JobId): Promise<JobRecord | undefined> {
    return this.#table.get(id)?.durable ?? (await this.#store.readJob(id));
  }

  listJobs(query: JobQuery): Promise<readonly JobRecord[]> {
    return this.#store.listJobs(query);
  }

  /** The highest committed position of each job's log. */
  readHeads(jobs: readonly JobId[]): Promise<ReadonlyMap<JobId, number>> {
    return this.#store.readHeads(jobs);
  }

  readChunks(query: ChunkQuery): Promise<readonly Chunk[]> {
    return this.#store.readChunks(query);
  }

  readSession(id: SessionId): Promise<StoredSession | undefined> {
    return this.#store.readSession(id);
  }

  readSegments(session: SessionId, after: number, limit: number): Promise<readonly Segment[]> {
    return this.#store.readSegments(session, after, limit);
  }

  listSessions(): Promise<readonly SessionId[]> {
    return this.#store.listSessions();
  }

  /** Adds rows to the next commit; see `GroupCommit.plan`. */
  plan(plan: Plan): void {
    this.#commits.plan(plan);
  }

  /** Committed entries of a job after `after`, then those to come; ends with the terminal or when `signal` aborts. */
  follow(job: JobId, after: number, signal?: AbortSignal): AsyncGenerator<Chunk, void, void> {
    return follow(this.#store, (id, watcher) => this.#table.watch(id, watcher), job, after, signal);
  }

  /** Jobs under way in this process. */
  get unfinished(): number {
    return this.#table.size;
  }

  /** Refuses submissions from now on, with a retryable INTERNAL_ERROR; jobs under way run on. */
  refuseJobs(): void {
    this.#table.close(new CodedError("INTERNAL_ERROR", "the runtime is shutting down; submit again once it is back"));
  }

  /**
   * Lets go of everything without ending any job: agents are shut out, and the next start takes the jobs up as after a
   * crash. What was emitted until now is committed first. Submissions are refused from now on. The store stays open.
   */
  async close(): Promise<void> {
    const closing = new CodedError("INTERNAL_ERROR", "the runtime is closing");
    this.#unwake();
    this.#table.close(closing);
    this.#recovery.close();
    for (const job of this.#table.values()) this.#runner.release(job.record.id, () => closing);
    await this.#commits.idle();
    this.#table.clear(closing);
  }
}
