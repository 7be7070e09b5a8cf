/** Jobs, their idempotency keys and steps. */

import type { JobId } from "../../kernel/ids.ts";
import type { JobRecord } from "../../kernel/job/job-record.ts";
import type { Outcome } from "../../kernel/job/job-state.ts";
import type { IdempotencyRow, InputRow, JobUpdate, StepRow } from "../../kernel/ports.ts";
import { StoreError } from "../../kernel/store-error.ts";
import type { Database } from "./database.ts";
import type { Keys } from "./keys.ts";
import { FIRST_EPOCH } from "./keys.ts";

/** A condition on `jobs AS job`. The index `jobs_unfinished` serves it only when it is spelled as there. */
export const UNFINISHED = "(job.status = 'pending' OR job.status = 'running' OR job.status = 'ending')";

/** Everything of a job but its key, with the ids of its relatives; `outcome` is JSON text. */
export const SELECT_JOB = `
  SELECT job.id, root.id AS root, parent.id AS parent, job.delegate_id AS delegateId, job.principal, job.roles, job.session, job.agent, job.version,
    job.trace_id AS traceId, job.trace_parent AS traceParent, job.lease, job.created_at AS createdAt,
    job.deadline_at AS deadlineAt, job.expires_at AS expiresAt, job.status, job.attempt, job.started_at AS startedAt, job.ended_at AS endedAt, job.outcome
  FROM jobs AS job JOIN jobs AS root ON root.key = job.root LEFT JOIN jobs AS parent ON parent.key = job.parent`;

export type JobColumns = Omit<JobRecord, "outcome"> & { readonly outcome: string | null };

export function toJobRecord(columns: JobColumns): JobRecord {
  return { ...columns, outcome: columns.outcome === null ? null : (JSON.parse(columns.outcome) as Outcome) };
}

export function createJobs(database: Database, keys: Keys) {
  const insertJob = database.prepare(
    `INSERT INTO jobs (key, id, root, parent, epoch, principal, session, agent, version, trace_id, created_at, deadline_at,
      expires_at, lease, status, attempt, started_at, ended_at, outcome, trace_parent, delegate_id, roles)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  const updateJob = database.prepare(
    "UPDATE jobs SET status = ?, attempt = ?, started_at = ?, ended_at = ?, outcome = ? WHERE key = ?",
  );
  const selectJob = database.prepare<JobColumns>(`${SELECT_JOB} WHERE job.id = ?`);

  const insertInput = database.prepare("INSERT INTO inputs (job, text) VALUES (?, ?)");
  const selectInput = database.prepare<{ text: string }>("SELECT text FROM inputs WHERE job = ?");

  // A key whose job was removed by retention is free again.
  const insertKey = database.prepare(
    `INSERT INTO idempotency (principal, key, digest, job) VALUES (?, ?, ?, ?)
    ON CONFLICT DO UPDATE SET digest = excluded.digest, job = excluded.job
      WHERE NOT EXISTS (SELECT 1 FROM jobs WHERE jobs.key = idempotency.job)`,
  );
  const selectKey = database.prepare<IdempotencyRow>(
    `SELECT row.principal, row.key, row.digest, job.id AS job
    FROM idempotency AS row JOIN jobs AS job ON job.key = row.job WHERE row.principal = ? AND row.key = ?`,
  );

  const insertStep = database.prepare(
    "INSERT INTO steps (job, name, value) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET value = excluded.value",
  );
  const selectSteps = database.prepare<Omit<StepRow, "job">>("SELECT name, value FROM steps WHERE job = ?");

  return {
    insert(job: JobRecord): void {
      const isRoot = job.root === job.id;
      const root = isRoot ? undefined : keys.rootKey(job.root);
      const parent = job.parent === null ? null : keys.jobKey(job.parent);
      const key = keys.addJob(job.id, isRoot);
      insertJob.run(
        key,
        job.id,
        root ?? key,
        parent,
        isRoot ? FIRST_EPOCH : null,
        job.principal,
        job.session,
        job.agent,
        job.version,
        job.traceId,
        job.createdAt,
        job.deadlineAt,
        job.expiresAt,
        job.lease,
        job.status,
        job.attempt,
        job.startedAt,
        job.endedAt,
        job.outcome === null ? null : JSON.stringify(job.outcome),
        job.traceParent,
        job.delegateId,
        job.roles,
      );
    },
    update({ id, status, attempt, startedAt, endedAt, outcome }: JobUpdate): void {
      const text = outcome === null ? null : JSON.stringify(outcome);
      updateJob.run(status, attempt, startedAt, endedAt, text, keys.jobKey(id));
    },
    read(id: JobId): JobRecord | undefined {
      const columns = selectJob.get(id);
      return columns === undefined ? undefined : toJobRecord(columns);
    },

    insertInput({ job, text }: InputRow): void {
      insertInput.run(keys.jobKey(job), text);
    },
    readInput(job: JobId): string | undefined {
      const found = keys.findJob(job);
      return found === undefined ? undefined : selectInput.get(found.key)?.text;
    },

    insertKey({ principal, key, digest, job }: IdempotencyRow): void {
      if (insertKey.run(principal, key, digest, keys.jobKey(job)).changes === 0) {
        throw new StoreError(`idempotency key ${key} of ${principal} is already stored`);
      }
    },
    readKey: (principal: string, key: string): IdempotencyRow | undefined => selectKey.get(principal, key),

    writeStep({ job, name, value }: StepRow): void {
      insertStep.run(keys.jobKey(job), name, value);
    },
    readSteps(job: JobId): readonly StepRow[] {
      const found = keys.findJob(job);
      return found === undefined ? [] : selectSteps.all(found.key).map((step) => ({ job, ...step }));
    },
  };
}
