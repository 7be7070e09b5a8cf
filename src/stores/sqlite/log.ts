/**
 * Job logs in chunks, one row for each job and commit. A row's id is `job << 28 | first_seq`, so a log is a range of ids;
 * SQLite computes it in 64 bits, and no id ever becomes a JavaScript number. A log holds fewer than 2^28 entries, which
 * at the least size of a payload is far more bytes than any job may log; there is room for 2^35 jobs.
 */
import type { JobId } from "../../kernel/ids.ts";
import { type Chunk, type ChunkQuery, LATEST_WITHIN_CHUNKS, type LogEntry, PAGE_LENGTH } from "../../kernel/ports.ts";
import { StoreError } from "../../kernel/store-error.ts";
import { latestOf } from "../latest-of.ts";
import { requireWholeChunk } from "../row-checks.ts";
import type { Database } from "./database.ts";
import type { Keys } from "./keys.ts";

export const SEQ_BITS = 28;
export const LAST_SEQ = 2 ** SEQ_BITS - 1;

/** SQL for the highest `job_seq` of the job whose key is `job`, an SQL expression; 0 for none. */
export function headOfJob(job: string): string {
  return `coalesce((SELECT (id & ${LAST_SEQ}) + length(kinds) - 1 FROM chunks
    WHERE id BETWEEN ${job} << ${SEQ_BITS} AND (${job} << ${SEQ_BITS}) + ${LAST_SEQ} ORDER BY id DESC LIMIT 1), 0)`;
}

/**
 * SQL for the bytes of a job's chunks that hold entries from `first` to `last`, SQL expressions; to the end when `last` is
 * null. Reads no payload: `octet_length` is told by the row's header.
 */
export function bytesOfLog(job: string, first: string, last: string): string {
  const id = (seq: string): string => `(${job} << ${SEQ_BITS}) + ${seq}`;
  return `coalesce((SELECT sum(octet_length(payloads)) FROM chunks
    WHERE id BETWEEN coalesce(
        (SELECT id FROM chunks WHERE id BETWEEN ${job} << ${SEQ_BITS} AND ${id(first)} ORDER BY id DESC LIMIT 1),
        ${job} << ${SEQ_BITS}) AND ${id(`coalesce(${last}, ${LAST_SEQ})`)}
      AND (id & ${LAST_SEQ}) + length(kinds) > ${first}), 0)`;
}

export function createLog(database: Database, keys: Keys) {
  const insert = database.prepare(`INSERT INTO chunks (id, kinds, payloads) VALUES ((? << ${SEQ_BITS}) + ?, ?, ?)`);
  const selectHead = database.prepare<{ head: number }>(`SELECT ${headOfJob("?1")} AS head`);
  const selectOf = (condition: string) =>
    database.prepare<{ firstSeq: number; kinds: string; payloads: string }>(
      `SELECT id & ${LAST_SEQ} AS firstSeq, kinds, payloads FROM chunks
      WHERE id >= coalesce(
          (SELECT id FROM chunks
          WHERE id BETWEEN ?1 << ${SEQ_BITS} AND (?1 << ${SEQ_BITS}) + ?2 ORDER BY id DESC LIMIT 1), ?1 << ${SEQ_BITS})
        AND id <= (?1 << ${SEQ_BITS}) + ?3 ${condition}
      ORDER BY id`,
    );
  const select = selectOf("");
  const selectHolding = selectOf("AND kinds GLOB ?4");
  const selectBytes = database.prepare<{ bytes: number }>(
    `SELECT coalesce(sum(octet_length(payloads)), 0)
      + (SELECT coalesce(sum(octet_length(value)), 0) FROM steps WHERE job = ?1) AS bytes
    FROM chunks WHERE id BETWEEN ?1 << ${SEQ_BITS} AND (?1 << ${SEQ_BITS}) + ${LAST_SEQ}`,
  );

  // Kinds come before payloads in a row, so that looking through them reads no payload.
  const selectLatest = database.prepare<{ firstSeq: number; kinds: string; payloads: string }>(
    `SELECT id & ${LAST_SEQ} AS firstSeq, kinds, payloads FROM chunks WHERE id = (
      SELECT id FROM (
        SELECT id, kinds FROM chunks WHERE id BETWEEN ?1 << ${SEQ_BITS} AND (?1 << ${SEQ_BITS}) + ${LAST_SEQ}
        ORDER BY id DESC LIMIT ${LATEST_WITHIN_CHUNKS})
      WHERE kinds GLOB ?2 ORDER BY id DESC LIMIT 1)`,
  );

  return {
    append(chunk: Chunk): void {
      requireWholeChunk(chunk);
      if (chunk.firstSeq > LAST_SEQ)
        throw new StoreError(`job ${chunk.job} has ${LAST_SEQ} entries, and room for no more`);
      insert.run(keys.jobKey(chunk.job), chunk.firstSeq, chunk.kinds, chunk.payloads.join("\n"));
    },
    head(job: JobId): number {
      const found = keys.findJob(job);
      return found === undefined ? 0 : (selectHead.get(found.key)?.head ?? 0);
    },
    readLatest(job: JobId, codes: string): LogEntry | undefined {
      const found = keys.findJob(job);
      const row = found && selectLatest.get(found.key, `*[${codes}]*`);
      return row && latestOf({ job, ...row, payloads: row.payloads.split("\n") }, codes);
    },
    bytes(job: JobId): number {
      const found = keys.findJob(job);
      return found === undefined ? 0 : (selectBytes.get(found.key)?.bytes ?? 0);
    },
    read({ job, after, upTo = LAST_SEQ, limit, holding }: ChunkQuery): readonly Chunk[] {
      const found = keys.findJob(job);
      if (found === undefined || limit <= 0 || upTo <= after) return [];
      const chunks: Chunk[] = [];
      let entries = 0;
      let length = 0;
      const range = [found.key, Math.min(after + 1, LAST_SEQ), Math.min(upTo, LAST_SEQ)] as const;
      const rows = holding === undefined ? select.iterate(...range) : selectHolding.iterate(...range, `*[${holding}]*`);
      for (const row of rows) {
        const lastSeq = row.firstSeq + row.kinds.length - 1;
        if (lastSeq <= after) continue;
        chunks.push({ job, firstSeq: row.firstSeq, kinds: row.kinds, payloads: row.payloads.split("\n") });
        entries += lastSeq - Math.max(after, row.firstSeq - 1);
        length += row.payloads.length;
        if (entries >= limit || length >= PAGE_LENGTH) break;
      }
      return chunks;
    },
  };
}
