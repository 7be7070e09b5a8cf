/**
 * A submission that was refused because its lease lacks what the agent needs (§9): what is missing, the command that would
 * do, and, with `--lease-from-needs`, the question whether to grant it.
 */
import * as v from "valibot";
import { RequestError } from "../client/errors.ts";
import { CliError } from "./cli-error.ts";
import { EXIT } from "./exit-codes.ts";
import type { CliIo } from "./io.ts";
import type { Lease } from "./options/lease.ts";
import { safeLine } from "./render/sanitize.ts";

const Details = v.object({
  needs: v.record(v.string(), v.string()),
  lease_request: v.record(v.string(), v.array(v.string())),
});

/** What is missing, and the whole lease that would do. */
export interface NeededLease {
  /** Namespace → what for. */
  readonly needs: Readonly<Record<string, string>>;
  readonly lease: Lease;
}

/** Undefined for any other refusal. */
export function readNeededLease(error: unknown): NeededLease | undefined {
  if (!(error instanceof RequestError) || error.code !== "PERMISSION_DENIED") return undefined;
  const details = v.safeParse(Details, error.details);
  return details.success ? { needs: details.output.needs, lease: details.output.lease_request } : undefined;
}

/**
 * The refusal as the command reports it.
 * @param command what was typed, without the lease that is missing.
 * @param asking `--lease-from-needs` was given, and nobody could be asked.
 */
export function needsLease(
  { needs, lease }: NeededLease,
  agent: string,
  command: readonly string[],
  { asking }: { readonly asking: boolean },
): CliError {
  const missing = Object.keys(needs);
  const options = missing.flatMap((namespace) =>
    (lease[namespace] ?? []).flatMap((pattern) =>
      namespace === "cost.budget" ? ["--budget", pattern] : ["--lease", `${namespace}=${pattern}`],
    ),
  );
  const why = missing.map((namespace) => `${namespace} (${needs[namespace]})`).join(", ");
  const otherwise = asking ? "or add --yes, since nobody can be asked here" : "or let --lease-from-needs ask";
  return new CliError("PERMISSION_DENIED", `${agent} needs ${why}, which the lease does not grant`, {
    remedy: `grant it with \`${[...command, ...options].map(quoted).join(" ")}\`, ${otherwise}`,
    exitCode: EXIT.notPermitted,
    details: { needs, lease_request: lease },
  });
}

/**
 * Shows what is missing, and asks on the terminal whether to grant it. @throws CliError NOT_GRANTED.
 * @param signal gives up asking.
 */
export async function askToGrant(needed: NeededLease, agent: string, signal: AbortSignal, io: CliIo): Promise<void> {
  const { needs, lease } = needed;
  io.stderr.write(`${safeLine(agent)} needs:\n`);
  for (const [namespace, why] of Object.entries(needs)) {
    io.stderr.write(`  ${safeLine(`${namespace}  ${(lease[namespace] ?? []).join(", ")}  ${why}`)}\n`);
  }
  io.stderr.write("Grant it, and submit? [y/N] ");
  const answer = (await readLine(io.stdin, signal)).trim().toLowerCase();
  if (answer === "y" || answer === "yes") return;
  throw new CliError("NOT_GRANTED", "nothing was granted, and nothing submitted", { exitCode: EXIT.notPermitted });
}

/** Up to the first line break, or what there is. */
async function readLine(source: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<string> {
  const reading = source[Symbol.asyncIterator]();
  const aborted = new Promise<never>((_, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
    if (signal.aborted) reject(signal.reason);
  });
  let text = "";
  try {
    while (!text.includes("\n")) {
      const next = await Promise.race([reading.next(), aborted]);
      if (next.done) break;
      text += Buffer.from(next.value).toString("utf8");
    }
  } finally {
    // Or a terminal that nobody reads any more would keep the process.
    void reading.return?.();
  }
  return text.split("\n", 1)[0] ?? "";
}

const PLAIN = /^[\w@%+=:,./-]+$/;

/** As a shell of POSIX takes it for one word. */
function quoted(word: string): string {
  return PLAIN.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
