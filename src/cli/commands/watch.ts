/** `leasehold watch`: a job that was submitted elsewhere or before, from its first event to its end. */
import type { ConnectionOptions } from "../connection.ts";
import type { ExitCode } from "../exit-codes.ts";
import { followJob, type OutcomeOptions, stoppedFollowing } from "../follow-job.ts";
import { listenForInterrupt } from "../interrupt-signal.ts";
import type { CliIo } from "../io.ts";
import { openSession } from "../open-session.ts";

interface WatchOptions extends ConnectionOptions, OutcomeOptions {}

/** Ends with the job's exit code (`exit-codes.ts`), also for a job that ended long ago. */
export async function watch(jobId: string, options: WatchOptions, io: CliIo): Promise<ExitCode> {
  using interrupt = listenForInterrupt(io);
  const { signal } = interrupt;
  await using session = await openSession(options, signal, io);
  const job = await session.subscribe(jobId, { history: true, signal });
  try {
    return await followJob(job, options, signal, io);
  } catch (error) {
    throw signal.aborted && error === signal.reason ? stoppedFollowing(job.id) : error;
  }
}
