/** `leasehold submit`: a job with its lease, followed to its end unless told otherwise. */
import type { Job } from "../../client/job.ts";
import type { Session } from "../../client/session.ts";
import type { SubmitOptions } from "../../client/submission.ts";
import { usageError } from "../cli-error.ts";
import type { ConnectionOptions } from "../connection.ts";
import { EXIT, type ExitCode } from "../exit-codes.ts";
import { followJob, type OutcomeOptions, stoppedFollowing } from "../follow-job.ts";
import { listenForInterrupt } from "../interrupt-signal.ts";
import type { CliIo } from "../io.ts";
import { askToGrant, needsLease, readNeededLease } from "../needed-lease.ts";
import { openSession } from "../open-session.ts";
import { readJson } from "../options/input.ts";
import { LEASE_EXAMPLE, readBudget, readLease } from "../options/lease.ts";
import { parseDuration, parseInstant } from "../options/numbers-and-times.ts";
import { jsonLine, safeLine } from "../render/sanitize.ts";

interface SubmitCommandOptions extends ConnectionOptions, OutcomeOptions {
  readonly input?: string;
  readonly detach?: boolean;
  readonly lease?: readonly string[];
  readonly leaseJson?: string;
  readonly leaseFromNeeds?: boolean;
  readonly yes?: boolean;
  readonly budget?: readonly string[];
  readonly expires?: string;
  readonly maxRuntime?: string;
  readonly key?: string;
}

async function readSubmission(options: SubmitCommandOptions, io: CliIo): Promise<SubmitOptions> {
  const { leaseJson, expires, maxRuntime } = options;
  const whole = leaseJson === undefined ? undefined : await readJson(leaseJson, "the lease", io, LEASE_EXAMPLE);
  return {
    lease: readLease(options.lease ?? [], whole),
    budget: readBudget(options.budget ?? []),
    expiresAt: expires === undefined ? undefined : new Date(parseInstant(expires, "--expires", io.world.clock.now())),
    maxRuntimeSec: maxRuntime === undefined ? undefined : parseDuration(maxRuntime, "--max-runtime"),
    idempotencyKey: options.key,
  };
}

interface Submission {
  readonly agent: string;
  readonly input: unknown;
  readonly submission: SubmitOptions;
}

/** What the agent needs beyond the lease is granted if that was asked for, and by whoever sits there. */
async function submitWithNeeds(
  session: Session,
  { agent, input, submission }: Submission,
  options: SubmitCommandOptions & { readonly inputArgument: string | undefined },
  signal: AbortSignal,
  io: CliIo,
): Promise<Job> {
  try {
    return await session.submit(agent, input, { ...submission, signal });
  } catch (error) {
    const needed = readNeededLease(error);
    if (needed === undefined) throw error;
    const isInputRead = options.inputArgument === "-" || options.input === "-" || options.leaseJson === "-";
    const canAsk = io.canAsk && !isInputRead && !options.json;
    if (!options.leaseFromNeeds || !(options.yes || canAsk)) {
      throw needsLease(needed, agent, commandOf(agent, options), { asking: options.leaseFromNeeds === true });
    }
    if (!options.yes) await askToGrant(needed, agent, signal, io);
    // The whole of it, with what was asked for as money.
    return session.submit(agent, input, { ...submission, lease: needed.lease, budget: undefined, signal });
  }
}

/** What was typed, as far as the submission goes, and where to. */
function commandOf(
  agent: string,
  { inputArgument, ...options }: SubmitCommandOptions & { readonly inputArgument: string | undefined },
): readonly string[] {
  const given = (name: string, values: readonly (string | undefined)[] = []): readonly string[] =>
    values.flatMap((value) => (value === undefined ? [] : [name, value]));
  return [
    "leasehold",
    "submit",
    agent,
    ...(inputArgument === undefined ? [] : [inputArgument]),
    ...given("--url", [options.url]),
    ...given("--input", [options.input]),
    ...given("--lease-json", [options.leaseJson]),
    ...given("--lease", options.lease),
    ...given("--budget", options.budget),
    ...given("--expires", [options.expires]),
    ...given("--max-runtime", [options.maxRuntime]),
    ...given("--key", [options.key]),
  ];
}

/** Following ends with the job's exit code (`exit-codes.ts`); Ctrl-C stops following, and the job goes on. */
export async function submit(
  agent: string,
  inputArgument: string | undefined,
  options: SubmitCommandOptions,
  io: CliIo,
): Promise<ExitCode> {
  if (inputArgument !== undefined && options.input !== undefined) {
    throw usageError("the input is given twice", "give it as an argument or with --input");
  }
  if (options.yes && !options.leaseFromNeeds) {
    throw usageError("--yes grants what --lease-from-needs would ask for", "give both, or neither");
  }
  if (inputArgument === "-" && options.leaseJson === "-") throw usageError("standard input can be read only once");
  const inputText = inputArgument ?? options.input;
  const input = inputText === undefined ? undefined : await readJson(inputText, "the input", io);
  const submission = await readSubmission(options, io);

  using interrupt = listenForInterrupt(io);
  const { signal } = interrupt;
  await using session = await openSession(options, signal, io);
  const job = await submitWithNeeds(session, { agent, input, submission }, { ...options, inputArgument }, signal, io);
  if (options.detach) {
    io.stdout.write(
      options.json ? jsonLine({ type: "job", job_id: job.id, agent: job.agent }) : `${safeLine(job.id)}\n`,
    );
    return EXIT.ok;
  }
  try {
    return await followJob(job, options, signal, io);
  } catch (error) {
    throw signal.aborted && error === signal.reason ? stoppedFollowing(job.id) : error;
  }
}
