/** `leasehold serve --stdio`: agents for the process that started this one, over its standard input and output. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { EXIT, type ExitCode } from "../exit-codes.ts";
import { aborted, listenForInterrupt } from "../interrupt-signal.ts";
import type { CliIo } from "../io.ts";
import { readCallers } from "../options/callers.ts";
import { openLog } from "../options/logging.ts";
import { type ServerOptions, startRuntime } from "../serving.ts";

export interface ServeStdioOptions extends ServerOptions {
  /** `--data` was not given. */
  readonly ownData: boolean;
}

/** Two children of one directory must not find the same data: each has its own, which goes with it. */
async function openData({ ownData, data }: ServeStdioOptions): Promise<AsyncDisposable & { readonly data: string }> {
  if (!ownData) return { data, async [Symbol.asyncDispose]() {} };
  const own = await mkdtemp(join(tmpdir(), "leasehold-stdio-"));
  return { data: own, [Symbol.asyncDispose]: () => rm(own, { recursive: true, force: true }) };
}

/** Serves until the input ends, or SIGINT, SIGTERM or SIGHUP; jobs under way then have `drainMs` to end. */
export async function serveStdio(
  files: readonly string[],
  options: ServeStdioOptions,
  drainMs: number,
  io: CliIo,
): Promise<ExitCode> {
  // First of all: agents may print something as soon as they are loaded.
  const streams = io.takeStdio();
  using interrupt = listenForInterrupt(io, ["output-closed"]);
  const log = openLog(options, "info", io);
  await using place = await openData(options);
  const running = await startRuntime(files, { ...options, data: place.data }, await readCallers(options, io), log, io);
  const ended = running.runtime
    .serveStdio(streams)
    .ended.then(({ reason }) => log.info({ reason }, "the connection has ended"));
  log.info({ agents: running.agents }, "serving the process that started this one");
  await Promise.race([ended, aborted(AbortSignal.any([interrupt.signal, running.broken]))]);
  const jobs = running.unfinished();
  if (jobs > 0) log.info({ jobs }, "waiting for jobs under way to end; a second signal ends at once");
  await running.stop(drainMs);
  // The process ends next: what was said last is to arrive. Bounded by the transport.
  await ended;
  if (running.broken.aborted) throw running.broken.reason;
  return EXIT.ok;
}
