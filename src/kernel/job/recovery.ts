/**
 * Taking up jobs whose run was lost: after the death of the process that ran them, or after a commit of theirs failed.
 * The log is as it was last committed. An agent that asked for it runs again on the same stream; any other job ends
 * with one retryable error.
 */
import type { Log } from "../../platform/log.ts";
import type { Timer, World } from "../../platform/world.ts";
import { CodedError } from "../../protocol/errors.ts";
import type { Agents, RunnableAgent } from "../agents-port.ts";
import type { JobId, NodeId } from "../ids.ts";
import type { Store, TreeClaim } from "../ports.ts";
import type { ActiveJob, NewActiveJob } from "./active-job.ts";
import { readCounters } from "./counters.ts";
import { firstDeadline } from "./deadlines.ts";
import { outcomeBelow } from "./delegation.ts";
import { agentReference, type JobRecord } from "./job-record.ts";
import type { JobTable } from "./job-table.ts";
import { isLive } from "./job-tree.ts";
import { readOpenCalls } from "./open-calls.ts";
import type { Runner } from "./run.ts";

/** A job is run at most this often; one that keeps taking the process down with it must end some day. */
const MAX_ATTEMPTS = 5;
/** The pause before the third attempt; it doubles with each further one. The second follows at once. */
const FIRST_PAUSE_MS = 1_000;
/** Until a job whose commit failed is taken up: doubles from the first to the last, until a commit of the job succeeds. */
const FIRST_RETRY_MS = 1_000;
const LAST_RETRY_MS = 30_000;
/** How often a job that waits for its version of its agent looks for it. */
const LOOK_FOR_AGENT_MS = 5_000;

export class Recovery {
  readonly #agents: Agents;
  readonly #store: Store;
  readonly #world: World;
  readonly #log: Log;
  readonly #table: JobTable;
  readonly #runner: Runner;
  readonly #maxAgentWaitMs: number;
  /** By root: how long each tree waits the next time one of its commits fails; absent for the first time. */
  readonly #retryMs = new Map<JobId, number>();
  readonly #retries = new Set<Timer>();
  #closed = false;

  /** @param options.maxAgentWaitSec how long a job waits for its version of its agent; anew with each start. */
  constructor(options: {
    agents: Agents;
    store: Store;
    world: World;
    log: Log;
    table: JobTable;
    runner: Runner;
    maxAgentWaitSec: number;
  }) {
    this.#agents = options.agents;
    this.#store = options.store;
    this.#world = options.world;
    this.#log = options.log;
    this.#table = options.table;
    this.#runner = options.runner;
    this.#maxAgentWaitMs = options.maxAgentWaitSec * 1_000;
  }

  /** Takes over every tree nobody owns. Call once, before anything can be submitted. */
  async recover(node: NodeId): Promise<void> {
    const trees = await this.#store.claimTrees(node);
    for (const tree of trees) {
      await this.#takeUp(tree.jobs, tree.claim);
    }
    if (trees.length > 0) this.#log.info({ trees: trees.length }, "took up unfinished jobs of an earlier run");
  }

