/** `leasehold cancel`: stops a job of the caller's, from wherever it was submitted. */
import type { ConnectionOptions } from "../connection.ts";
import { EXIT, type ExitCode } from "../exit-codes.ts";
import { listenForInterrupt } from "../interrupt-signal.ts";
import type { CliIo } from "../io.ts";
import { openSession } from "../open-session.ts";
import { jsonLine, safeLine } from "../render/sanitize.ts";

interface CancelOptions extends ConnectionOptions {
  readonly reason?: string;
  readonly json?: boolean;
}

/** A job that had ended before is no error: what was asked for holds. Its status is printed. */
export async function cancel(jobId: string, options: CancelOptions, io: CliIo): Promise<ExitCode> {
  using interrupt = listenForInterrupt(io);
  const { signal } = interrupt;
  await using session = await openSession(options, signal, io);
  const endedAs = await session.cancel(jobId, options.reason, { signal });
  if (options.json) {
    io.stdout.write(jsonLine({ job_id: jobId, cancelled: endedAs === undefined, final_status: endedAs }));
  } else {
    io.stdout.write(
      `${safeLine(endedAs === undefined ? `cancelled ${jobId}` : `${jobId} had ended before: ${endedAs}`)}\n`,
    );
  }
  return EXIT.ok;
}
