/** A store around another: what every layer of a simulated store is made of. */
import type { JobId } from "../../src/kernel/ids.ts";
import type { CommitBatch, CommitOutcome, RemovalStep, Store } from "../../src/kernel/ports.ts";

export interface StoreLayer {
  /** Default: forwards. */
  commit?(batch: CommitBatch, forward: Store["commit"]): Promise<CommitOutcome>;
  /** Default: forwards. */
  removeTrees?(roots: readonly JobId[], forward: Store["removeTrees"]): Promise<RemovalStep>;
  /** Stands around every other operation that answers. Default: performs it. */
  perform?<Answer>(operation: () => Promise<Answer>): Promise<Answer>;
}

/** Operations given in `overrides` replace those of `inner`, under the same layer. */
export function layerStore(inner: Store, layer: StoreLayer, overrides: Partial<Store> = {}): Store {
  const forward: Store["commit"] = (batch) => inner.commit(batch);
  const perform = layer.perform ?? ((operation) => operation());
  const base: Store = {
    commit: (batch) => (layer.commit === undefined ? forward(batch) : layer.commit(batch, forward)),
    claimTrees: (node) => perform(() => inner.claimTrees(node)),
    readJob: (id) => perform(() => inner.readJob(id)),
    readTree: (root) => perform(() => inner.readTree(root)),
    readInput: (job) => perform(() => inner.readInput(job)),
    readHeads: (jobs) => perform(() => inner.readHeads(jobs)),
    listJobs: (query) => perform(() => inner.listJobs(query)),
    listAudit: (query) => perform(() => inner.listAudit(query)),
    readChunks: (query) => perform(() => inner.readChunks(query)),
    readLatest: (job, codes) => perform(() => inner.readLatest(job, codes)),
    readIdempotency: (principal, key) => perform(() => inner.readIdempotency(principal, key)),
    readSteps: (job) => perform(() => inner.readSteps(job)),
    readBudgets: (jobs) => perform(() => inner.readBudgets(jobs)),
    readHolds: (job, after) => perform(() => inner.readHolds(job, after)),
    readPermission: (id) => perform(() => inner.readPermission(id)),
    readPermissionsOf: (job) => perform(() => inner.readPermissionsOf(job)),
    listPermissions: (query) => perform(() => inner.listPermissions(query)),
    readArtifact: (id) => perform(() => inner.readArtifact(id)),
    sumArtifacts: (job) => perform(() => inner.sumArtifacts(job)),
    findNamedContents: (digests) => perform(() => inner.findNamedContents(digests)),
    readLogBytes: (job) => perform(() => inner.readLogBytes(job)),
    readSize: () => perform(() => inner.readSize()),
    findRemovable: (query) => perform(() => inner.findRemovable(query)),
    removeTrees: (roots) =>
      layer.removeTrees?.(roots, (asked) => inner.removeTrees(asked)) ?? perform(() => inner.removeTrees(roots)),
    removeCommands: (createdBefore, limit) => perform(() => inner.removeCommands(createdBefore, limit)),
    readSession: (id) => perform(() => inner.readSession(id)),
    readSegments: (session, after, limit) => perform(() => inner.readSegments(session, after, limit)),
    listSessions: () => perform(() => inner.listSessions()),
    measureSession: (id) => perform(() => inner.measureSession(id)),
    readCommands: (node) => perform(() => inner.readCommands(node)),
    readCommandOutcome: (id) => perform(() => inner.readCommandOutcome(id)),
    onWake: (listener) => inner.onWake(listener),
    close: () => inner.close(),
  };
  return { ...base, ...overrides };
}
