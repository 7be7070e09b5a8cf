/**
 * Asking for authority at run time: what a running attempt asks is checked, found again where an earlier attempt asked the
 * same, put to the policy, and else left to people. It waits without a run slot, and goes on once the decision is durable.
 */
import type { World } from "../../platform/world.ts";
import { CodedError } from "../../protocol/errors.ts";
import type { AuditedDecision } from "../audit/audit-trail.ts";
import type { Guard } from "../authority/guard.ts";
import {
  DEFAULT_GRANT_SECONDS,
  isOpen,
  leaseIdOf,
  MAX_PENDING_REQUESTS,
  MAX_REQUESTS,
  type PermissionRow,
} from "../authority/permission.ts";
import { type Grant, type PermissionAsk, type ReadAsk, readAsk } from "../authority/permission-ask.ts";
import type { PolicyGate, Ruling } from "../authority/policy-gate.ts";
import { targetKind } from "../authority/targets.ts";
import type { PermissionId } from "../ids.ts";
import { formatTime } from "../log/entry.ts";
import { principalOf } from "../principal.ts";
import type { ActiveJob } from "./active-job.ts";
import { digestOf, MAX_DIGESTED_NESTING } from "./digest.ts";
import { assertWithinParent, auditedPermission, grantEnd, policyQuestion } from "./grant-bounds.ts";
import { agentReference } from "./job-record.ts";
import { assertKey } from "./submission-checks.ts";

export interface RequestingParts {
  readonly world: World;
  readonly policy: PolicyGate | undefined;
  audit(decision: AuditedDecision): void;
  /** The job waits for a person; see `SlotBreaks`. */
  leaveSlot(job: ActiveJob): void;
  /** Resolves once the job has a slot again. */
  takeSlot(job: ActiveJob): Promise<void>;
}

/** What one attempt asks with. */
export interface Requester {
  readonly job: ActiveJob;
  readonly guard: Guard;
  /** Aborts when the attempt is shut out, or its lease has expired. */
  readonly signal: AbortSignal;
  /** Counts what is kept of a request. @throws when the job's log is full. */
  admit(text: string): void;
  /** @throws the stop reason once the attempt is shut out. */
  assertRunning(): void;
}

interface Asked extends ReadAsk {
  readonly digest: string;
}

const ignore = (): void => {};
/** What is shown of a resource in an error. */
const MAX_RESOURCE_SHOWN = 256;

export class PermissionRequests {
  readonly #parts: RequestingParts;
  readonly #requester: Requester;
  /** Requests that the policy is still asked about, by key. */
  readonly #beginning = new Map<string, { readonly digest: string; readonly begun: Promise<PermissionId> }>();
  /** How many there were without a key of their own, by digest. */
  readonly #ordinals = new Map<string, number>();

  constructor(parts: RequestingParts, requester: Requester) {
    this.#parts = parts;
    this.#requester = requester;
  }

  /** See `JobHost.requestPermission`. */
  async request(ask: PermissionAsk): Promise<Grant> {
    const { job } = this.#requester;
    const asked = digested(readAsk(ask));
    this.#assertInForce(asked);
    assertWithinParent(job, asked);
    const key = ask.key === undefined ? this.#nextKey(asked.digest) : `=${assertKey(ask.key, "requestPermission.key")}`;
    const known = job.permissions.find(key);
    const { digest } = this.#beginning.get(key) ?? known ?? asked;
    if (digest !== asked.digest) {
      throw new CodedError(
        "DUPLICATE_KEY",
        `the key ${JSON.stringify(ask.key)} stands for another request of this job; use a new key for a new one`,
        { details: { field: "requestPermission.key" } },
      );
    }
    const isStanding = known !== undefined && !isOver(known, this.#parts.world.clock.now());
    return await this.#settled(isStanding ? known.id : await this.#begin(asked, key));
  }

  /** A permission is no way around the lease's expiry, nor around an empty counter. */
  #assertInForce({ permission, resource, operation }: Asked): void {
    try {
      void this.#requester.guard.check({ namespace: permission, target: resource, operation });
    } catch (refusal) {
      if (!isDenial(refusal)) throw refusal;
    }
  }

