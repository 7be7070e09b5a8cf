/** `leasehold watch`: a job that was submitted elsewhere or before, from its first event, or another, to its end. */
import { usageError } from "../cli-error.ts";
import type { ConnectionOptions } from "../connection.ts";
import type { ExitCode } from "../exit-codes.ts";
import { followJob, type OutcomeOptions, stoppedFollowing } from "../follow-job.ts";
import { listenForInterrupt } from "../interrupt-signal.ts";
import type { CliIo } from "../io.ts";
import { openSession } from "../open-session.ts";
import { parsePosition } from "../options/numbers-and-times.ts";

interface WatchOptions extends ConnectionOptions, OutcomeOptions {
  /** Position on the job's log to begin at. */
  readonly from?: string;
  /** False for what comes from now on alone. */
  readonly history: boolean;
}

/** Where to begin: after which position, undefined for now. */
function beginsAfter({ from, history, resultOnly, output }: WatchOptions): number | undefined {
  if (from === undefined && history) return 0;
  if (from !== undefined && !history) throw usageError("--from and --no-history exclude each other");
  if (resultOnly || output !== undefined) {
    throw usageError("a result is to be had from a job's beginning only", "leave --from and --no-history out");
  }
  return from === undefined ? undefined : parsePosition(from, "--from") - 1;
}

/** Ends with the job's exit code (`exit-codes.ts`), also for a job that ended long ago. */
export async function watch(jobId: string, options: WatchOptions, io: CliIo): Promise<ExitCode> {
  const after = beginsAfter(options);
  using interrupt = listenForInterrupt(io);
  const { signal } = interrupt;
  await using session = await openSession(options, signal, io);
  const job = await session.subscribe(jobId, after === undefined ? { signal } : { fromJobSeq: after, signal });
  try {
    return await followJob(job, { ...options, fromMiddle: after !== 0 }, signal, io);
  } catch (error) {
    throw signal.aborted && error === signal.reason ? stoppedFollowing(job.id) : error;
  }
}
