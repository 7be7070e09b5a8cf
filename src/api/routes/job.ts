/** `GET /api/jobs/{job_id}`: all there is to say of one job. */
import Type, { type Static } from "typebox";
import { agentReference, type JobRecord, shownStatus } from "../../kernel/job/job-record.ts";
import { isTerminal } from "../../kernel/job/job-state.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import type { LogEntry } from "../../kernel/ports.ts";
import { EVENT_KINDS } from "../../protocol/event-kinds.ts";
import { JobListing } from "../job-view.ts";
import { listed } from "../listed-jobs.ts";
import type { App, RouteContext } from "../route.ts";
import { ErrorFields, JobParams, JobStatus, Time } from "../schemas.ts";
import { TERMINAL_CODES } from "../terminal.ts";
import { findVisibleJob } from "../visible-job.ts";

/** Children told of in their parent's descriptor; `GET /api/jobs?parent=` lists them all. */
const CHILDREN_SHOWN = 100;

const JobDescriptor = Type.Object({
  ...JobListing.properties,
  latest_status: Type.Optional(
    Type.Object(
      { phase: Type.String(), message: Type.Optional(Type.String()), job_seq: Type.Integer(), ts: Time },
      { description: "the latest status event" },
    ),
  ),
  children: Type.Array(
    Type.Object({
      job_id: Type.String(),
      delegate_id: Type.Optional(Type.String()),
      agent: Type.String(),
      status: JobStatus,
    }),
  ),
  more_children: Type.Optional(Type.Boolean({ description: `true when there are more than ${CHILDREN_SHOWN}` })),
  error: Type.Optional(ErrorFields),
  result: Type.Optional(
    Type.Object(
      {
        result_id: Type.Optional(Type.String({ description: "of a streamed result" })),
        result_size: Type.Optional(Type.Integer({ description: "of a streamed result, in bytes" })),
        summary: Type.Optional(Type.String()),
      },
      { description: "of a job that succeeded; GET …/result is the result itself" },
    ),
  ),
});
type JobDescriptor = Static<typeof JobDescriptor>;

export function addJob(app: App, context: RouteContext): void {
  const schema = {
    operationId: "readJob",
    summary: "One job: its bounds, how far it has come, what it waits for, its tree, how it ended",
    params: JobParams,
    response: { 200: JobDescriptor },
  };
  app.get("/api/jobs/:job_id([^:/]+)", { schema }, async ({ params, caller }) => {
    const job = await findVisibleJob(context, caller.principal, params.job_id);
    return describe(context.kernel, job);
  });
}

async function describe(kernel: Kernel, job: JobRecord): Promise<JobDescriptor> {
  const [listing] = await listed(kernel, [job]);
  if (listing === undefined) throw new Error(`job ${job.id} has no listing`);
  const children = await kernel.listJobs({ principals: [job.principal], parent: job.id, limit: CHILDREN_SHOWN + 1 });
  const status = await kernel.readLatest(job.id, EVENT_KINDS.status.code);
  const asked = await waitsForPerson(kernel, job);
  const terminal = isTerminal(job.status) ? await kernel.readLatest(job.id, TERMINAL_CODES) : undefined;
  return {
    ...listing,
    ...(asked === undefined ? {} : { waiting_for: asked }),
    ...(status === undefined ? {} : { latest_status: statusOf(status) }),
    children: children.slice(0, CHILDREN_SHOWN).map((child) => ({
      job_id: child.id,
      ...(child.delegateId === null ? {} : { delegate_id: child.delegateId }),
      agent: agentReference(child),
      status: shownStatus(child.status),
    })),
    ...(children.length > CHILDREN_SHOWN ? { more_children: true } : {}),
    ...(terminal === undefined ? {} : endOf(terminal)),
  };
}

/** The newest of what a running job has asked people for, and nobody has decided. */
async function waitsForPerson(kernel: Kernel, job: JobRecord): Promise<JobListing["waiting_for"]> {
  if (job.status !== "running") return undefined;
  const query = { principals: [job.principal], job: job.id, states: ["pending"], limit: 1 } as const;
  const [asked] = (await kernel.listPermissions(query)).permissions;
  if (asked === undefined) return undefined;
  const { id, permission, resource, operation } = asked;
  return { reason: "person", message: `a person to decide ${id}: ${permission} ${resource} (${operation})` };
}

function statusOf({ payload }: LogEntry): NonNullable<JobDescriptor["latest_status"]> {
  const { body, job_seq, ts } = JSON.parse(payload);
  return { ...body, job_seq, ts };
}

/** How it ended, from its terminal entry: the job's row does not tell. */
function endOf({ code, payload }: LogEntry): Pick<JobDescriptor, "error" | "result"> {
  const terminal = JSON.parse(payload);
  if (code === EVENT_KINDS.error.code) {
    const { code: errorCode, message, retryable, details } = terminal;
    return { error: { code: errorCode, message, retryable, ...(details === undefined ? {} : { details }) } };
  }
  const { result_id, result_size, summary } = terminal;
  return {
    result: {
      ...(result_id === undefined ? {} : { result_id, result_size }),
      ...(summary === undefined ? {} : { summary }),
    },
  };
}
