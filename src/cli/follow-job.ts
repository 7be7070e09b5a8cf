/** Shows a job until it has ended, and says by the exit code how it ended. */
import { writeFile } from "node:fs/promises";
import { resolve } from "node:path";
import { JobError, ResultError } from "../client/errors.ts";
import type { Job } from "../client/job.ts";
import { CliError } from "./cli-error.ts";
import { EXIT, type ExitCode, exitCodeOfStatus } from "./exit-codes.ts";
import { followChildren } from "./follow-children.ts";
import type { CliIo } from "./io.ts";
import type { JobView } from "./render/job-view.ts";
import { resultContent } from "./render/result-text.ts";
import { safeLine } from "./render/sanitize.ts";

export interface OutcomeOptions {
  readonly json?: boolean;
  readonly resultOnly?: boolean;
  /** File to write the result to. */
  readonly output?: string;
  /** False: the job alone is shown, without what it delegates. */
  readonly tree?: boolean;
  /** Events were left out before the first that is shown: chunks of a result may be missing, too. */
  readonly fromMiddle?: boolean;
}

/** The way to show a job that the options ask for. */
async function createView({ json = false, resultOnly = false }: OutcomeOptions, io: CliIo): Promise<JobView> {
  if (json) return (await import("./render/json-view.ts")).createJsonView(io, resultOnly);
  if (resultOnly) return (await import("./render/result-view.ts")).createResultView(io);
  return (await import("./render/text-view.ts")).createTextView(io);
}

async function save(result: unknown, file: string, io: CliIo): Promise<string> {
  await writeFile(resolve(io.cwd, file), resultContent(result));
  return file;
}

function jobFailed(error: JobError): CliError {
  return new CliError(
    error.code,
    `job ${error.jobId} ended as ${error.finalStatus} (${error.code}): ${error.message}`,
    {
      remedy: error.retryable ? "it may succeed when submitted again" : undefined,
      exitCode: exitCodeOfStatus(error.finalStatus),
      cause: error,
    },
  );
}

/**
 * @returns 0 when the job succeeded.
 * @throws CliError with the job's error, and the exit code of its final status.
 * @throws the reason of `signal`, when it aborts before the job has ended; the job goes on.
 */
export async function followJob(job: Job, options: OutcomeOptions, signal: AbortSignal, io: CliIo): Promise<ExitCode> {
  const view = await createView(options, io);
  view.begin(job);
  const children =
    view.children === undefined || options.tree === false
      ? undefined
      : followChildren(job, view.children, io.world.timers, signal);
  try {
    for await (const event of job.events({ signal })) view.event(event);
    await children?.settle();
    const result = await job.result({ signal }).catch((error: unknown) => {
      if (!options.fromMiddle || !(error instanceof ResultError)) throw error;
      io.stderr.write(`its result began before: \`leasehold watch ${safeLine(job.id)} --result-only\` has all of it\n`);
      return undefined;
    });
    const savedTo = options.output === undefined ? undefined : await save(result, options.output, io);
    view.succeeded(result, savedTo);
    return EXIT.ok;
  } catch (error) {
    children?.stop();
    if (!(error instanceof JobError)) {
      view.left();
      throw error;
    }
    view.failed(error);
    throw jobFailed(error);
  }
}

/** What to say when following was interrupted, not the job. */
export function stoppedFollowing(job: string): CliError {
  return new CliError("INTERRUPTED", `stopped following ${job}, which goes on`, {
    remedy: `\`leasehold watch ${job}\` shows it again, \`leasehold cancel ${job}\` stops it`,
    exitCode: EXIT.interrupted,
  });
}
