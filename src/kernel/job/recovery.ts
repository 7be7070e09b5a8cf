/**
 * Taking up jobs whose run was lost: after the death of the process that ran them, or after a commit of theirs failed.
 * The log is as it was last committed. An agent that asked for it runs again on the same stream; any other job ends
 * with one retryable error.
 */
import type { Log } from "../../platform/log.ts";
import type { World } from "../../platform/world.ts";
import { CodedError } from "../../protocol/errors.ts";
import type { Agents } from "../agents-port.ts";
import type { NodeId, Store, TreeClaim } from "../ports.ts";
import type { JobRecord } from "./job-record.ts";
import { isTerminal } from "./job-state.ts";
import type { JobTable } from "./job-table.ts";
import type { Runner } from "./run.ts";

/** A job is run at most this often; one that keeps taking the process down with it must end some day. */
export const MAX_ATTEMPTS = 5;
/** The pause before the third attempt; it doubles with each further one. The second follows at once. */
const FIRST_PAUSE_MS = 1_000;
/** Between tries to read or end a job whose commit failed: doubles from the first to the last. */
const FIRST_RETRY_MS = 1_000;
const LAST_RETRY_MS = 30_000;

export class Recovery {
  readonly #agents: Agents;
  readonly #store: Store;
  readonly #world: World;
  readonly #log: Log;
  readonly #table: JobTable;
  readonly #runner: Runner;

  constructor(options: { agents: Agents; store: Store; world: World; log: Log; table: JobTable; runner: Runner }) {
    this.#agents = options.agents;
    this.#store = options.store;
    this.#world = options.world;
    this.#log = options.log;
    this.#table = options.table;
    this.#runner = options.runner;
  }

  /** Takes over every tree nobody owns. Call once, before anything can be submitted. */
  async recover(node: NodeId): Promise<void> {
    const trees = await this.#store.claimTrees(node);
    for (const tree of trees) {
      for (const record of tree.jobs) await this.#takeUp(record, tree.claim);
    }
    if (trees.length > 0) this.#log.info({ trees: trees.length }, "took up unfinished jobs of an earlier run");
  }

  /** Takes up one job from what the store has of it, trying again later while the store fails. */
  reload(id: string, claim: TreeClaim, retryMs: number = FIRST_RETRY_MS): void {
    this.#world.timers.after(retryMs, () => {
      this.#reload(id, claim).catch((error: unknown) => {
        this.#log.error({ job: id, err: error }, "a job whose commit failed cannot be read back; trying again");
        this.reload(id, claim, Math.min(retryMs * 2, LAST_RETRY_MS));
      });
    });
  }

  async #reload(id: string, claim: TreeClaim): Promise<void> {
    const record = await this.#store.readJob(id);
    // A job whose very first commit failed was never accepted: there is nothing to take up.
    if (record === undefined || isTerminal(record.status) || this.#table.get(id) !== undefined) return;
    await this.#takeUp(record, claim);
  }

  async #takeUp(record: JobRecord, claim: TreeClaim): Promise<void> {
    const heads = await this.#store.readHeads([record.id]);
    const job = this.#table.add({ record, claim, head: heads.get(record.id) ?? 0, accepted: false });
    if (record.status === "ending") {
      job.apply({ type: "settle" });
      return;
    }
    this.#runner.hold(job);
    const obstacle = this.#obstacleToRunning(record);
    if (obstacle !== undefined) {
      this.#runner.end(job, { status: "error", error: obstacle.toBody() });
      return;
    }
    const pause = record.attempt < 2 ? 0 : FIRST_PAUSE_MS * 2 ** (record.attempt - 2);
    if (pause === 0) this.#runner.start(job);
    else this.#world.timers.after(pause, () => this.#runner.start(job));
  }

  /** Why the job cannot have another attempt; undefined when it can. */
  #obstacleToRunning(record: JobRecord): CodedError | undefined {
    const lost = `the runtime stopped while the job was running (attempt ${record.attempt})`;
    try {
      const agent = this.#agents.resolve(`${record.agent}@${record.version}`);
      if (record.status === "pending") return undefined;
      if (agent.restart === "never") return new CodedError("INTERNAL_ERROR", `${lost}; submit it again`);
    } catch {
      const wanted = `${record.agent}@${record.version}`;
      return new CodedError("INTERNAL_ERROR", `${lost}, and ${wanted} is not registered any more; submit it again`);
    }
    if (record.attempt < MAX_ATTEMPTS) return undefined;
    return new CodedError("INTERNAL_ERROR", `${lost}, the last of ${MAX_ATTEMPTS}`);
  }
}
