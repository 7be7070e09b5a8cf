/** Reading a job's log from one place to another, in steps that hold nobody up. */
import type { Timers } from "../../platform/world.ts";
import type { JobId } from "../ids.ts";
import { type Chunk, PAGE_LENGTH, type Store } from "../ports.ts";
import { lastSeqOf } from "./entry.ts";
import { chunkAfter } from "./follow.ts";

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

/** Others have a turn whenever much was looked through, or much was read. */
export async function* readLog(
  store: Pick<Store, "readChunks">,
  timers: Timers,
  { job, after, upTo, holding }: LogRange,
): AsyncGenerator<Chunk, void, void> {
  let cursor = after;
  let lookedFrom = after;
  let length = 0;
  while (cursor < upTo) {
    const until = Math.min(cursor + LOOKED_THROUGH, upTo);
    const page = await store.readChunks({
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
      for (const payload of chunk.payloads) length += payload.length;
      yield chunk;
    }
    if (page.length === 0) cursor = until;
    if (cursor >= upTo || (cursor - lookedFrom < LOOKED_THROUGH && length < PAGE_LENGTH)) continue;
    await new Promise<void>((resolve) => timers.soon(resolve));
    lookedFrom = cursor;
    length = 0;
  }
}
