/** `leasehold dev`: agents for whoever works on them here, with a token made for this run; with `--run` a job at once. */
import { createDevToken } from "../../identity/dev-token.ts";
import { usageError } from "../cli-error.ts";
import type { Target } from "../connection.ts";
import { removeDevFile, writeDevFile } from "../dev-file.ts";
import { EXIT, type ExitCode } from "../exit-codes.ts";
import { followJob } from "../follow-job.ts";
import { aborted, listenForInterrupt } from "../interrupt-signal.ts";
import type { CliIo } from "../io.ts";
import { createLineLog } from "../line-log.ts";
import { openSessionAt } from "../open-session.ts";
import { readCallers } from "../options/callers.ts";
import { readJson } from "../options/input.ts";
import { colorsFor } from "../render/colors.ts";
import { jsonLine } from "../render/sanitize.ts";
import { reportFailure } from "../report-failure.ts";
import { type ServerOptions, type Serving, startServing } from "../serving.ts";

interface DevOptions extends ServerOptions {
  readonly run?: string;
  readonly input?: string;
  readonly exit?: boolean;
}

function greet({ address, agents }: Serving, token: string, json: boolean, { stdout, pid }: CliIo): void {
  const { url } = address;
  if (json) {
    stdout.write(jsonLine({ type: "ready", url, token, pid, agents }));
    return;
  }
  const colors = colorsFor(stdout);
  const row = (label: string, value: string): string => `  ${colors.dim(label.padEnd(7))} ${value}\n`;
  stdout.write(`${colors.bold("Leasehold is running.")} Ctrl-C stops it.\n`);
  stdout.write(`${row("url", url)}${row("token", token)}${row("agents", agents.join(", "))}\n`);
}

/** Submits the job of `--run` as any client would, and follows it. */
async function run(
  { run: agent = "", json = false }: DevOptions,
  input: unknown,
  target: Target,
  signal: AbortSignal,
  io: CliIo,
): Promise<ExitCode> {
  await using session = await openSessionAt(target, signal, io);
  const job = await session.submit(agent, input, { signal });
  return await followJob(job, { json }, signal, io);
}

/** Serves until SIGINT, SIGTERM or SIGHUP; with `--run --exit` until the job has ended, with the job's exit code. */
export async function dev(files: readonly string[], options: DevOptions, io: CliIo): Promise<ExitCode> {
  const { json = false } = options;
  if (options.run === undefined && (options.exit || options.input !== undefined)) {
    throw usageError("--exit and --input belong to --run", "name the agent to run, such as --run repo-report");
  }
  const input = options.input === undefined ? undefined : await readJson(options.input, "the input", io);
  using interrupt = listenForInterrupt(io, ["output-closed"]);

  const devToken = createDevToken(io.world.random);
  const callers = { ...(await readCallers(options, io)), tokenSources: [devToken] };
  const log = createLineLog({ output: io.stderr, clock: io.world.clock, json, from: "warn" });
  const serving = await startServing(files, options, callers, log, io);
  const ending = AbortSignal.any([interrupt.signal, serving.broken]);
  try {
    const target = { url: serving.address.url, token: devToken.token };
    await writeDevFile(io.cwd, { ...target, pid: io.pid });
    greet(serving, devToken.token, json, io);
    if (options.run !== undefined) {
      try {
        const exitCode = await run(options, input, target, ending, io);
        if (options.exit) return exitCode;
      } catch (error) {
        if (options.exit) throw error;
        if (!ending.aborted) reportFailure(error, io, json);
      }
    }
    await aborted(ending);
  } finally {
    await removeDevFile(io.cwd, io.pid);
    const left = serving.unfinished();
    if (left > 0) log.warn({ jobs: left }, "jobs are still under way; the next start takes them up");
    await serving.stop(0);
  }
  if (serving.broken.aborted) throw serving.broken.reason;
  return EXIT.ok;
}
