/** `leasehold jobs`: the jobs that the caller may see, newest first. */
import { JOB_STATUSES } from "../../protocol/fields.ts";
import { ListedJob } from "../api-job.ts";
import { listItems, type Query } from "../api-request.ts";
import { usageError } from "../cli-error.ts";
import { type ConnectionOptions, findTarget } from "../connection.ts";
import { EXIT, type ExitCode } from "../exit-codes.ts";
import { listenForInterrupt } from "../interrupt-signal.ts";
import type { CliIo } from "../io.ts";
import { parseLimit, parsePast } from "../options/numbers-and-times.ts";
import { colorsFor } from "../render/colors.ts";
import { progressText } from "../render/progress-bar.ts";
import { jsonLine } from "../render/sanitize.ts";
import { shortDuration, tableLines } from "../render/table.ts";

export interface JobsOptions extends ConnectionOptions {
  readonly status?: readonly string[];
  readonly agent?: string;
  readonly since?: string;
  readonly until?: string;
  readonly principal?: string;
  readonly limit?: string;
  readonly all?: boolean;
  readonly json?: boolean;
}

const DEFAULT_LIMIT = "20";
/** The largest page of `GET /api/jobs`. */
const LARGEST_PAGE = 200;

/** @param texts each a status, or several with commas between. */
function readStatuses(texts: readonly string[]): string {
  const statuses = texts.flatMap((text) => text.split(","));
  for (const status of statuses) {
    if (!JOB_STATUSES.some((known) => known === status)) {
      throw usageError(`--status must be one of ${JOB_STATUSES.join(", ")}, not "${status}"`);
    }
  }
  return statuses.join(",");
}

function readFilter({ status, agent, principal, ...options }: JobsOptions, now: number): Query {
  const since = options.since === undefined ? undefined : parsePast(options.since, "--since", now);
  const until = options.until === undefined ? undefined : parsePast(options.until, "--until", now);
  if (since !== undefined && until !== undefined && since > until) throw usageError("--since is later than --until");
  return {
    status: status === undefined ? undefined : readStatuses(status),
    agent,
    principal,
    created_after: since === undefined ? undefined : new Date(since).toISOString(),
    created_before: until === undefined ? undefined : new Date(until).toISOString(),
  };
}

function readLimit({ limit, all }: JobsOptions): number {
  if (all && limit !== undefined) throw usageError("--all and --limit exclude each other", "leave one of them out");
  return all ? Number.POSITIVE_INFINITY : parseLimit(limit ?? DEFAULT_LIMIT);
}

/** What there is to say of a job under way. */
function noteOf({ progress, waiting_for: waiting }: ListedJob): string {
  if (progress !== undefined) return progressText(progress);
  return waiting === undefined ? "" : `waits for ${waiting.message}`;
}

/** A job that another one has delegated (§10) is marked, or it would look like a submission. */
function agentOf({ agent, parent_job_id: parent }: ListedJob): string {
  return parent === undefined ? agent : `└ ${agent}`;
}

function print(jobs: readonly ListedJob[], io: CliIo): void {
  const age = (createdAt: string): string => `${shortDuration(io.world.clock.now() - Date.parse(createdAt))} ago`;
  const columns: readonly (readonly [header: string, cell: (job: ListedJob) => string, isShown: boolean])[] = [
    ["JOB", ({ job_id }) => job_id, true],
    ["STATUS", ({ status }) => status, true],
    ["CREATED", ({ created_at }) => age(created_at), true],
    ["AGENT", agentOf, true],
    // Says nothing where it is the same for all.
    ["WHOSE", ({ principal }) => principal, new Set(jobs.map(({ principal }) => principal)).size > 1],
    ["PROGRESS", noteOf, jobs.some((job) => noteOf(job) !== "")],
  ];
  const shown = columns.filter(([, , isShown]) => isShown);
  const header = shown.map(([name]) => name);
  const rows = jobs.map((job) => shown.map(([, cell]) => cell(job)));
  const style = { colors: colorsFor(io.stdout), width: io.stdout.width() };
  for (const line of tableLines(header, rows, style)) io.stdout.write(`${line}\n`);
}

export async function jobs(options: JobsOptions, io: CliIo): Promise<ExitCode> {
  const filter = readFilter(options, io.world.clock.now());
  const limit = readLimit(options);
  using interrupt = listenForInterrupt(io);
  const target = await findTarget(options, io);
  const listing = { name: "jobs", item: ListedJob, limit, largest: LARGEST_PAGE };
  const found = listItems(target, "/api/jobs", filter, listing, interrupt.signal);

  if (options.json) {
    for await (const job of found) io.stdout.write(jsonLine(job));
    return EXIT.ok;
  }
  const all = await Array.fromAsync(found);
  if (all.length === 0) io.stderr.write("no jobs\n");
  else print(all, io);
  return EXIT.ok;
}
