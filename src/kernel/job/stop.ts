/** Cancelling jobs (§7.4): from this process, or asked for by another node through the `commands` table. */
import type { Log } from "../../platform/log.ts";
import { CodedError } from "../../protocol/errors.ts";
import type { JobId, NodeId } from "../ids.ts";
import type { GroupCommit } from "../log/group-commit.ts";
import type { CommandRow, Store } from "../ports.ts";
import type { JobRecord } from "./job-record.ts";
import { isTerminal } from "./job-state.ts";
import type { JobTable } from "./job-table.ts";
import type { Runner } from "./run.ts";
import { toldReason } from "./submission-checks.ts";

export interface CancelRequest {
  readonly job: JobId;
  readonly reason?: string;
}

export class Stops {
  readonly #store: Store;
  readonly #log: Log;
  readonly #commits: GroupCommit;
  readonly #table: JobTable;
  readonly #runner: Runner;
  #runningCommands = false;
  #moreCommands = false;

  constructor(options: { store: Store; log: Log; commits: GroupCommit; table: JobTable; runner: Runner }) {
    this.#store = options.store;
    this.#log = options.log;
    this.#commits = options.commits;
    this.#table = options.table;
    this.#runner = options.runner;
  }

  /**
   * Cancels a job. `answered` is called with the job as it then stands, in the turn in which the cancellation became
   * durable and before its terminal is published; for a job that has ended, at once. Who may cancel is the caller's to
   * decide.
   * @throws CodedError JOB_NOT_FOUND, or INTERNAL_ERROR when the store failed.
   */
  async cancel(request: CancelRequest, answered: (job: JobRecord) => void): Promise<void> {
    const job = this.#table.get(request.job);
    if (job === undefined) {
      const ended = await this.#store.readJob(request.job);
      if (ended === undefined) throw new CodedError("JOB_NOT_FOUND", `there is no job ${request.job} that you may see`);
      if (!isTerminal(ended.status)) {
        throw new CodedError(
          "INTERNAL_ERROR",
          `job ${request.job} is being taken up after a fault of the store; try again`,
        );
      }
      answered(ended);
      return;
    }
    const error = new CodedError("CANCELLED", `the job was cancelled${toldReason(request.reason)}`);
    return new Promise((resolve, reject) => {
      job.whenCommitted((failure, stored) => {
        if (failure !== undefined) {
          reject(
            new CodedError("INTERNAL_ERROR", "the cancellation could not be stored; try again", { cause: failure }),
          );
          return;
        }
        try {
          answered(stored);
          resolve();
        } catch (fault) {
          reject(fault);
        }
      });
      this.#runner.end(job, { status: "cancelled", error: error.toBody() });
    });
  }

  /**
   * Carries out what other nodes asked of trees this node owns. They are read again only when those read before are
   * answered, so that none is answered twice; a call meanwhile returns at once, and what it is about comes next.
   */
  async runCommands(node: NodeId): Promise<void> {
    this.#moreCommands = true;
    if (this.#runningCommands) return;
    this.#runningCommands = true;
    try {
      while (this.#moreCommands) {
        this.#moreCommands = false;
        const commands = await this.#store.readCommands(node);
        await Promise.all(commands.map((command) => this.#runCommand(command)));
      }
    } finally {
      this.#runningCommands = false;
    }
  }

  async #runCommand(command: CommandRow): Promise<void> {
    const outcome = await this.#carryOut(command);
    await new Promise<void>((resolve) => {
      const failed = (error: unknown): void => {
        this.#log.error({ command: command.id, err: error }, "the outcome of a command could not be stored");
        resolve();
      };
      this.#commits.plan(() => ({
        rows: { commandOutcomes: [{ id: command.id, outcome }] },
        committed: resolve,
        failed,
      }));
    });
  }

  async #carryOut(command: CommandRow): Promise<string> {
    try {
      const { reason } = JSON.parse(command.body) as { reason?: string };
      let status: string | undefined;
      await this.cancel({ job: command.job, ...(reason === undefined ? {} : { reason }) }, (job) => {
        status = job.status;
      });
      return JSON.stringify({ status });
    } catch (error) {
      this.#log.warn({ command: command.id, err: error }, "a command from another node failed");
      const failure = error instanceof CodedError ? error : new CodedError("INTERNAL_ERROR", "the command failed");
      return JSON.stringify({ error: failure.toBody() });
    }
  }
}
