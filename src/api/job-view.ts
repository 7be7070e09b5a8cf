/** How a job looks in the API: what it may do, how far it has come, what it waits for, how it ended. Never a secret. */
import Type, { type Static } from "typebox";
import type { BudgetView } from "../kernel/authority/budget-view.ts";
import { leaseOf } from "../kernel/authority/lease.ts";
import { runtimeEndsAt } from "../kernel/job/deadlines.ts";
import { agentReference, type JobRecord, shownStatus } from "../kernel/job/job-record.ts";
import { formatTime } from "../kernel/log/entry.ts";
import { ErrorFields, JobStatus, Time } from "./schemas.ts";

const Progress = Type.Object(
  {
    current: Type.Number(),
    total: Type.Optional(Type.Number()),
    units: Type.Optional(Type.String()),
    message: Type.Optional(Type.String()),
    job_seq: Type.Integer({ description: "where it stands on the job's log" }),
    ts: Time,
  },
  { description: "the latest progress the agent has told of" },
);

const amount = (description: string) => Type.String({ description });

/** Exact: text, since a JSON number may round. */
const Counter = Type.Object(
  {
    granted: amount("what the lease allows"),
    spent: amount("what this job and all below it have reported"),
    held: amount("promised and not yet spent: reservations, and what live children have left"),
    remaining: amount("granted less spent; below zero when more was reported than granted"),
    available: amount("remaining less held"),
  },
  { description: "decimals, such as 0.25" },
);

/** What every telling of a job has, in listings, the feed and its own descriptor. */
const common = {
  job_id: Type.String(),
  agent: Type.String({ description: "name@version, as resolved at submission" }),
  status: JobStatus,
  principal: Type.String({ description: "whose job it is: tenant/id" }),
  root_job_id: Type.String({ description: "the root of its tree; its own id for a root" }),
  parent_job_id: Type.Optional(Type.String()),
  delegate_id: Type.Optional(Type.String({ description: "of a child: what its parent's log calls the delegation" })),
  attempt: Type.Integer({ description: "which run of the agent; 0 before the first" }),
  trace_id: Type.String(),
  created_at: Time,
  started_at: Type.Optional(Time),
  ended_at: Type.Optional(Time),
};

export const JobChange = Type.Object({
  ...common,
  progress: Type.Optional(Progress),
  budget: Type.Optional(
    Type.Record(Type.String(), Type.Object({ remaining: Counter.properties.remaining }), {
      description: "the counters that have moved",
    }),
  ),
  error: Type.Optional(ErrorFields),
});

export const JobListing = Type.Object({
  ...common,
  lease: Type.Record(Type.String(), Type.Array(Type.String()), { description: "namespace to patterns, as granted" }),
  lease_constraints: Type.Optional(Type.Object({ expires_at: Type.String() })),
  budget: Type.Optional(Type.Record(Type.String(), Counter, { description: "currency to counter, as it stands" })),
  deadline_at: Type.Optional(Time),
  last_job_seq: Type.Integer({ description: "how far the job's log reaches" }),
  progress: Type.Optional(Progress),
  waiting_for: Type.Optional(
    Type.Object({
      reason: Type.Enum(["queue", "agent", "winding_down", "person"]),
      message: Type.String(),
    }),
  ),
});
export type JobListing = Static<typeof JobListing>;

function commonOf(job: JobRecord): Static<Type.TObject<typeof common>> {
  return {
    job_id: job.id,
    agent: agentReference(job),
    status: shownStatus(job.status),
    principal: job.principal,
    root_job_id: job.root,
    ...(job.parent === null ? {} : { parent_job_id: job.parent }),
    ...(job.delegateId === null ? {} : { delegate_id: job.delegateId }),
    attempt: job.attempt,
    trace_id: job.traceId,
    created_at: formatTime(job.createdAt),
    ...(job.startedAt === null ? {} : { started_at: formatTime(job.startedAt) }),
    ...(job.endedAt === null ? {} : { ended_at: formatTime(job.endedAt) }),
  };
}

/**
 * A job in the feed. `progress` is the payload of a `progress` event.
 * @param remaining currency → what remains, of the counters that have moved.
 */
export function changeOf(
  job: JobRecord,
  progress: string | undefined,
  remaining: Readonly<Record<string, string>> | undefined,
): Static<typeof JobChange> {
  const { outcome } = job;
  return {
    ...commonOf(job),
    ...(progress === undefined ? {} : { progress: progressOf(progress) }),
    ...(remaining === undefined ? {} : { budget: countersOf(remaining) }),
    ...(outcome === null || outcome.status === "success" ? {} : { error: { ...outcome.error } }),
  };
}

export interface JobFacts {
  /** The highest position of the job's log. */
  readonly head: number;
  /** Payload of the latest `progress` event. */
  readonly progress?: string | undefined;
  readonly budget?: BudgetView | undefined;
  /** Whether this runtime has the agent, in the job's version. */
  readonly agentIsHere: boolean;
}

export function listingOf(job: JobRecord, { head, progress, budget, agentIsHere }: JobFacts): JobListing {
  const lease = leaseOf(job);
  const grants = Object.entries(lease?.grants ?? {});
  const waiting = waitingOf(job, agentIsHere);
  // A job that waits has no deadline yet: its time runs from its start.
  const endsAt = runtimeEndsAt(job);
  return {
    ...commonOf(job),
    lease: Object.fromEntries(grants.map(([namespace, patterns]) => [namespace, [...patterns]])),
    ...(lease?.expiresAtText == null ? {} : { lease_constraints: { expires_at: lease.expiresAtText } }),
    ...(budget === undefined ? {} : { budget: { ...budget } }),
    ...(endsAt === null ? {} : { deadline_at: formatTime(endsAt) }),
    last_job_seq: head,
    ...(progress === undefined ? {} : { progress: progressOf(progress) }),
    ...(waiting === undefined ? {} : { waiting_for: waiting }),
  };
}

function countersOf(remaining: Readonly<Record<string, string>>) {
  return Object.fromEntries(Object.entries(remaining).map(([currency, left]) => [currency, { remaining: left }]));
}

function progressOf(payload: string): Static<typeof Progress> {
  const { body, job_seq, ts } = JSON.parse(payload);
  return { ...body, job_seq, ts };
}

function waitingOf(job: JobRecord, agentIsHere: boolean): JobListing["waiting_for"] {
  if (job.status === "ending") {
    return { reason: "winding_down", message: "its outcome is fixed; what it holds is being given back" };
  }
  if (job.status !== "pending") return undefined;
  return agentIsHere
    ? { reason: "queue", message: "a place to run: as many jobs as may run at once are running" }
    : { reason: "agent", message: `agent ${agentReference(job)}, which this runtime does not have` };
}