  /** Takes up a tree, in a while, from what the store has of it; tries again later while the store fails. */
  reload(claim: TreeClaim): void {
    if (this.#closed) return;
    const { root } = claim;
    const delay = this.#retryMs.get(root) ?? FIRST_RETRY_MS;
    this.#retryMs.set(root, Math.min(delay * 2, LAST_RETRY_MS));
    const retry = this.#world.timers.after(delay, () => {
      this.#retries.delete(retry);
      this.#reload(claim).catch((error: unknown) => {
        if (this.#closed) return;
        this.#log.error({ job: root, err: error }, "a job whose commit failed cannot be read back; trying again");
        this.reload(claim);
      });
    });
    this.#retries.add(retry);
  }

  /** Takes up nothing any more. */
  close(): void {
    this.#closed = true;
    for (const retry of this.#retries) retry.cancel();
    this.#retries.clear();
  }

  async #reload(claim: TreeClaim): Promise<void> {
    const tree = await this.#store.readTree(claim.root);
    // A job whose very first commit failed was never accepted: there is nothing to take up.
    if (tree.length === 0) this.#retryMs.delete(claim.root);
    else if (this.#table.get(claim.root) === undefined) await this.#takeUp(tree, claim);
  }

  /** @param tree its unfinished jobs, parents before their children. */
  async #takeUp(tree: readonly JobRecord[], claim: TreeClaim): Promise<void> {
    // Everything is read before a job is taken up: when the store fails, nothing is left half done.
    const stored: (Pick<NewActiveJob, "record" | "head" | "permissions"> & {
      readonly openCalls: readonly string[];
    })[] = [];
    const heads = await this.#store.readHeads(tree.map(({ id }) => id));
    for (const record of tree) {
      const head = heads.get(record.id) ?? 0;
      const openCalls =
        record.status === "running" ? await readOpenCalls(this.#store, this.#world.timers, record.id, head) : [];
      // A job that never ran has asked for nothing.
      const permissions = record.attempt === 0 ? [] : await this.#store.readPermissionsOf(record.id);
      stored.push({ record, head, openCalls, permissions });
    }
    const counters = await readCounters(this.#store, this.#world.timers, this.#table, tree);

    const jobs = stored.map(({ openCalls, ...taken }) => {
      const { record } = taken;
      const parent = record.parent === null ? undefined : this.#table.get(record.parent);
      const job = this.#table.add({ ...taken, claim, accepted: false, ...counters.of(record, parent) });
      return { job, openCalls };
    });
    const [root] = jobs;
    root?.job.whenCommitted((error) => {
      if (error === undefined) this.#retryMs.delete(claim.root);
    });
    for (const { job } of jobs) {
      if (job.record.status === "ending") this.#runner.settle(job);
      else if (isLive(job)) this.#runner.hold(job);
    }
    // From the root down: a job that ends takes those below it along.
    for (const { job, openCalls } of jobs) {
      if (!isLive(job)) continue;
      if (job.record.parent === null || job.parent !== undefined) this.#resume(job, openCalls);
      else {
        const gone = new CodedError("INTERNAL_ERROR", "the job above this one is gone");
        const parent = { id: job.record.parent, expiresAt: null };
        const outcome = outcomeBelow(parent, { status: "error", error: gone.toBody() }, this.#world.clock.now());
        this.#runner.end(job, outcome);
      }
    }
  }

  /** Gives a held job its next attempt, or its end. */
  #resume(job: ActiveJob, openCalls: readonly string[]): void {
    const { record } = job;
    // One that has passed meanwhile ends the job before its agent could run again.
    const deadline = firstDeadline(record);
    const agent = this.#findAgent(record);
    if (agent instanceof CodedError) {
      if (deadline !== undefined && deadline.at <= this.#world.clock.now()) this.#runner.end(job, deadline.outcome);
      else this.#waitForAgent(job, openCalls, agent);
      return;
    }
    const obstacle = obstacleToRunning(record, agent);
    if (obstacle !== undefined) {
      this.#runner.end(job, { status: "error", error: obstacle.toBody() });
      return;
    }
    if (deadline !== undefined && deadline.at <= this.#world.clock.now()) {
      this.#runner.end(job, deadline.outcome);
      return;
    }
    this.#runner.closeCalls(job, openCalls);
    if (record.attempt < 2) this.#runner.start(job, agent);
    else {
      this.#runner.pause(job, FIRST_PAUSE_MS * 2 ** (record.attempt - 2), () => this.#runner.start(job, agent));
    }
  }

  /** The very version the job was submitted to (§7.5), or why it cannot be had. */
  #findAgent(record: JobRecord): RunnableAgent | CodedError {
    try {
      return this.#agents.resolve(agentReference(record));
    } catch (error) {
      if (error instanceof CodedError) return error;
      throw error;
    }
  }

  /** A node without its version never runs a job under another: the job waits for it, and ends when it does not come. */
  #waitForAgent(job: ActiveJob, openCalls: readonly string[], missing: CodedError): void {
    const wanted = agentReference(job.record);
    const until = this.#world.clock.now() + this.#maxAgentWaitMs;
    this.#log.warn({ job: job.record.id, agent: wanted }, "a job waits for its version of its agent");
    const look = (): void => {
      const left = until - this.#world.clock.now();
      if (!(this.#findAgent(job.record) instanceof CodedError)) {
        this.#resume(job, openCalls);
      } else if (left > 0) {
        this.#runner.pause(job, Math.min(left, LOOK_FOR_AGENT_MS), look);
      } else {
        const waited = `the job waited ${this.#maxAgentWaitMs / 1_000} s for ${wanted} after a restart of the runtime`;
        const { code, details } = missing;
        const error = new CodedError(code, `${waited}; ${missing.message}`, { ...(details && { details }) });
        this.#runner.end(job, { status: "error", error: error.toBody() });
      }
    };
    look();
  }
}

/** Why the job cannot have another attempt; undefined when it can. */
function obstacleToRunning(record: JobRecord, agent: RunnableAgent): CodedError | undefined {
  if (record.status === "pending") return undefined;
  const lost = `the runtime stopped while the job was running (attempt ${record.attempt})`;
  if (agent.restart === "never") return new CodedError("INTERNAL_ERROR", `${lost}; submit it again`);
  if (record.attempt < MAX_ATTEMPTS) return undefined;
  return new CodedError("INTERNAL_ERROR", `${lost}, the last of ${MAX_ATTEMPTS}`);
}
