/**
 * Deciding what a job has asked for: by the job's owner or an operator of its tenant, never by an agent, and within what the
 * policy lets them grant. A decision is one commit with its event on the job's log; it answers once that is durable.
 */
import type { Clock } from "../../platform/world.ts";
import { CodedError } from "../../protocol/errors.ts";
import type { AuditAction } from "../audit/audit-row.ts";
import type { AuditedDecision } from "../audit/audit-trail.ts";
import {
  DEFAULT_GRANT_SECONDS,
  isOpen,
  leaseIdOf,
  MAX_GRANT_SECONDS,
  MAX_PERMISSION_REASON,
  type PermissionRow,
  type PermissionState,
} from "../authority/permission.ts";
import { readSeconds, readText } from "../authority/permission-ask.ts";
import type { PolicyGate } from "../authority/policy-gate.ts";
import type { PermissionId } from "../ids.ts";
import { formatTime } from "../log/entry.ts";
import type { Store } from "../ports.ts";
import { type Principal, principalKey, tenantOf } from "../principal.ts";
import type { ActiveJob } from "./active-job.ts";
import { assertWithinParent, auditedPermission, grantEnd, policyQuestion } from "./grant-bounds.ts";
import type { JobTable } from "./job-table.ts";

export interface DecisionRequest {
  readonly permission: PermissionId;
  /** Who decides. */
  readonly by: Principal;
  /** Why; at most 2,048 characters. Kept, told on the job's log and to the agent. */
  readonly reason?: string | undefined;
}

export interface GrantRequest extends DecisionRequest {
  /** In seconds, up to 86,400, and never beyond the job's lease. Default: what the agent asked for, or else 300. */
  readonly leaseSeconds?: number | undefined;
}

export interface ExtendRequest extends DecisionRequest {
  /** In seconds. The grant then ends 86,400 s from now at the latest, and with the job's lease. */
  readonly additionalSeconds: number;
}

interface Place {
  readonly job: ActiveJob;
  readonly row: PermissionRow;
}

/** Of a request that nothing can change any more, the job need not be in memory. */
interface Found {
  readonly job: ActiveJob | undefined;
  readonly row: PermissionRow;
}

type Deed = "grant" | "deny" | "revoke" | "extend";

export class PermissionDecisions {
  readonly #store: Pick<Store, "readPermission">;
  readonly #clock: Clock;
  readonly #table: JobTable;
  readonly #policy: PolicyGate | undefined;
  readonly #audit: (decision: AuditedDecision) => void;

  constructor(options: {
    store: Pick<Store, "readPermission">;
    clock: Clock;
    table: JobTable;
    policy: PolicyGate | undefined;
    audit: (decision: AuditedDecision) => void;
  }) {
    this.#store = options.store;
    this.#clock = options.clock;
    this.#table = options.table;
    this.#policy = options.policy;
    this.#audit = options.audit;
  }

