/** `leasehold jobs`: the jobs that the caller may see, newest first. */
import type { JobStatus } from "../../client/job-handle.ts";
import type { Session } from "../../client/session.ts";
import type { JobFilter, JobListing } from "../../client/submission.ts";
import { JOB_STATUSES } from "../../protocol/fields.ts";
import { usageError } from "../cli-error.ts";
import type { ConnectionOptions } from "../connection.ts";
import { EXIT, type ExitCode } from "../exit-codes.ts";
import { listenForInterrupt } from "../interrupt-signal.ts";
import type { CliIo } from "../io.ts";
import { openSession } from "../open-session.ts";
import { parseLimit } from "../options/numbers-and-times.ts";
import { colorsFor } from "../render/colors.ts";
import { jsonLine } from "../render/sanitize.ts";
import { shortDuration, tableLines } from "../render/table.ts";

interface JobsOptions extends ConnectionOptions {
  readonly status?: readonly string[];
  readonly agent?: string;
  readonly limit: string;
  readonly json?: boolean;
}

function readStatus(text: string): JobStatus {
  const status = JOB_STATUSES.find((known) => known === text);
  if (status === undefined) throw usageError(`--status must be one of ${JOB_STATUSES.join(", ")}, not "${text}"`);
  return status;
}

function jsonFields(job: JobListing): object {
  return {
    job_id: job.id,
    agent: job.agent,
    status: job.status,
    created_at: job.createdAt,
    parent_job_id: job.parentJobId,
    lease: job.lease,
    expires_at: job.expiresAt,
    budget: job.budget,
    trace_id: job.traceId,
    last_job_seq: job.lastJobSeq,
  };
}

/** Up to `limit` jobs, from as many pages as that takes. */
async function readJobs(
  session: Session,
  filter: JobFilter,
  limit: number,
  signal: AbortSignal,
): Promise<JobListing[]> {
  const found: JobListing[] = [];
  let cursor: string | undefined;
  do {
    const page = await session.jobs({ ...filter, limit: limit - found.length, cursor }, { signal });
    found.push(...page.jobs);
    cursor = page.nextCursor;
  } while (cursor !== undefined && found.length < limit);
  return found.slice(0, limit);
}

export async function jobs(options: JobsOptions, io: CliIo): Promise<ExitCode> {
  const limit = parseLimit(options.limit);
  const status = options.status?.map(readStatus);
  using interrupt = listenForInterrupt(io);
  await using session = await openSession(options, interrupt.signal, io);
  const found = await readJobs(session, { status, agent: options.agent }, limit, interrupt.signal);

  if (options.json) {
    for (const job of found) io.stdout.write(jsonLine(jsonFields(job)));
    return EXIT.ok;
  }
  if (found.length === 0) {
    io.stderr.write("no jobs\n");
    return EXIT.ok;
  }
  const age = (createdAt: string): string => `${shortDuration(io.world.clock.now() - Date.parse(createdAt))} ago`;
  const rows = found.map((job) => [job.id, job.status, age(job.createdAt), job.agent]);
  const style = { colors: colorsFor(io.stdout), width: io.stdout.width() };
  for (const line of tableLines(["JOB", "STATUS", "CREATED", "AGENT"], rows, style)) io.stdout.write(`${line}\n`);
  return EXIT.ok;
}
