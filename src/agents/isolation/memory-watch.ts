/** Ends processes that hold more memory than they may: V8's own limit counts its heap, and not buffers. */
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import type { Timer, Timers } from "../../platform/world.ts";

/** How often memory is looked at, in milliseconds. What a process can take in that time goes beyond its limit unseen. */
const LINUX_INTERVAL_MS = 100;
/** Elsewhere a command has to be started to look. */
const OTHER_INTERVAL_MS = 1_000;

interface Watched {
  /** In KiB. */
  readonly limit: number;
  onExceeded(): void;
}

export interface MemoryWatch {
  /** Calls `onExceeded` once, as soon as the process is seen to hold more than `limitMb` MiB. Returns how to stop watching. */
  watch(pid: number, limitMb: number, onExceeded: () => void): () => void;
}

/** @param measure resident KiB by process id, of those that are there. */
export function createMemoryWatch(timers: Timers, measure: Measure = measureHere): MemoryWatch {
  const watched = new Map<number, Watched>();
  let timer: Timer | undefined;

  function arm(): void {
    const interval = process.platform === "linux" ? LINUX_INTERVAL_MS : OTHER_INTERVAL_MS;
    timer ??= timers.after(interval, () => {
      void measure([...watched.keys()], (pid, size) => {
        const found = watched.get(pid);
        if (found === undefined || size <= found.limit) return;
        watched.delete(pid);
        found.onExceeded();
      }).then(() => {
        timer = undefined;
        if (watched.size > 0) arm();
      });
    });
  }

  return {
    watch(pid, limitMb, onExceeded) {
      watched.set(pid, { limit: limitMb * 1_024, onExceeded });
      arm();
      return () => {
        watched.delete(pid);
        if (watched.size > 0) return;
        timer?.cancel();
        timer = undefined;
      };
    },
  };
}

/** Calls `tell` for each process that is there. Never rejects. */
type Measure = (pids: readonly number[], tell: (pid: number, size: number) => void) => Promise<void>;

const measureHere: Measure = process.platform === "linux" ? measureByProc : measureByPs;

/** Synchronous, since the kernel answers at once: nothing here waits for a disk. */
async function measureByProc(pids: readonly number[], tell: (pid: number, size: number) => void): Promise<void> {
  for (const pid of pids) {
    let status: string;
    try {
      status = readFileSync(`/proc/${pid}/status`, "latin1");
    } catch {
      continue;
    }
    const kibibytes = (name: string): number =>
      Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(status)?.[1] ?? 0);
    tell(pid, kibibytes("VmRSS") + kibibytes("VmSwap"));
  }
}

function measureByPs(pids: readonly number[], tell: (pid: number, size: number) => void): Promise<void> {
  return new Promise((resolve) => {
    execFile("ps", ["-o", "pid=,rss=", "-p", pids.join(",")], (_error, output) => {
      for (const [, pid, size] of output.matchAll(/^\s*(\d+)\s+(\d+)\s*$/gm)) tell(Number(pid), Number(size));
      resolve();
    });
  });
}
