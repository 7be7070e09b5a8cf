/** A job as the API tells of it: as much of it as is read here. The rest is kept for `--json`. */
import * as v from "valibot";

const JobProgress = v.looseObject({
  current: v.number(),
  total: v.optional(v.number()),
  units: v.optional(v.string()),
  message: v.optional(v.string()),
});

/** Decimals, as text. */
const BudgetCounter = v.looseObject({
  granted: v.string(),
  spent: v.string(),
  held: v.string(),
  remaining: v.string(),
});

export type BudgetCounter = v.InferOutput<typeof BudgetCounter>;

const listed = {
  job_id: v.string(),
  agent: v.string(),
  status: v.string(),
  principal: v.string(),
  root_job_id: v.string(),
  parent_job_id: v.optional(v.string()),
  attempt: v.number(),
  trace_id: v.string(),
  created_at: v.string(),
  started_at: v.optional(v.string()),
  ended_at: v.optional(v.string()),
  lease: v.record(v.string(), v.array(v.string())),
  lease_constraints: v.optional(v.looseObject({ expires_at: v.optional(v.string()) })),
  budget: v.optional(v.record(v.string(), BudgetCounter)),
  deadline_at: v.optional(v.string()),
  last_job_seq: v.number(),
  progress: v.optional(JobProgress),
  waiting_for: v.optional(v.looseObject({ message: v.string() })),
};

export const ListedJob = v.looseObject(listed);
export type ListedJob = v.InferOutput<typeof ListedJob>;

export const DescribedJob = v.looseObject({
  ...listed,
  latest_status: v.optional(v.looseObject({ phase: v.string(), message: v.optional(v.string()) })),
  children: v.array(v.looseObject({ job_id: v.string(), agent: v.string(), status: v.string() })),
  more_children: v.optional(v.boolean()),
  error: v.optional(v.looseObject({ code: v.string(), message: v.string(), retryable: v.boolean() })),
  result: v.optional(v.looseObject({ result_size: v.optional(v.number()), summary: v.optional(v.string()) })),
});
export type DescribedJob = v.InferOutput<typeof DescribedJob>;

/** The body of an `artifact_ref` event (§8.2). */
export const ArtifactRef = v.looseObject({
  uri: v.string(),
  content_type: v.optional(v.string()),
  byte_size: v.optional(v.number()),
  name: v.optional(v.string()),
});
export type ArtifactRef = v.InferOutput<typeof ArtifactRef>;

/** Where `/api` has artifacts, and what their ids follow. */
export const ARTIFACTS_PATH = "/api/artifacts/";
