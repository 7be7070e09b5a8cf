/** What a run was measured on: figures without it say little. */
import { arch, availableParallelism, cpus, loadavg, release, totalmem, type } from "node:os";

export interface MachineFacts {
  readonly system: string;
  readonly processor: string;
  readonly cores: number;
  readonly memoryGigabytes: number;
  readonly node: string;
  /** Mean number of runnable processes in the minute before the run: above the number of cores, figures suffer. */
  readonly loadBefore: number;
}

export function machineFacts(): MachineFacts {
  return {
    system: `${type()} ${release()} ${arch()}`,
    processor: cpus()[0]?.model.trim() ?? "unknown",
    cores: availableParallelism(),
    memoryGigabytes: Math.round(totalmem() / 1e8) / 10,
    node: process.version,
    loadBefore: Math.round((loadavg()[0] ?? 0) * 100) / 100,
  };
}
