/** Rows to commit in tests: complete, plausible and short to write. */
import type { PermissionRow } from "../../kernel/authority/permission.ts";
import type { JobRecord } from "../../kernel/job/job-record.ts";
import type {
  ArtifactRow,
  BudgetRow,
  Chunk,
  CommandRow,
  Follow,
  HoldRow,
  JobUpdate,
  Segment,
  SessionRow,
} from "../../kernel/ports.ts";

/** A pending job of `t/me`; a root unless told otherwise. */
export function aJob(id: string, fields: Partial<JobRecord> = {}): JobRecord {
  return {
    id,
    root: id,
    parent: null,
    delegateId: null,
    principal: "t/me",
    roles: "user",
    session: null,
    agent: "echo",
    version: "1.0.0",
    traceId: "0af7651916cd43dd8448eb211c80319c",
    traceParent: null,
    lease: null,
    createdAt: 1_767_225_600_000,
    deadlineAt: null,
    expiresAt: null,
    status: "pending",
    attempt: 0,
    startedAt: null,
    endedAt: null,
    outcome: null,
    ...fields,
  };
}

export function anUpdate(id: string, fields: Partial<JobUpdate>): JobUpdate {
  return { id, status: "running", attempt: 1, startedAt: null, endedAt: null, outcome: null, ...fields };
}

/** `count` entries beginning at `firstSeq`, each telling its own position. */
export function aChunk(job: string, firstSeq: number, count: number): Chunk {
  const payloads = Array.from({ length: count }, (_, index) => `{"job":"${job}","seq":${firstSeq + index}}`);
  return { job, firstSeq, kinds: "l".repeat(count), payloads };
}

/** Places `firstEventSeq` to `lastEventSeq`, filled from `firstJobSeq` on without hidden entries. */
export function aSegment(
  session: string,
  firstEventSeq: number,
  lastEventSeq: number,
  job: string,
  firstJobSeq: number,
): Segment {
  return {
    session,
    firstEventSeq,
    lastEventSeq,
    job,
    firstJobSeq,
    lastJobSeq: firstJobSeq + lastEventSeq - firstEventSeq,
  };
}

export function aFollow(session: string, job: string, cursor: number, mayCancel = false, since = 0): Follow {
  return { session, job, cursor, mayCancel, since };
}

export function aSession(id: string, fields: Partial<SessionRow> = {}): SessionRow {
  return {
    id,
    principal: "t/me",
    features: ["ack", "progress"],
    createdAt: 1000,
    newestToken: "t1",
    presentedToken: null,
    ...fields,
  };
}

export function aCommand(id: string, root: string): CommandRow {
  return { id, root, job: root, kind: "cancel", body: '{"by":"t/me"}', createdAt: 1000 };
}

export function anArtifact(id: string, job: string, fields: Partial<ArtifactRow> = {}): ArtifactRow {
  return {
    id,
    job,
    name: "report.md",
    contentType: "text/markdown",
    size: 3,
    sha256: "a".repeat(64),
    createdAt: 1_767_225_600_000,
    ...fields,
  };
}

export function aBudget(job: string, spent: string): BudgetRow {
  return { job, counters: JSON.stringify({ USD: { spent, held: "0" } }) };
}

/** An open reservation. */
export function aHold(job: string, id: string, fields: Partial<HoldRow> = {}): HoldRow {
  return {
    job,
    id,
    kind: "reservation",
    key: `key of ${id}`,
    digest: "d",
    amounts: '{"USD":"0.3"}',
    child: null,
    state: "open",
    attempt: 1,
    ...fields,
  };
}

/** A request that waits. */
export function aPermission(job: string, id: string, fields: Partial<PermissionRow> = {}): PermissionRow {
  return {
    id,
    job,
    principal: "t/me",
    agent: "echo@1.0.0",
    key: `key of ${id}`,
    digest: "d",
    argsDigest: null,
    args: null,
    permission: "tool.call",
    resource: "refund",
    operation: "call",
    reason: null,
    leaseSeconds: null,
    attempt: 1,
    state: "pending",
    requestedAt: 1_000,
    expiresAt: 2_000,
    leaseId: null,
    decidedAt: null,
    decidedBy: null,
    decisionReason: null,
    ...fields,
  };
}

/** Lets pending promises and microtasks run. */
export async function microtasks(): Promise<void> {
  for (let turn = 0; turn < 10; turn++) await Promise.resolve();
}