  #begin(asked: Asked, key: string): PermissionId | Promise<PermissionId> {
    const { policy } = this.#parts;
    const beginning = this.#beginning.get(key);
    if (beginning !== undefined) return beginning.begun;
    try {
      assertRoom(this.#requester.job, this.#beginning.size);
    } catch (error) {
      this.#giveBack(asked.digest);
      throw error;
    }
    if (policy?.answers !== true) return this.#add(asked, key, undefined);
    const begun = this.#answer(policy, asked)
      .finally(() => this.#beginning.delete(key))
      .then((answer) => {
        this.#requester.assertRunning();
        return this.#add(asked, key, answer);
      });
    this.#beginning.set(key, { digest: asked.digest, begun });
    begun.catch(() => this.#giveBack(asked.digest));
    return begun;
  }

  /** A refusal is an answer; a policy that cannot answer is none. */
  async #answer(policy: PolicyGate, asked: Asked): Promise<Ruling | CodedError | undefined> {
    const { record } = this.#requester.job;
    const end = grantEnd(record, this.#parts.world.clock.now(), asked.leaseSeconds ?? DEFAULT_GRANT_SECONDS);
    try {
      return await policy.answer(policyQuestion(record, asked, principalOf(record.principal, record.roles), end));
    } catch (error) {
      if (isDenial(error)) return error;
      throw error;
    }
  }

  #add(asked: Asked, key: string, answer: Ruling | CodedError | undefined): PermissionId {
    const { world } = this.#parts;
    const { job } = this.#requester;
    const { record } = job;
    this.#requester.admit(asked.args ?? "");
    const now = world.clock.now();
    const id = world.ids.next("perm");
    const { digest, waitSeconds, ...told } = asked;
    const pending: PermissionRow = {
      ...told,
      id,
      job: record.id,
      principal: record.principal,
      agent: agentReference(record),
      key,
      digest,
      attempt: record.attempt,
      state: "pending",
      requestedAt: now,
      expiresAt: now + waitSeconds * 1_000,
      leaseId: null,
      decidedAt: null,
      decidedBy: null,
      decisionReason: null,
    };
    job.permissions.put(answer === undefined ? pending : answered(pending, answer, now));
    this.#audit(pending, answer);
    return id;
  }

  /** Waits until what becomes of the request is durable, and for a slot to go on in. */
  async #settled(id: PermissionId): Promise<Grant> {
    const { job, signal } = this.#requester;
    const stopped = Promise.withResolvers<never>();
    stopped.promise.catch(ignore);
    const stop = (): void => stopped.reject(signal.reason);
    if (signal.aborted) stop();
    signal.addEventListener("abort", stop, { once: true });
    try {
      if (job.permissions.get(id)?.state === "pending") {
        const decided = job.permissions.decided(id);
        this.#parts.leaveSlot(job);
        await Promise.race([decided, stopped.promise]);
        await Promise.race([this.#parts.takeSlot(job), stopped.promise]);
      } else await Promise.race([untilDurable(job), stopped.promise]);
    } finally {
      signal.removeEventListener("abort", stop);
    }
    this.#requester.assertRunning();
    return grantOf(job.permissions.get(id), this.#parts.world.clock.now());
  }

  #audit(row: PermissionRow, answer: Ruling | CodedError | undefined): void {
    const { principal, job } = row;
    const [owner, details] = [principal, auditedPermission(row)];
    this.#parts.audit({ principal, action: "permission.request", job, owner, allowed: true, details });
    if (answer === undefined) return;
    const allowed = !(answer instanceof CodedError);
    const action = allowed ? "permission.grant" : "permission.deny";
    this.#parts.audit({ principal, action, job, owner, allowed, details: { ...details, by: "policy" } });
  }

  #nextKey(digest: string): string {
    const ordinal = this.#ordinals.get(digest) ?? 0;
    this.#ordinals.set(digest, ordinal + 1);
    return `${digest}/${ordinal}`;
  }

  /** What came to nothing was never asked: a later attempt must find what is asked in its place. */
  #giveBack(digest: string): void {
    const { permissions } = this.#requester.job;
    const isFree = (key: string): boolean => permissions.find(key) === undefined && !this.#beginning.has(key);
    let next = this.#ordinals.get(digest) ?? 0;
    while (next > 0 && isFree(`${digest}/${next - 1}`)) next--;
    if (next > 0) this.#ordinals.set(digest, next);
    else this.#ordinals.delete(digest);
  }
}

