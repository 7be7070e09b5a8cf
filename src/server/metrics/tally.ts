/**
 * What has happened in a runtime since its start, in plain numbers: counting must cost next to nothing, since most runtimes
 * are never asked. `registry.ts` puts them into the words of Prometheus when somebody asks.
 */
import type { Kernel } from "../../kernel/kernel.ts";

/** Upper bounds of the commits' durations, in seconds. The clock counts whole milliseconds. */
const DURATION_BOUNDS = [0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];
/** Upper bounds of the number of entries, and of jobs, in one commit. */
const SIZE_BOUNDS = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 4096];

/** Observed values, counted by the least bound they do not exceed. */
export class Bins {
  readonly bounds: readonly number[];
  /** One for each bound, and one for what lies beyond; none includes another. */
  readonly counts: number[];
  sum = 0;

  constructor(bounds: readonly number[]) {
    this.bounds = bounds;
    this.counts = Array<number>(bounds.length + 1).fill(0);
  }

  add(value: number): void {
    const { bounds, counts } = this;
    let index = 0;
    while (index < bounds.length && value > (bounds[index] as number)) index++;
    counts[index] = (counts[index] as number) + 1;
    this.sum += value;
  }
}

/** Refusals are told apart by where they were asked for. */
export type Face = "arcp" | "api";

export class Tally {
  accepted = 0;
  readonly ended = new Map<string, number>();
  readonly refused: Readonly<Record<Face, Map<string, number>>> = { arcp: new Map(), api: new Map() };
  entries = 0;
  /** UTF-16 units of the entries. */
  length = 0;
  failedCommits = 0;
  readonly commitSeconds = new Bins(DURATION_BOUNDS);
  readonly commitEntries = new Bins(SIZE_BOUNDS);
  readonly commitJobs = new Bins(SIZE_BOUNDS);

  /** Counts what happens in this kernel from now on. */
  watch(kernel: Pick<Kernel, "on">): void {
    kernel.on("job:accepted", () => {
      this.accepted++;
    });
    kernel.on("job:ended", ({ job }) => countOne(this.ended, job.status));
    kernel.on("commit:done", ({ jobs, entries, length, durationMs }) => {
      this.entries += entries;
      this.length += length;
      this.commitSeconds.add(durationMs / 1_000);
      this.commitEntries.add(entries);
      this.commitJobs.add(jobs);
    });
    kernel.on("commit:failed", () => {
      this.failedCommits++;
    });
  }

  /** @param code of the error table: there are few. */
  refuse(face: Face, code: string): void {
    countOne(this.refused[face], code);
  }
}

function countOne(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}
