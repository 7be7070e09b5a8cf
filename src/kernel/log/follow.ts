/** Following a job's log: a cursor into the store, and a wake-up when there may be more. Costs no memory while it waits. */
import { messageOfCode } from "../../protocol/event-kinds.ts";
import type { JobId } from "../ids.ts";
import type { Chunk, Store } from "../ports.ts";
import { lastSeqOf } from "./entry.ts";

/** Entries read at a time: enough to make a read cheap, few enough to hold in memory for every follower. */
const PAGE_ENTRIES = 1_024;

/** Calls the watcher after each commit that added to the job's log; returns how to stop. */
export type Watch = (job: JobId, watcher: () => void) => () => void;

/** True when the chunk ends with its job's terminal entry. */
export function endsLog(chunk: Chunk): boolean {
  return messageOfCode(chunk.kinds.slice(-1)) !== "job.event";
}

/** `chunk` from the entry after `after` on; undefined when nothing remains. */
export function chunkAfter(chunk: Chunk, after: number): Chunk | undefined {
  const skip = after + 1 - chunk.firstSeq;
  if (skip <= 0) return chunk;
  if (skip >= chunk.payloads.length) return undefined;
  return { job: chunk.job, firstSeq: after + 1, kinds: chunk.kinds.slice(skip), payloads: chunk.payloads.slice(skip) };
}

/**
 * The committed entries of a job after `after`, history first, then as they come. Ends after the terminal entry, at
 * once when `after` is its position, or when `signal` aborts.
 */
export async function* follow(
  store: Pick<Store, "readChunks">,
  watch: Watch,
  job: JobId,
  after: number,
  signal?: AbortSignal,
): AsyncGenerator<Chunk, void, void> {
  let cursor = after;
  let woken = Promise.withResolvers<void>();
  const wake = (): void => woken.resolve();
  const unwatch = watch(job, wake);
  signal?.addEventListener("abort", wake, { once: true });
  try {
    while (signal?.aborted !== true) {
      woken = Promise.withResolvers<void>();
      const page = await store.readChunks({ job, after: cursor, limit: PAGE_ENTRIES });
      for (const stored of page) {
        const chunk = chunkAfter(stored, cursor);
        if (chunk === undefined) continue;
        cursor = lastSeqOf(chunk);
        yield chunk;
        if (endsLog(chunk)) return;
      }
      if (page.length > 0) continue;
      if (cursor === after && (await isTerminalAt(store, job, after))) return;
      await woken.promise;
    }
  } finally {
    unwatch();
    signal?.removeEventListener("abort", wake);
  }
}

/** Where a reader begins at the end of a finished log, nothing will ever wake it. */
async function isTerminalAt(store: Pick<Store, "readChunks">, job: JobId, jobSeq: number): Promise<boolean> {
  if (jobSeq < 1) return false;
  const chunk = (await store.readChunks({ job, after: jobSeq - 1, limit: 1 })).at(-1);
  return chunk !== undefined && lastSeqOf(chunk) === jobSeq && endsLog(chunk);
}
