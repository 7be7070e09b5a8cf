/** What no table can check: rows that contradict themselves are a defect of the caller, and reject its commit. */
import type { Chunk, Segment } from "../kernel/ports.ts";
import { StoreError } from "../kernel/store-error.ts";

export function requireWholeChunk({ job, firstSeq, kinds, payloads }: Chunk): void {
  if (kinds.length === 0 || kinds.length !== payloads.length || firstSeq < 1) {
    throw new StoreError(
      `job ${job}: a chunk at ${firstSeq} has ${kinds.length} kinds and ${payloads.length} payloads`,
    );
  }
}

/** A segment fills at least one place: one of hidden entries alone would take a position that it does not have. */
export function requireFilledSegment({ session, firstEventSeq, lastEventSeq, lastJobSeq, frame }: Segment): void {
  if (frame !== undefined && (lastEventSeq !== firstEventSeq || lastJobSeq !== 0)) {
    throw new StoreError(`session ${session}: a frame at ${firstEventSeq} takes more than its one place`);
  }
  if (firstEventSeq < 1 || lastEventSeq < firstEventSeq) {
    throw new StoreError(`session ${session}: a segment fills the places ${firstEventSeq} to ${lastEventSeq}`);
  }
}