  /**
   * Grants what was asked for. The same again by the same principal answers as the first time. So do `deny` and `revoke`.
   * @throws CodedError JOB_NOT_FOUND for an unknown request; PERMISSION_DENIED for who may not decide, or not grant this;
   * INVALID_REQUEST for what is decided already, its state in `details.state`; LEASE_EXPIRED when the job's lease has.
   */
  async grant(request: GrantRequest): Promise<PermissionRow> {
    const { by, leaseSeconds } = request;
    const given =
      leaseSeconds === undefined ? undefined : readSeconds("lease_seconds", leaseSeconds, MAX_GRANT_SECONDS, "");
    const found = await this.#find(request, "grant");
    if (isDone(found, by, "granted")) return await durable(found);
    const place = this.#placeOf(found, "pending");
    const seconds = given ?? place.row.leaseSeconds ?? DEFAULT_GRANT_SECONDS;
    const longest = await this.#allowed(place, by, "grant", grantEnd(place.job.record, this.#clock.now(), seconds));
    // What was asked of the policy may have taken a while: what holds now counts.
    const { job, row } = this.#again(place, "pending");
    const now = this.#clock.now();
    const expiresAt = Math.min(longest, grantEnd(job.record, now, seconds));
    return await this.#decide({ job, row }, "grant", request, {
      state: "granted",
      leaseId: leaseIdOf(row.id),
      expiresAt,
    });
  }

  /** Refuses what was asked for. */
  async deny(request: DecisionRequest): Promise<PermissionRow> {
    const found = await this.#find(request, "deny");
    if (isDone(found, request.by, "denied")) return await durable(found);
    return await this.#decide(this.#placeOf(found, "pending"), "deny", request, { state: "denied" });
  }

  /** Takes a grant back: from this turn on the guard refuses what it was for. */
  async revoke(request: DecisionRequest): Promise<PermissionRow> {
    const found = await this.#find(request, "revoke");
    if (isDone(found, request.by, "revoked")) return await durable(found);
    return await this.#decide(this.#placeOf(found, "granted"), "revoke", request, { state: "revoked" });
  }

  /** Has a grant last longer. */
  async extend(request: ExtendRequest): Promise<PermissionRow> {
    const { by } = request;
    const seconds = readSeconds("additional_seconds", request.additionalSeconds, MAX_GRANT_SECONDS, "");
    const place = this.#placeOf(await this.#find(request, "extend"), "granted");
    const longest = await this.#allowed(place, by, "extend", this.#extended(place, seconds));
    const { job, row } = this.#again(place, "granted");
    const expiresAt = Math.max(row.expiresAt, Math.min(longest, this.#extended({ job, row }, seconds)));
    // Nothing has become of it: asked for ever, it would fill the log of a job that says nothing.
    if (expiresAt === row.expiresAt) return await durable({ job, row });
    return await this.#decide({ job, row }, "extend", request, { expiresAt });
  }

  #extended({ job, row }: Place, seconds: number): number {
    const now = this.#clock.now();
    const end = row.expiresAt + seconds * 1_000;
    if (end > now + MAX_GRANT_SECONDS * 1_000) {
      throw new CodedError("INVALID_REQUEST", `a grant ends at most ${MAX_GRANT_SECONDS} s from now`, {
        details: { field: "additional_seconds", limit: MAX_GRANT_SECONDS },
      });
    }
    return grantEnd(job.record, now, (end - now) / 1_000);
  }

  /** The request, as it is now, and its job. */
  async #find({ permission: id, by, reason }: DecisionRequest, deed: Deed): Promise<Found> {
    if (reason !== undefined) readText("reason", reason, MAX_PERMISSION_REASON, "");
    const stored = await this.#store.readPermission(id);
    if (stored === undefined) throw new CodedError("JOB_NOT_FOUND", `there is no permission ${id} that you may see`);
    if (!mayDecide(by, stored)) {
      this.#tell(stored, by, deed, false, { code: "PERMISSION_DENIED" });
      throw new CodedError(
        "PERMISSION_DENIED",
        "only who submitted the job, or an operator, may decide what it asks for",
      );
    }
    const job = this.#table.get(stored.job);
    const row = job?.permissions.get(id);
    if (job !== undefined && row !== undefined) return { job, row };
    if (!isOpen(stored)) return { job: undefined, row: stored };
    throw new CodedError("INTERNAL_ERROR", `job ${stored.job} is being taken up after a fault of the store; try again`);
  }

  /** @throws CodedError INVALID_REQUEST for a request in another state. */
  #placeOf({ job, row }: Found, state: "pending" | "granted"): Place {
    if (job === undefined) throw decided(row);
    this.#assertState(row, state);
    return { job, row };
  }

  #again({ job, row }: Place, state: PermissionState): Place {
    const now = job.permissions.get(row.id) ?? row;
    if (this.#table.get(job.record.id) !== job) {
      throw new CodedError(
        "INTERNAL_ERROR",
        `job ${job.record.id} is being taken up after a fault of the store; try again`,
      );
    }
    this.#assertState(now, state);
    return { job, row: now };
  }

  /** What its timer is about to end is over. */
  #assertState(row: PermissionRow, state: PermissionState): void {
    if (isOpen(row) && row.expiresAt <= this.#clock.now()) throw decided({ ...row, state: "expired" });
    if (row.state !== state) throw decided(row);
  }

  /**
   * Until when the decider may grant it, at most `end`.
   * @throws CodedError as the policy refuses; PERMISSION_DENIED for what the job above has not.
   */
  async #allowed({ job, row }: Place, by: Principal, deed: Deed, end: number): Promise<number> {
    try {
      assertWithinParent(job, row);
      if (this.#policy === undefined) return end;
      const { lease } = await this.#policy.ask(policyQuestion(job.record, row, by, end));
      return Math.min(end, lease?.expiresAt ?? end);
    } catch (error) {
      const code = error instanceof CodedError ? error.code : "INTERNAL_ERROR";
      this.#tell(row, by, deed, false, { code });
      throw error;
    }
  }

  #decide(
    { job, row }: Place,
    deed: Deed,
    { by, reason }: DecisionRequest,
    change: Partial<Pick<PermissionRow, "state" | "leaseId" | "expiresAt">>,
  ): Promise<PermissionRow> {
    const decision =
      deed === "extend"
        ? {}
        : { decidedAt: this.#clock.now(), decidedBy: principalKey(by), decisionReason: reason ?? null };
    const next = { ...row, ...change, ...decision };
    job.permissions.put(next);
    this.#tell(
      next,
      by,
      deed,
      true,
      deed === "grant" || deed === "extend" ? { expires_at: formatTime(next.expiresAt) } : {},
    );
    return durable({ job, row: next });
  }

  #tell(
    row: PermissionRow,
    by: Principal,
    deed: Deed,
    allowed: boolean,
    more: Readonly<Record<string, unknown>>,
  ): void {
    const action: AuditAction = `permission.${deed}`;
    const details = { ...auditedPermission(row), ...more };
    this.#audit({ principal: principalKey(by), action, job: row.job, owner: row.principal, allowed, details });
  }
}

/** Who may decide: whose job it is, and the operators of that tenant. */
function mayDecide(by: Principal, { principal }: Pick<PermissionRow, "principal">): boolean {
  return principalKey(by) === principal || (by.roles.includes("operator") && tenantOf(principal) === by.tenant);
}

function isDone({ row }: Found, by: Principal, state: PermissionState): boolean {
  return row.state === state && row.decidedBy === principalKey(by);
}

function decided({ id, state }: PermissionRow): CodedError {
  return new CodedError("INVALID_REQUEST", `permission ${id} is ${state}: this can no longer be done to it`, {
    details: { field: "permission_id", state },
  });
}

function durable({ job, row }: Found): Promise<PermissionRow> {
  if (job === undefined) return Promise.resolve(row);
  return new Promise((resolve, reject) => {
    job.whenCommitted((cause) => {
      if (cause === undefined) resolve(row);
      else reject(new CodedError("INTERNAL_ERROR", "the decision could not be stored; try again", { cause }));
    });
  });
}
