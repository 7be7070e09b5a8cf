/** `leasehold serve`: agents for everyone who has a token of the data directory's token file. */
import { join, resolve } from "node:path";
import { createTokens, TOKEN_FILE } from "../../identity/token-file.ts";
import type { Log } from "../../platform/log.ts";
import { isLoopbackAddress } from "../../transports/host-check.ts";
import { CliError } from "../cli-error.ts";
import { EXIT, type ExitCode } from "../exit-codes.ts";
import { aborted, listenForInterrupt } from "../interrupt-signal.ts";
import type { CliIo } from "../io.ts";
import { readCallers } from "../options/callers.ts";
import { openLog } from "../options/logging.ts";
import { parseDuration } from "../options/numbers-and-times.ts";
import { jsonLine } from "../render/sanitize.ts";
import { type ServerOptions, startServing } from "../serving.ts";

interface ServeOptions extends ServerOptions {
  readonly drain: string;
  readonly stdio?: boolean;
  /** `--data` was not given. */
  readonly ownData: boolean;
}

const CREATE_ONE = "make one with `leasehold token create <name>`";

/** @throws CliError NO_TOKENS beyond loopback: whoever listens there must know who calls. */
async function checkTokens({ host, data }: ServeOptions, log: Log, io: CliIo): Promise<void> {
  const tokens = await createTokens(join(resolve(io.cwd, data), TOKEN_FILE), io.world).list();
  if (tokens.length > 0) return;
  if (host !== "localhost" && !isLoopbackAddress(host)) {
    throw new CliError("NO_TOKENS", `refusing to listen on ${host} without any token`, { remedy: CREATE_ONE });
  }
  log.warn({}, `nobody can connect yet, since there are no tokens: ${CREATE_ONE}`);
}

/** Serves until SIGINT, SIGTERM or SIGHUP; jobs under way then have `--drain` to end. */
export async function serve(files: readonly string[], options: ServeOptions, io: CliIo): Promise<ExitCode> {
  const { json = false } = options;
  const drainMs = parseDuration(options.drain, "--drain", 0) * 1_000;
  if (options.stdio) return (await import("./serve-stdio.ts")).serveStdio(files, options, drainMs, io);
  using interrupt = listenForInterrupt(io, ["output-closed"]);
  // stdout begins with the address; what is logged from here on goes to stderr, where nothing has to wait for it.
  const log = openLog(options, "info", io);
  const callers = await readCallers(options, io);
  if (callers.jwt === undefined && callers.anonymous !== true) await checkTokens(options, log, io);
  const serving = await startServing(files, options, callers, log, io);
  const { url } = serving.address;
  if (json) io.stdout.write(jsonLine({ type: "ready", url, pid: io.pid, agents: serving.agents }));
  else io.stdout.write(`serving ${serving.agents.join(", ")} at ${url}\n`);

  const ending = AbortSignal.any([interrupt.signal, serving.broken]);
  await aborted(ending);
  const jobs = serving.unfinished();
  if (jobs > 0)
    log.info({ jobs, drain: options.drain }, "waiting for jobs under way to end; a second signal ends at once");
  await serving.stop(drainMs);
  if (serving.broken.aborted) throw serving.broken.reason;
  return EXIT.ok;
}