/**
 * The arguments are what JSON keeps of them: a value that tells something else each time it is read tells it once. Only
 * contents of files and requests are more than is shown; elsewhere a digest of somebody's own would be for what nobody saw.
 */
function digested(asked: ReadAsk): Asked {
  const { permission, resource, operation, args } = asked;
  const isMore = targetKind(permission) === "path" || targetKind(permission) === "url";
  const told = isMore ? asked.argsDigest : null;
  // In any case, since it refuses what nests too deep to be shown to anybody.
  const shown = args === null ? null : digestOfArgs(args);
  const argsDigest = told ?? shown;
  return { ...asked, argsDigest, digest: digestOf([permission, resource, operation, argsDigest]) };
}

function digestOfArgs(text: string): string {
  try {
    return digestOf(JSON.parse(text));
  } catch (cause) {
    throw new CodedError("INVALID_REQUEST", `requestPermission.args must nest at most ${MAX_DIGESTED_NESTING} levels`, {
      details: { field: "requestPermission.args", limit: MAX_DIGESTED_NESTING },
      cause,
    });
  }
}

/** What nobody decided in time, or was granted and is over, is asked again; a no stands. */
function isOver({ state, expiresAt }: PermissionRow, now: number): boolean {
  return state === "expired" || state === "withdrawn" || (isOpen({ state }) && expiresAt <= now);
}

function assertRoom({ permissions }: ActiveJob, beginning: number): void {
  const beyond = (what: string, limit: number) =>
    new CodedError("INVALID_REQUEST", what, { details: { field: "requestPermission", limit } });
  if (permissions.pending + beginning >= MAX_PENDING_REQUESTS) {
    throw beyond(`${MAX_PENDING_REQUESTS} requests of a job may wait for a decision at a time`, MAX_PENDING_REQUESTS);
  }
  if (permissions.count + beginning >= MAX_REQUESTS) {
    throw beyond(`a job may ask for ${MAX_REQUESTS} permissions in all: ask for more at a time`, MAX_REQUESTS);
  }
}

function answered(row: PermissionRow, answer: Ruling | CodedError, now: number): PermissionRow {
  if (answer instanceof CodedError) {
    return { ...row, state: "denied", decidedAt: now, decisionReason: answer.message };
  }
  const expiresAt = answer.lease?.expiresAt ?? now;
  return { ...row, state: "granted", leaseId: leaseIdOf(row.id), expiresAt, decidedAt: now };
}

function untilDurable(job: ActiveJob): Promise<void> {
  return new Promise((resolve, reject) => {
    job.whenCommitted((cause) => {
      if (cause === undefined) resolve();
      else reject(new CodedError("INTERNAL_ERROR", "the permission could not be stored; try again", { cause }));
    });
  });
}

/** @throws CodedError PERMISSION_DENIED that says what became of the request. */
function grantOf(row: PermissionRow | undefined, now: number): Grant {
  if (row === undefined) throw new CodedError("INTERNAL_ERROR", "the request is gone; ask again");
  const { id, permission, resource, operation, state, leaseId, expiresAt } = row;
  if (state === "granted" && leaseId !== null && now < expiresAt) {
    return { permissionId: id, leaseId, permission, resource, operation, expiresAt };
  }
  const shown = resource.slice(0, MAX_RESOURCE_SHOWN).toWellFormed();
  const { decisionReason } = row;
  throw new CodedError("PERMISSION_DENIED", `${permission} on ${shown} (${operation}) ${fateOf(row)}`, {
    details: {
      capability: permission,
      target: shown,
      operation,
      permission_id: id,
      state: state === "granted" ? "expired" : state,
      ...(decisionReason !== null && { reason: decisionReason }),
    },
  });
}

function fateOf({ state, leaseId, expiresAt, decidedBy, decisionReason }: PermissionRow): string {
  const because = decisionReason === null ? "" : `: ${decisionReason}`;
  if (state === "denied") return `was denied${decidedBy === null ? " by the policy" : ""}${because}`;
  if (state === "revoked") return `was granted, and taken back${because}`;
  if (leaseId !== null) return `was granted until ${formatTime(expiresAt)}, which is over`;
  return `was asked for, and nobody decided until ${formatTime(expiresAt)}`;
}

function isDenial(error: unknown): error is CodedError {
  return error instanceof CodedError && error.code === "PERMISSION_DENIED";
}
