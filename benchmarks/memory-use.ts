/** How much memory a process uses: asked of itself after a collection, or read from outside (Linux's `/proc`). */
import { readFileSync, writeFileSync } from "node:fs";

/** All in bytes. */
export interface MemoryUse {
  /** What the operating system gave the process. */
  readonly resident: number;
  /** What lives on V8's heap and in buffers outside it. */
  readonly live: number;
}

/** This process's memory, after garbage was collected if it was started with `--expose-gc`. */
export function collectedMemory(): MemoryUse {
  // As a last resort, which runs finalizers, and returns the pages that V8 otherwise keeps for later: some tens of
  // megabytes after a burst, which say how fast garbage was made and not what is held.
  globalThis.gc?.({ type: "major", execution: "sync", flavor: "last-resort" });
  const { rss, heapUsed, external } = process.memoryUsage();
  return { resident: rss, live: heapUsed + external };
}

/** Begins anew to watch for the peak of a process's resident memory. */
export function resetPeak(pid: number): void {
  // "5" resets the peak (proc_pid_clear_refs(5)).
  writeFileSync(`/proc/${pid}/clear_refs`, "5");
}

/** The highest resident memory since `resetPeak`, in bytes. */
export function peakMemory(pid: number): number {
  return statusBytes(pid, "VmHWM");
}

function statusBytes(pid: number, field: string): number {
  const kibibytes = new RegExp(`^${field}:\\s+(\\d+) kB`, "m").exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
  if (kibibytes === undefined) throw new Error(`/proc/${pid}/status has no ${field}`);
  return Number(kibibytes) * 1024;
}
