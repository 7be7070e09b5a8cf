/** Commands from one node to the owner of a tree, and their outcomes. */
import type { NodeId } from "../../kernel/ids.ts";
import type { CommandOutcome, CommandRow } from "../../kernel/ports.ts";
import { StoreError } from "../../kernel/store-error.ts";
import type { Database } from "./database.ts";
import type { Keys } from "./keys.ts";

export function createCommands(database: Database, keys: Keys) {
  const insert = database.prepare(
    "INSERT INTO commands (id, root, job, kind, body, created_at) VALUES (?, ?, ?, ?, ?, ?)",
  );
  const answer = database.prepare("UPDATE commands SET outcome = ? WHERE id = ? AND outcome IS NULL");
  const selectOpen = database.prepare<CommandRow>(
    `SELECT command.id, root.id AS root, job.id AS job, command.kind, command.body, command.created_at AS createdAt
    FROM commands AS command JOIN jobs AS root ON root.key = command.root JOIN jobs AS job ON job.key = command.job
    WHERE command.outcome IS NULL AND coalesce(root.owner, ?1) = ?1 ORDER BY command.key`,
  );
  const deleteOld = database.prepare(
    "DELETE FROM commands WHERE key IN (SELECT key FROM commands WHERE created_at < ? ORDER BY key LIMIT ?)",
  );
  const selectOutcome = database.prepare<{ outcome: string | null }>("SELECT outcome FROM commands WHERE id = ?");

  return {
    insert({ id, root, job, kind, body, createdAt }: CommandRow): void {
      insert.run(id, keys.jobKey(root), keys.jobKey(job), kind, body, createdAt);
    },
    answer({ id, outcome }: CommandOutcome): void {
      if (answer.run(outcome, id).changes === 0) throw new StoreError(`no command ${id} awaits an outcome`);
    },
    /** Commands made before this time, at most `limit`. */
    remove: (createdBefore: number, limit: number): number => Number(deleteOld.run(createdBefore, limit).changes),
    readOpen: (node: NodeId): readonly CommandRow[] => selectOpen.all(node),
    readOutcome: (id: string): string | undefined => selectOutcome.get(id)?.outcome ?? undefined,
  };
}
