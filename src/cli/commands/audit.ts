/** `leasehold audit`: who asked for what, and whether it was allowed, newest first, as far as it concerns the caller. */
import * as v from "valibot";
import { listItems } from "../api-request.ts";
import { type ConnectionOptions, findTarget } from "../connection.ts";
import { EXIT, type ExitCode } from "../exit-codes.ts";
import { listenForInterrupt } from "../interrupt-signal.ts";
import type { CliIo } from "../io.ts";
import { parseLimit } from "../options/numbers-and-times.ts";
import { colorsFor } from "../render/colors.ts";
import { jsonLine } from "../render/sanitize.ts";
import { tableLines } from "../render/table.ts";

interface AuditOptions extends ConnectionOptions {
  readonly action?: string;
  readonly principal?: string;
  readonly limit: string;
  readonly json?: boolean;
}

/** What is read of an answer; `--json` prints entries as they came. */
const Entry = v.looseObject({
  at: v.string(),
  action: v.string(),
  allowed: v.boolean(),
  principal: v.optional(v.string()),
  job_id: v.optional(v.string()),
  owner: v.optional(v.string()),
  details: v.optional(v.record(v.string(), v.unknown())),
});
type Entry = v.InferOutput<typeof Entry>;

const LARGEST_PAGE = 500;

/** Details as `name=value`; the code of a refusal comes first. */
function detailsText({ details = {} }: Entry): string {
  const text = (value: unknown): string => (typeof value === "string" ? value : JSON.stringify(value));
  return Object.entries(details)
    .map(([name, value]) => (name === "code" ? text(value) : `${name}=${text(value)}`))
    .join(" ");
}

export async function audit(job: string | undefined, options: AuditOptions, io: CliIo): Promise<ExitCode> {
  const limit = parseLimit(options.limit);
  using interrupt = listenForInterrupt(io);
  const target = await findTarget(options, io);
  const filter = { job, action: options.action, principal: options.principal };
  const listing = { name: "entries", item: Entry, limit, largest: LARGEST_PAGE };
  const entries = await Array.fromAsync(listItems(target, "/api/audit", filter, listing, interrupt.signal));
  if (options.json) {
    for (const entry of entries) io.stdout.write(jsonLine(entry));
    return EXIT.ok;
  }
  if (entries.length === 0) {
    io.stderr.write("nothing was decided that concerns you\n");
    return EXIT.ok;
  }
  const rows = entries.map((entry) => [
    entry.at,
    entry.allowed ? "allowed" : "refused",
    entry.action,
    entry.principal ?? "-",
    entry.job_id ?? "-",
    entry.owner === undefined || entry.owner === entry.principal ? "-" : entry.owner,
    detailsText(entry),
  ]);
  const header = ["TIME", "DECISION", "ACTION", "WHO", "JOB", "WHOSE", "DETAILS"];
  const style = { colors: colorsFor(io.stdout), width: io.stdout.width() };
  for (const line of tableLines(header, rows, style)) io.stdout.write(`${line}\n`);
  return EXIT.ok;
}
