/** Artifact rows: which job has which content, and under which name. */
import type { ArtifactId, JobId } from "../../kernel/ids.ts";
import type { ArtifactRow } from "../../kernel/ports.ts";
import type { Database } from "./database.ts";

export function createArtifacts(database: Database) {
  // By way of the job's row: a job that is gone gets none.
  const insert = database.prepare(
    `INSERT INTO artifacts (id, job, name, content_type, size, sha256, created_at)
    SELECT ?, key, ?, ?, ?, ?, ? FROM jobs WHERE id = ? ON CONFLICT DO NOTHING`,
  );
  const select = database.prepare<ArtifactRow>(
    `SELECT row.id, job.id AS job, row.name, row.content_type AS contentType, row.size, row.sha256,
      row.created_at AS createdAt
    FROM artifacts AS row JOIN jobs AS job ON job.key = row.job WHERE row.id = ?`,
  );
  const selectSum = database.prepare<{ sum: number }>(
    `SELECT coalesce(sum(row.size), 0) AS sum
    FROM artifacts AS row JOIN jobs AS job ON job.key = row.job WHERE job.id = ?`,
  );
  const selectNamed = database.prepare<{ sha256: string }>(
    "SELECT value AS sha256 FROM json_each(?) WHERE EXISTS (SELECT 1 FROM artifacts WHERE sha256 = value)",
  );

  return {
    insert({ id, job, name, contentType, size, sha256, createdAt }: ArtifactRow): void {
      insert.run(id, name, contentType, size, sha256, createdAt, job);
    },
    read(id: ArtifactId): ArtifactRow | undefined {
      const row = select.get(id);
      return row === undefined ? undefined : { ...row };
    },
    sum: (job: JobId): number => selectSum.get(job)?.sum ?? 0,
    findNamed(digests: readonly string[]): ReadonlySet<string> {
      return new Set(selectNamed.all(JSON.stringify(digests)).map(({ sha256 }) => sha256));
    },
  };
}
