/** Sessions, the segments of their streams, and what they follow. */
import type { SessionId } from "../../kernel/ids.ts";
import type {
  Follow,
  Release,
  Segment,
  SessionRow,
  SessionSummary,
  StoredSession,
  Unfollow,
} from "../../kernel/ports.ts";
import { requireFilledSegment } from "../row-checks.ts";
import { type Database, rowLimit } from "./database.ts";
import { UNFINISHED } from "./jobs.ts";
import type { Keys } from "./keys.ts";
import { bytesOfLog, headOfJob } from "./log.ts";

type SessionColumns = Omit<StoredSession, "features" | "follows"> & { readonly features: string };

export function createSessions(database: Database, keys: Keys) {
  const insertSession = database.prepare(
    `INSERT INTO sessions (principal, features, created_at, newest_token, presented_token, key, id, released)
    VALUES (?, ?, ?, ?, ?, ?, ?, 0)`,
  );
  const updateSession = database.prepare(
    `UPDATE sessions SET principal = ?, features = ?, created_at = ?, newest_token = ?, presented_token = ? WHERE key = ?`,
  );
  const selectSession = database.prepare<SessionColumns>(
    `SELECT id, principal, features, created_at AS createdAt, newest_token AS newestToken,
      presented_token AS presentedToken, released, coalesce(
        (SELECT last_event_seq FROM segments WHERE session = key ORDER BY first_event_seq DESC LIMIT 1), released) AS head
    FROM sessions WHERE key = ?`,
  );
  const selectAll = database.prepare<SessionSummary>("SELECT id, principal FROM sessions ORDER BY key");
  /** Job by job what `measureSession` counts. */
  const sumKept = database.prepare<{ bytes: number }>(
    `WITH placed AS (
      SELECT job, min(first_job_seq) AS first, max(last_job_seq) AS last
      FROM segments WHERE session = ?1 AND frame IS NULL GROUP BY job
    ), kept AS (
      SELECT job, first, last FROM placed
      UNION ALL SELECT follow.job, max(follow.cursor, coalesce(placed.last, 0)) + 1, NULL
      FROM follows AS follow LEFT JOIN placed ON placed.job = follow.job WHERE session = ?1
    ), ranges AS (
      SELECT job, min(first) AS first, iif(count(last) < count(*), NULL, max(last)) AS last FROM kept GROUP BY job
    )
    SELECT coalesce(sum(${bytesOfLog("job", "first", "last")}), 0) AS bytes FROM ranges`,
  );
  const selectFollows = database.prepare<{ job: string; cursor: number; mayCancel: number; since: number }>(
    `WITH placed AS (
      SELECT segment.job AS job, max(segment.last_job_seq) AS cursor
      FROM segments AS segment JOIN follows AS follow ON follow.session = ?1 AND follow.job = segment.job
      WHERE segment.session = ?1 AND segment.first_event_seq > follow.since GROUP BY segment.job
    )
    SELECT job.id AS job, max(follow.cursor, coalesce(placed.cursor, 0)) AS cursor, follow.may_cancel AS mayCancel, since
    FROM follows AS follow JOIN jobs AS job ON job.key = follow.job LEFT JOIN placed ON placed.job = follow.job
    WHERE follow.session = ?1
      AND (${UNFINISHED} OR max(follow.cursor, coalesce(placed.cursor, 0)) < ${headOfJob("job.key")})`,
  );

  const insertSegment = database.prepare(
    `INSERT INTO segments (session, first_event_seq, last_event_seq, job, first_job_seq, last_job_seq)
    VALUES (?, ?, ?, ?, ?, ?)`,
  );
  const insertFrame = database.prepare(
    `INSERT INTO segments (session, first_event_seq, last_event_seq, job, first_job_seq, last_job_seq, frame)
    VALUES (?1, ?2, ?2, ?3, 0, 0, ?4)`,
  );
  const selectSegments = database.prepare<Omit<Segment, "session" | "frame"> & { readonly frame: string | null }>(
    `SELECT first_event_seq AS firstEventSeq, last_event_seq AS lastEventSeq, job.id AS job,
      first_job_seq AS firstJobSeq, last_job_seq AS lastJobSeq, frame
    FROM segments AS segment JOIN jobs AS job ON job.key = segment.job
    WHERE segment.session = ?1 AND last_event_seq > ?2 AND first_event_seq >= coalesce(
      (SELECT max(first_event_seq) FROM segments WHERE session = ?1 AND first_event_seq <= ?2 + 1), 0)
    ORDER BY first_event_seq LIMIT ?3`,
  );
  /** Places begin in the order they end, so the freed segments are a range of the key. */
  const freed = "session = ?1 AND first_event_seq <= ?2 AND last_event_seq <= ?2";
  const selectLastFreed = database.prepare<{ upTo: number | null }>(
    `SELECT max(last_event_seq) AS upTo FROM segments WHERE ${freed}`,
  );
  const moveCursors = database.prepare(
    `UPDATE follows SET cursor = max(follows.cursor, freed.cursor) FROM (
      SELECT segment.job, max(segment.last_job_seq) AS cursor
      FROM segments AS segment JOIN follows AS follow ON follow.session = ?1 AND follow.job = segment.job
      WHERE segment.${freed} AND segment.first_event_seq > follow.since GROUP BY segment.job
    ) AS freed WHERE follows.session = ?1 AND follows.job = freed.job`,
  );
  const deleteFreed = database.prepare(`DELETE FROM segments WHERE ${freed}`);
  const setReleased = database.prepare("UPDATE sessions SET released = ? WHERE key = ?");

  const writeFollow = database.prepare(
    `INSERT INTO follows (session, job, cursor, may_cancel, since) VALUES (?, ?, ?, ?, ?)
    ON CONFLICT DO UPDATE SET cursor = excluded.cursor, may_cancel = excluded.may_cancel, since = excluded.since`,
  );
  const deleteFollow = database.prepare("DELETE FROM follows WHERE session = ? AND job = ?");
  const deleteOf = ["segments WHERE session", "follows WHERE session", "sessions WHERE key"].map((rows) =>
    database.prepare(`DELETE FROM ${rows} = ?`),
  );

  return {
    write(row: SessionRow): void {
      const fields = [
        row.principal,
        row.features.join(" "),
        row.createdAt,
        row.newestToken,
        row.presentedToken,
      ] as const;
      const known = keys.findSession(row.id);
      if (known === undefined) insertSession.run(...fields, keys.addSession(row.id), row.id);
      else updateSession.run(...fields, known);
    },
    follow({ session, job, cursor, mayCancel, since }: Follow): void {
      writeFollow.run(keys.sessionKey(session), keys.jobKey(job), cursor, mayCancel ? 1 : 0, since);
    },
    /** A job that is gone is followed by nobody. */
    unfollow({ session, job }: Unfollow): void {
      const found = keys.findJob(job);
      const key = keys.sessionKey(session);
      if (found !== undefined) deleteFollow.run(key, found.key);
    },
    place(segment: Segment): void {
      requireFilledSegment(segment);
      if (segment.frame !== undefined) {
        const { session, firstEventSeq, job, frame } = segment;
        insertFrame.run(keys.sessionKey(session), firstEventSeq, keys.jobKey(job), frame);
        return;
      }
      insertSegment.run(
        keys.sessionKey(segment.session),
        segment.firstEventSeq,
        segment.lastEventSeq,
        keys.jobKey(segment.job),
        segment.firstJobSeq,
        segment.lastJobSeq,
      );
    },
    /** Moves the cursors of freed segments into the follows. */
    release({ session, upTo }: Release): void {
      const key = keys.findSession(session);
      if (key === undefined) return;
      const released = selectLastFreed.get(key, upTo)?.upTo ?? 0;
      if (released === 0) return;
      moveCursors.run(key, upTo);
      deleteFreed.run(key, upTo);
      setReleased.run(released, key);
    },
    end(session: SessionId): void {
      const key = keys.findSession(session);
      if (key === undefined) return;
      for (const statement of deleteOf) statement.run(key);
      keys.dropSession(session);
    },

    read(id: SessionId): StoredSession | undefined {
      const key = keys.findSession(id);
      const columns = key === undefined ? undefined : selectSession.get(key);
      if (key === undefined || columns === undefined) return undefined;
      return {
        ...columns,
        features: columns.features === "" ? [] : columns.features.split(" "),
        follows: selectFollows
          .all(key)
          .map(({ mayCancel, ...follow }) => ({ session: id, ...follow, mayCancel: mayCancel === 1 })),
      };
    },
    readSegments(session: SessionId, after: number, limit: number): readonly Segment[] {
      const key = keys.findSession(session);
      if (key === undefined) return [];
      return selectSegments
        .all(key, after, rowLimit(limit))
        .map(({ frame, ...segment }) => ({ session, ...segment, ...(frame === null ? {} : { frame }) }));
    },
    list: (): readonly SessionSummary[] => selectAll.all(),
    measure(id: SessionId): number {
      const key = keys.findSession(id);
      return key === undefined ? 0 : (sumKept.get(key)?.bytes ?? 0);
    },
  };
}
