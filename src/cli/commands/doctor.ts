/** `leasehold doctor`: looks for what keeps a runtime from working, here and where one runs, and says what to do about it. */
import { resolve } from "node:path";
import { CliError } from "../cli-error.ts";
import { type ConnectionOptions, findTarget, type Target } from "../connection.ts";
import type { Finding, FindingStatus } from "../doctor/finding.ts";
import { findingsOf, messageOf } from "../doctor/finding.ts";
import { checkData, checkNode, checkPort } from "../doctor/machine.ts";
import { checkRuntime } from "../doctor/runtime.ts";
import { EXIT, type ExitCode } from "../exit-codes.ts";
import { listenForInterrupt } from "../interrupt-signal.ts";
import type { CliIo } from "../io.ts";
import { parsePort } from "../options/numbers-and-times.ts";
import { colorsFor } from "../render/colors.ts";
import { jsonLine, safeLine } from "../render/sanitize.ts";

export interface DoctorOptions extends ConnectionOptions {
  readonly data: string;
  readonly host: string;
  readonly port: string;
  readonly json?: boolean;
}

/** How long everything that is asked over the network may take together. */
const PATIENCE_MS = 10_000;
const WIDEST_CHECK = 14;

/** Which runtime is meant; a finding when none is, or when it cannot be told. */
async function findRuntime(options: ConnectionOptions, io: CliIo): Promise<Target | Finding> {
  const runtime = findingsOf("runtime");
  try {
    return await findTarget(options, io);
  } catch (error) {
    const named = options.url ?? options.token ?? io.env.LEASEHOLD_URL;
    if (named === undefined && error instanceof CliError && error.code === "NO_TARGET") {
      return runtime.skip(`${error.message}: none was looked at`, error.remedy);
    }
    return runtime.fail(messageOf(error), error instanceof CliError ? error.remedy : undefined);
  }
}

function print({ check, status, message, remedy }: Finding, json: boolean, { stdout }: CliIo): void {
  if (json) {
    stdout.write(jsonLine({ type: "check", check, status, message, ...(remedy === undefined ? {} : { remedy }) }));
    return;
  }
  const colors = colorsFor(stdout);
  const paint: Record<FindingStatus, (text: string) => string> = {
    ok: colors.green,
    warn: colors.yellow,
    fail: colors.red,
    skip: colors.dim,
  };
  stdout.write(`${paint[status](status.padEnd(4))}  ${check.padEnd(WIDEST_CHECK)}  ${safeLine(message)}\n`);
  if (remedy !== undefined) stdout.write(`${" ".repeat(WIDEST_CHECK + 8)}${colors.dim(`→ ${safeLine(remedy)}`)}\n`);
}

/** @returns 0 when nothing has failed, warnings or not; 1 otherwise. */
export async function doctor(options: DoctorOptions, io: CliIo): Promise<ExitCode> {
  const { json = false, host } = options;
  const port = parsePort(options.port);
  using interrupt = listenForInterrupt(io);
  const patience = new AbortController();
  const timer = io.world.timers.after(PATIENCE_MS, () => patience.abort(new Error("no answer in time")));
  const signal = AbortSignal.any([interrupt.signal, patience.signal]);
  const found: Finding[] = [];
  const tell = (findings: readonly Finding[]): void => {
    interrupt.signal.throwIfAborted();
    for (const finding of findings) {
      found.push(finding);
      print(finding, json, io);
    }
  };
  try {
    tell([checkNode(process.versions.node)]);
    tell(await checkData(resolve(io.cwd, options.data), io.world));
    tell([await checkPort(host, port, signal)]);
    const target = await findRuntime(options, io);
    tell("check" in target ? [target] : await checkRuntime(target, signal, io));
  } finally {
    timer.cancel();
  }
  const count = (status: FindingStatus): number => found.filter((finding) => finding.status === status).length;
  const [failed, warnings] = [count("fail"), count("warn")];
  if (json) io.stdout.write(jsonLine({ type: "summary", ok: count("ok"), warnings, failed, skipped: count("skip") }));
  else io.stdout.write(`\n${failed} failed, ${warnings} warning${warnings === 1 ? "" : "s"}\n`);
  return failed === 0 ? EXIT.ok : EXIT.failure;
}
