/** The store in memory: for tests and simulations, and for runtimes that need to remember nothing. */

import type { JobId, NodeId } from "../../kernel/ids.ts";
import { isTerminal } from "../../kernel/job/job-state.ts";
import type { ClaimedTree, CommitBatch, CommitOutcome, Store } from "../../kernel/ports.ts";
import { StoreError } from "../../kernel/store-error.ts";
import { createWake } from "../wake.ts";
import { listAudit } from "./audit.ts";
import { writeRows } from "./commit.ts";
import {
  findNamedContents,
  listJobs,
  listPermissions,
  measureSession,
  readBudgets,
  readChunks,
  readCommands,
  readHolds,
  readLatest,
  readSegments,
  readSession,
  sumArtifacts,
} from "./reads.ts";
import { findRemovable, logBytes, removeCommands, removeTrees, sizeOf } from "./retention.ts";
import { copyTables, emptyTables, headOf, idempotencyId, type Tables } from "./tables.ts";
import { Undo } from "./undo.ts";

/** Everything a memory store held at one moment. Opaque, and never changes. */
export interface MemorySnapshot {
  readonly tables: Tables;
}

export interface MemoryStore extends Store {
  /** What the store holds now, whether it is closed or not. */
  snapshot(): MemorySnapshot;
}

/**
 * A commit is applied within the call to `commit`; its promise resolves in a later microtask. Rows are copied on the way
 * in and frozen, so neither a caller's later change nor a reader's reaches them.
 * @param snapshot what to begin with; default: nothing. One snapshot may begin any number of stores.
 */
export function createMemoryStore(snapshot?: MemorySnapshot): MemoryStore {
  const tables = snapshot === undefined ? emptyTables() : copyTables(snapshot.tables);
  const wake = createWake();
  let closed = false;

  function requireOpen(): void {
    if (closed) throw new StoreError("the store is closed");
  }

  function refusedClaims({ claims }: CommitBatch): readonly JobId[] {
    return claims.filter(({ root, epoch }) => tables.trees.get(root)?.epoch !== epoch).map(({ root }) => root);
  }

  return {
    async commit(batch): Promise<CommitOutcome> {
      requireOpen();
      const refused = refusedClaims(batch);
      if (refused.length > 0) return { committed: false, refused };
      const undo = new Undo();
      try {
        writeRows(tables, batch.rows, undo);
      } catch (error) {
        undo.rollback();
        throw error;
      }
      wake.committed(batch);
      return { committed: true };
    },
    async claimTrees(node) {
      requireOpen();
      return claimTrees(tables, node);
    },
    async readJob(id) {
      requireOpen();
      return tables.jobs.get(id);
    },
    async readTree(root) {
      requireOpen();
      return [...tables.jobs.values()].filter((job) => job.root === root && !isTerminal(job.status));
    },
    async readInput(job) {
      requireOpen();
      return tables.inputs.get(job);
    },
    async readHeads(jobs) {
      requireOpen();
      return new Map(jobs.map((job) => [job, headOf(tables, job)]));
    },
    async listJobs(query) {
      requireOpen();
      return listJobs(tables, query);
    },
    async listAudit(query) {
      requireOpen();
      return listAudit(tables, query);
    },
    async readChunks(query) {
      requireOpen();
      return readChunks(tables, query);
    },
    async readLatest(job, codes) {
      requireOpen();
      return readLatest(tables, job, codes);
    },
    async readIdempotency(principal, key) {
      requireOpen();
      return tables.idempotency.get(idempotencyId(principal, key));
    },
    async readSteps(job) {
      requireOpen();
      return [...(tables.steps.get(job) ?? [])];
    },
    async readBudgets(jobs) {
      requireOpen();
      return readBudgets(tables, jobs);
    },
    async readHolds(job, after = "") {
      requireOpen();
      return readHolds(tables, job, after);
    },
    async readPermission(id) {
      requireOpen();
      return tables.permissions.get(id);
    },
    async readPermissionsOf(job) {
      requireOpen();
      return [...tables.permissions.values()].filter((row) => row.job === job);
    },
    async listPermissions(query) {
      requireOpen();
      return listPermissions(tables, query);
    },
    async readArtifact(id) {
      requireOpen();
      return tables.artifacts.get(id);
    },
    async sumArtifacts(job) {
      requireOpen();
      return sumArtifacts(tables, job);
    },
    async findNamedContents(digests) {
      requireOpen();
      return findNamedContents(tables, digests);
    },
    async readLogBytes(job) {
      requireOpen();
      return logBytes(tables, job);
    },
    async readSize() {
      requireOpen();
      return sizeOf(tables);
    },
    async findRemovable(query) {
      requireOpen();
      return findRemovable(tables, query);
    },
    async removeTrees(roots) {
      requireOpen();
      return removeTrees(tables, roots);
    },
    async removeCommands(createdBefore, limit) {
      requireOpen();
      return removeCommands(tables, createdBefore, limit);
    },
    async readSession(id) {
      requireOpen();
      return readSession(tables, id);
    },
    async readSegments(session, after, limit) {
      requireOpen();
      return readSegments(tables, session, after, limit);
    },
    async listSessions() {
      requireOpen();
      return [...tables.sessions.values()].map(({ row: { id, principal } }) => ({ id, principal }));
    },
    async measureSession(id) {
      requireOpen();
      return measureSession(tables, id);
    },
    async readCommands(node) {
      requireOpen();
      return readCommands(tables, node);
    },
    async readCommandOutcome(id) {
      requireOpen();
      return tables.commands.get(id)?.outcome ?? undefined;
    },
    onWake: (listener) => wake.listen(listener),
    async close() {
      closed = true;
      wake.clear();
    },
    snapshot: () => ({ tables: copyTables(tables) }),
  };
}

/** Every unfinished tree: whoever claims from a store in memory is the only live node. */
function claimTrees(tables: Tables, node: NodeId): readonly ClaimedTree[] {
  const unfinished = [...tables.jobs.values()].filter(({ status }) => !isTerminal(status));
  const byRoot = Map.groupBy(unfinished, ({ root }) => root);
  return [...byRoot].map(([root, jobs]) => {
    const epoch = (tables.trees.get(root)?.epoch ?? 0) + 1;
    tables.trees.set(root, { epoch, owner: node });
    return { claim: { root, epoch }, jobs };
  });
}
