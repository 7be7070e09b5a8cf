/**
 * What one job has asked for at run time, while it is in memory: requests that wait for a decision, and grants, each with
 * the timer that ends it. A grant counts from when it is durable; a revoked one counts no more from the turn it was revoked
 * in. All changes go through `decided`, `add` and `conclude`, with the job's next commit.
 */
import type { Clock, Timer, Timers } from "../../platform/world.ts";
import type { Operation } from "../authority/guard.ts";
import { isOpen, type PermissionRow, type Triple, usualOperation } from "../authority/permission.ts";
import type { PermissionId } from "../ids.ts";
import { formatTime } from "../log/entry.ts";

/** What permissions need of their job. */
export interface AskingJob {
  /** Keeps the row and puts its event on the log, in one commit. */
  addPermission(row: PermissionRow, body: string): void;
  /** Calls `listener` when everything up to now is durable (`undefined`), or lost. */
  whenCommitted(listener: (error: unknown | undefined) => void): void;
}

export interface PermissionSurroundings {
  readonly clock: Clock;
  readonly timers: Timers;
  /** Nobody decided in time, or a grant's time is over. */
  readonly onPermissionExpired: (row: PermissionRow) => void;
}

export class JobPermissions {
  readonly #job: AskingJob;
  readonly #surroundings: PermissionSurroundings;
  /** In the order they were asked for. */
  readonly #rows = new Map<PermissionId, PermissionRow>();
  /** The latest of each key. */
  readonly #byKey = new Map<string, PermissionId>();
  /** Durable grants, by what they are for. */
  readonly #grants = new Map<string, Map<PermissionId, PermissionRow>>();
  readonly #expiries = new Map<PermissionId, Timer>();
  readonly #waiting = new Map<PermissionId, PromiseWithResolvers<void>>();

  /** @param rows what earlier attempts asked for. */
  constructor(job: AskingJob, rows: readonly PermissionRow[], surroundings: PermissionSurroundings) {
    this.#job = job;
    this.#surroundings = surroundings;
    for (const row of rows) {
      this.#rows.set(row.id, row);
      this.#byKey.set(row.key, row.id);
      this.#publish(row);
      this.#arm(row);
    }
  }

  get count(): number {
    return this.#rows.size;
  }

  get pending(): number {
    let pending = 0;
    for (const { state } of this.#rows.values()) if (state === "pending") pending++;
    return pending;
  }

  get(id: PermissionId): PermissionRow | undefined {
    return this.#rows.get(id);
  }

  find(key: string): PermissionRow | undefined {
    const id = this.#byKey.get(key);
    return id === undefined ? undefined : this.#rows.get(id);
  }

  /** Adds a request, or puts what became of one in its place. */
  put(row: PermissionRow): void {
    // The end of an older one may be told when the same has been asked again: the key stays with the latest.
    if (!this.#rows.has(row.id)) this.#byKey.set(row.key, row.id);
    this.#rows.set(row.id, row);
    if (row.state !== "granted") this.#grants.get(tripleKey(row))?.delete(row.id);
    this.#job.addPermission(row, permissionBody(row));
    this.#arm(row);
    this.#job.whenCommitted((error) => {
      if (error === undefined) this.#publish(row);
    });
  }

  /** Resolves once what became of the request is durable. Never, when the job is given up before. */
  decided(id: PermissionId): Promise<void> {
    const waiting = this.#waiting.get(id) ?? Promise.withResolvers<void>();
    this.#waiting.set(id, waiting);
    return waiting.promise;
  }

  /** Whether a live grant is for exactly this. @param target in canonical form. */
  covers({ namespace, operation = usualOperation(namespace), digest }: Operation, target: string): boolean {
    const grants = this.#grants.get(tripleKey({ permission: namespace, resource: target, operation }));
    if (grants === undefined) return false;
    const now = this.#surroundings.clock.now();
    for (const { expiresAt, argsDigest } of grants.values()) {
      if (now < expiresAt && (argsDigest === null || argsDigest === digestIfAny(digest))) return true;
    }
    return false;
  }

  /** The job's outcome is fixed: what nobody decided is withdrawn, and grants end with it. */
  conclude(): void {
    const now = this.#surroundings.clock.now();
    for (const row of this.#rows.values()) {
      if (row.state === "pending") this.put({ ...row, state: "withdrawn" });
      else if (row.state === "granted") this.put({ ...row, state: "expired", expiresAt: Math.min(row.expiresAt, now) });
    }
  }

  /** The job leaves memory. */
  release(): void {
    for (const timer of this.#expiries.values()) timer.cancel();
    this.#expiries.clear();
  }

  /** What the row says is durable. It may have changed since: then that is what counts. */
  #publish({ id, state }: PermissionRow): void {
    const row = this.#rows.get(id);
    if (row?.state === "granted") {
      const key = tripleKey(row);
      const grants = this.#grants.get(key) ?? new Map<PermissionId, PermissionRow>();
      this.#grants.set(key, grants.set(id, row));
    }
    if (state === "pending") return;
    this.#waiting.get(id)?.resolve();
    this.#waiting.delete(id);
  }

  #arm(row: PermissionRow): void {
    this.#expiries.get(row.id)?.cancel();
    this.#expiries.delete(row.id);
    if (!isOpen(row)) return;
    const delay = Math.max(0, row.expiresAt - this.#surroundings.clock.now());
    this.#expiries.set(
      row.id,
      this.#surroundings.timers.after(delay, () => this.#expire(row.id)),
    );
  }

  #expire(id: PermissionId): void {
    const row = this.#rows.get(id);
    if (row === undefined || !isOpen(row)) return;
    this.put({ ...row, state: "expired" });
    this.#surroundings.onPermissionExpired(row);
  }
}

/** No part holds a line break that JSON would not escape. */
function tripleKey({ permission, resource, operation }: Triple): string {
  return JSON.stringify([permission, resource, operation]);
}

/** What is too deep to be digested was never asked for. */
function digestIfAny(digest: Operation["digest"]): string | undefined {
  try {
    return digest?.();
  } catch {
    return undefined;
  }
}

/** The body of the event that tells of a request, or of what became of it, without its arguments. */
function permissionBody(row: PermissionRow): string {
  const { id, state, permission, resource, operation, leaseSeconds, leaseId } = row;
  const reason = state === "pending" ? row.reason : row.decisionReason;
  return JSON.stringify({
    permission_id: id,
    state,
    permission,
    resource,
    operation,
    ...(reason !== null && { reason }),
    ...(state === "pending" && leaseSeconds !== null && { requested_lease_seconds: leaseSeconds }),
    ...(leaseId !== null && { lease_id: leaseId }),
    ...(isOpen(row) && { expires_at: formatTime(row.expiresAt) }),
  });
}
