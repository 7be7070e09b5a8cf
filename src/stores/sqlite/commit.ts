/**
 * One batch, one transaction. Within it, rows come after the rows they name, and what a session frees or loses comes
 * after what it gets. The order of the groups is that of `memory/commit.ts`.
 */
import type { CommitBatch, CommitOutcome, Rows } from "../../kernel/ports.ts";
import type { createArtifacts } from "./artifacts.ts";
import type { createAudit } from "./audit.ts";
import type { createBudgets } from "./budgets.ts";
import type { createCommands } from "./commands.ts";
import type { Database } from "./database.ts";
import type { createJobListing } from "./job-listing.ts";
import type { createJobs } from "./jobs.ts";
import type { Keys } from "./keys.ts";
import type { createLog } from "./log.ts";
import type { createPermissions } from "./permissions.ts";
import type { createRetention } from "./retention.ts";
import type { createSessions } from "./sessions.ts";
import type { createTrees } from "./trees.ts";

export interface Tables {
  readonly database: Database;
  readonly keys: Keys;
  readonly jobs: ReturnType<typeof createJobs>;
  readonly log: ReturnType<typeof createLog>;
  readonly retention: ReturnType<typeof createRetention>;
  readonly artifacts: ReturnType<typeof createArtifacts>;
  readonly budgets: ReturnType<typeof createBudgets>;
  readonly permissions: ReturnType<typeof createPermissions>;
  readonly sessions: ReturnType<typeof createSessions>;
  readonly trees: ReturnType<typeof createTrees>;
  readonly commands: ReturnType<typeof createCommands>;
  readonly audit: ReturnType<typeof createAudit>;
  readonly jobListing: ReturnType<typeof createJobListing>;
}

/**
 * Durable when it returns a commit; nothing is written when it throws or refuses.
 * @throws StoreError for a row that fits nothing, a full disk, or, `fatal`, a failed one.
 */
export function commitBatch(tables: Tables, { claims, rows }: CommitBatch): CommitOutcome {
  const { database, keys, trees } = tables;
  // Nothing but this process writes, and nothing here awaits: what holds now holds until the transaction is through.
  const refused = trees.refused(claims);
  if (refused.length > 0) return { committed: false, refused };
  try {
    database.transact(() => writeRows(tables, rows));
  } catch (error) {
    keys.forget();
    throw error;
  }
  return { committed: true };
}

function writeRows(tables: Tables, rows: Partial<Rows>): void {
  const { jobs, log, sessions, commands, artifacts, budgets, permissions, audit } = tables;
  for (const job of rows.jobs ?? []) jobs.insert(job);
  for (const input of rows.inputs ?? []) jobs.insertInput(input);
  for (const update of rows.jobUpdates ?? []) jobs.update(update);
  for (const row of rows.idempotency ?? []) jobs.insertKey(row);
  for (const chunk of rows.chunks ?? []) log.append(chunk);
  for (const step of rows.steps ?? []) jobs.writeStep(step);
  for (const artifact of rows.artifacts ?? []) artifacts.insert(artifact);
  for (const budget of rows.budgets ?? []) budgets.write(budget);
  for (const hold of rows.holds ?? []) budgets.writeHold(hold);
  for (const permission of rows.permissions ?? []) permissions.write(permission);

  for (const row of rows.sessions ?? []) sessions.write(row);
  for (const follow of rows.follows ?? []) sessions.follow(follow);
  for (const segment of rows.segments ?? []) sessions.place(segment);
  for (const unfollow of rows.unfollows ?? []) sessions.unfollow(unfollow);
  for (const release of rows.releases ?? []) sessions.release(release);
  for (const session of rows.endedSessions ?? []) sessions.end(session);

  for (const command of rows.commands ?? []) commands.insert(command);
  for (const outcome of rows.commandOutcomes ?? []) commands.answer(outcome);

  for (const row of rows.audit ?? []) audit.insert(row);
  for (const cutoff of rows.auditCutoffs ?? []) audit.removeBefore(cutoff);
}
