/** Reading a job's log from one place to another, in steps that hold nobody up. */
import type { JobId } from "../kernel/ids.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { lastSeqOf } from "../kernel/log/entry.ts";
import { chunkAfter } from "../kernel/log/follow.ts";
import type { Chunk } from "../kernel/ports.ts";
import type { Timers } from "../platform/world.ts";

/** Entries read from the store at a time. */
const PAGE_ENTRIES = 1_024;
/** Entries looked through at a time for what is rare among them: some milliseconds. Then others have a turn. */
const LOOKED_THROUGH = 16_384;

export interface LogRange {
  readonly job: JobId;
  /** Begin after this `job_seq`. */
  readonly after: number;
  /** End with this one, or with the chunk that holds it. */
  readonly upTo: number;
  /** Only chunks that hold an entry of one of these kind codes. */
  readonly holding?: string | undefined;
}

export async function* readLog(
  kernel: Pick<Kernel, "readChunks">,
  timers: Timers,
  { job, after, upTo, holding }: LogRange,
): AsyncGenerator<Chunk, void, void> {
  let cursor = after;
  while (cursor < upTo) {
    const until = Math.min(cursor + LOOKED_THROUGH, upTo);
    const page = await kernel.readChunks({
      job,
      after: cursor,
      upTo: until,
      limit: PAGE_ENTRIES,
      ...(holding === undefined ? {} : { holding }),
    });
    for (const stored of page) {
      const chunk = chunkAfter(stored, cursor);
      if (chunk === undefined) continue;
      cursor = lastSeqOf(chunk);
      yield chunk;
    }
    if (page.length > 0) continue;
    cursor = until;
    await new Promise<void>((resolve) => timers.soon(resolve));
  }
}
