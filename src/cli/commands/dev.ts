/**
 * `leasehold dev`: agents for whoever works on them here, loaded anew as their files change, with a token made for this
 * run; with `--run` a job at once.
 */
import { resolve } from "node:path";
import { type AgentFiles, createAgentFiles } from "../../agents/agent-files.ts";
import type { SubmitOptions } from "../../client/submission.ts";
import { createDevToken } from "../../identity/dev-token.ts";
import { reloadOnChange } from "../agent-reload.ts";
import { CliError, usageError } from "../cli-error.ts";
import type { Target } from "../connection.ts";
import { removeDevFile, writeDevFile } from "../dev-file.ts";
import { EXIT, type ExitCode } from "../exit-codes.ts";
import { followJob } from "../follow-job.ts";
import { aborted, listenForInterrupt } from "../interrupt-signal.ts";
import type { CliIo } from "../io.ts";
import { openSessionAt } from "../open-session.ts";
import { readCallers } from "../options/callers.ts";
import { readJson } from "../options/input.ts";
import { readBudget, readLease } from "../options/lease.ts";
import { openLog } from "../options/logging.ts";
import { colorsFor } from "../render/colors.ts";
import { jsonLine, safeLine } from "../render/sanitize.ts";
import { reportFailure } from "../report-failure.ts";
import { refuseSecond } from "../running-dev.ts";
import { type ServerOptions, type Serving, startServing } from "../serving.ts";

interface DevOptions extends ServerOptions {
  readonly run?: string;
  readonly input?: string;
  readonly lease?: readonly string[];
  readonly budget?: readonly string[];
  /** False: the job of `run` is shown alone, without what it delegates. */
  readonly tree?: boolean;
  readonly exit?: boolean;
  /** False: agents stay as they were loaded at the start. */
  readonly reload: boolean;
}

/** What `--run` submits. */
interface Submission extends Pick<SubmitOptions, "lease" | "budget"> {
  readonly input: unknown;
}

const ENV_FILE = ".env.local";

/** Returns whether there is such a file. @throws CliError FILE_UNREADABLE */
function loadEnvFile(io: CliIo): boolean {
  try {
    io.loadEnvFile(resolve(io.cwd, ENV_FILE));
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return false;
    throw new CliError("FILE_UNREADABLE", `${ENV_FILE} cannot be read`, { remedy: "check its mode", cause: error });
  }
}

interface Greeting {
  readonly token: string;
  readonly hasEnvFile: boolean;
  readonly json: boolean;
}

function greet(serving: Serving, { token, hasEnvFile, json }: Greeting, { stdout, pid }: CliIo): void {
  const { address, agents } = serving;
  const { url } = address;
  if (json) {
    stdout.write(jsonLine({ type: "ready", url, token, pid, agents }));
    return;
  }
  const colors = colorsFor(stdout);
  const row = (label: string, value: string): string => `  ${colors.dim(label.padEnd(7))} ${value}\n`;
  stdout.write(`${colors.bold("Leasehold is running.")} Ctrl-C stops it.\n`);
  const env = hasEnvFile ? row("env", ENV_FILE) : "";
  stdout.write(`${row("url", url)}${row("token", token)}${row("agents", safeLine(agents.join(", ")))}${env}\n`);
}

function reportReload(agents: readonly string[], json: boolean, { stdout }: CliIo): void {
  stdout.write(
    json ? jsonLine({ type: "reloaded", agents }) : `reloaded, for new jobs: ${safeLine(agents.join(", "))}\n`,
  );
}

/** Loads agents anew as their files change, until it is disposed of. */
function reload(files: AgentFiles, serving: Serving, json: boolean, io: CliIo): Disposable {
  return reloadOnChange(files, io.world.timers, {
    loaded: (agents) => reportReload(serving.replace(agents), json, io),
    failed: (error) => {
      reportFailure(
        new CliError("NOT_RELOADED", loadFailure(error), { remedy: "the agents stay as they were" }),
        io,
        json,
      );
    },
    blind: (error) => {
      const why = `changes of agents are not noticed any more (${error instanceof Error ? error.message : String(error)})`;
      reportFailure(new CliError("NOT_WATCHED", why, { remedy: "start again to load them anew" }), io, json);
    },
  });
}

function loadFailure(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Submits the job of `--run` as any client would, and follows it. */
async function run(
  { run: agent = "", json = false, tree = true }: DevOptions,
  { input, ...submission }: Submission,
  target: Target,
  signal: AbortSignal,
  io: CliIo,
): Promise<ExitCode> {
  await using session = await openSessionAt(target, signal, io);
  const job = await session.submit(agent, input, { ...submission, signal });
  return await followJob(job, { json, tree }, signal, io);
}

/** Serves until SIGINT, SIGTERM or SIGHUP; with `--run --exit` until the job has ended, with the job's exit code. */
export async function dev(files: readonly string[], options: DevOptions, io: CliIo): Promise<ExitCode> {
  const { json = false } = options;
  const { input, lease, budget } = options;
  if (
    options.run === undefined &&
    (options.exit || input !== undefined || lease !== undefined || budget !== undefined)
  ) {
    throw usageError(
      "--exit, --input, --lease and --budget belong to --run",
      "name the agent to run, such as --run repo-report",
    );
  }
  const submission: Submission = {
    input: input === undefined ? undefined : await readJson(input, "the input", io),
    lease: readLease(lease ?? [], undefined),
    budget: readBudget(budget ?? []),
  };
  using interrupt = listenForInterrupt(io, ["output-closed"]);
  await refuseSecond(io);
  const hasEnvFile = loadEnvFile(io);

  const devToken = createDevToken(io.world.random);
  const callers = { ...(await readCallers(options, io)), tokenSources: [devToken] };
  const log = openLog(options, "warn", io);
  using served = new DisposableStack();
  let agentFiles: AgentFiles | undefined;
  const serving = await startServing(files, options, callers, log, io, (found) => {
    agentFiles = served.use(createAgentFiles(found));
    return agentFiles.load();
  });
  if (agentFiles !== undefined && options.reload) served.use(reload(agentFiles, serving, json, io));
  const ending = AbortSignal.any([interrupt.signal, serving.broken]);
  try {
    const target = { url: serving.address.url, token: devToken.token };
    await writeDevFile(io.cwd, { ...target, pid: io.pid });
    greet(serving, { token: devToken.token, hasEnvFile, json }, io);
    if (options.run !== undefined) {
      try {
        const exitCode = await run(options, submission, target, ending, io);
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
