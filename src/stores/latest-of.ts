/** Finding an entry within a chunk, the same way in every store. */
import type { Chunk, LogEntry } from "../kernel/ports.ts";

/** The last entry of the chunk whose kind code is one of `codes`. */
export function latestOf({ firstSeq, kinds, payloads }: Chunk, codes: string): LogEntry | undefined {
  for (let index = kinds.length - 1; index >= 0; index--) {
    const code = kinds.charAt(index);
    if (codes.includes(code)) return { jobSeq: firstSeq + index, code, payload: payloads[index] ?? "" };
  }
  return undefined;
}
