/** `leasehold permissions`: what jobs ask people for at run time: listed, shown, and decided. */
import * as v from "valibot";
import { PERMISSION_STATES } from "../../protocol/permission-messages.ts";
import { getJson, listItems, postJson } from "../api-request.ts";
import { usageError } from "../cli-error.ts";
import { type ConnectionOptions, findTarget } from "../connection.ts";
import { EXIT, type ExitCode } from "../exit-codes.ts";
import { listenForInterrupt } from "../interrupt-signal.ts";
import type { CliIo } from "../io.ts";
import { parseDuration, parseLimit } from "../options/numbers-and-times.ts";
import { colorsFor } from "../render/colors.ts";
import { jsonLine, safeLine } from "../render/sanitize.ts";
import { shortDuration, tableLines } from "../render/table.ts";

interface JsonOption extends ConnectionOptions {
  readonly json?: boolean;
}

interface ListOptions extends JsonOption {
  readonly state?: readonly string[];
  readonly job?: string;
  readonly all?: boolean;
  readonly limit: string;
}

interface DecisionOptions extends JsonOption {
  readonly reason?: string;
}

/** What is read of an answer; `--json` prints it as it came. */
const Permission = v.looseObject({
  permission_id: v.string(),
  job_id: v.string(),
  agent: v.string(),
  principal: v.string(),
  state: v.string(),
  permission: v.string(),
  resource: v.string(),
  operation: v.string(),
  args: v.optional(v.unknown()),
  reason: v.optional(v.string()),
  requested_lease_seconds: v.optional(v.number()),
  requested_at: v.string(),
  expires_at: v.string(),
  lease_id: v.optional(v.string()),
  decided_at: v.optional(v.string()),
  decided_by: v.optional(v.string()),
  decision_reason: v.optional(v.string()),
});
type Permission = v.InferOutput<typeof Permission>;

/** The largest page of `GET /api/permissions`. */
const LARGEST_PAGE = 200;

function pathOf(id: string, action = ""): string {
  return `/api/permissions/${encodeURIComponent(id)}${action}`;
}

/** Those that wait, unless others are asked for. @param texts each a state, or several with commas between. */
function readStates({ state, all }: ListOptions): string | undefined {
  if (all && state !== undefined) throw usageError("--all and --state exclude each other", "leave one of them out");
  const states = state?.flatMap((text) => text.split(",")) ?? ["pending"];
  for (const one of states) {
    if (!PERMISSION_STATES.some((known) => known === one)) {
      throw usageError(`--state must be one of ${PERMISSION_STATES.join(", ")}, not "${one}"`);
    }
  }
  return all ? undefined : states.join(",");
}

function argsText(args: unknown): string {
  return args === undefined ? "" : JSON.stringify(args);
}

export async function listPermissions(options: ListOptions, io: CliIo): Promise<ExitCode> {
  const filter = { state: readStates(options), job: options.job };
  const limit = parseLimit(options.limit);
  using interrupt = listenForInterrupt(io);
  const target = await findTarget(options, io);
  const listing = { name: "permissions", item: Permission, limit, largest: LARGEST_PAGE };
  const found = await Array.fromAsync(listItems(target, "/api/permissions", filter, listing, interrupt.signal));
  if (options.json) {
    for (const permission of found) io.stdout.write(jsonLine(permission));
    return EXIT.ok;
  }
  if (found.length === 0) {
    io.stderr.write(filter.state === "pending" ? "nobody waits for a decision\n" : "no permissions\n");
    return EXIT.ok;
  }
  const now = io.world.clock.now();
  const columns: readonly (readonly [header: string, cell: (of: Permission) => string, isShown: boolean])[] = [
    ["PERMISSION", ({ permission_id }) => permission_id, true],
    ["STATE", ({ state }) => state, true],
    ["ASKED", ({ requested_at }) => `${shortDuration(now - Date.parse(requested_at))} ago`, true],
    ["AGENT", ({ agent }) => agent, true],
    ["WHOSE", ({ principal }) => principal, new Set(found.map(({ principal }) => principal)).size > 1],
    ["WHAT", ({ permission, resource, operation }) => `${permission} ${resource} (${operation})`, true],
    ["ARGS", ({ args }) => argsText(args), found.some(({ args }) => args !== undefined)],
    ["WHY", ({ reason }) => reason ?? "", found.some(({ reason }) => reason !== undefined)],
  ];
  const shown = columns.filter(([, , isShown]) => isShown);
  const rows = found.map((permission) => shown.map(([, cell]) => cell(permission)));
  const style = { colors: colorsFor(io.stdout), width: io.stdout.width() };
  const header = shown.map(([name]) => name);
  for (const line of tableLines(header, rows, style)) io.stdout.write(`${line}\n`);
  return EXIT.ok;
}

export async function showPermission(id: string, options: JsonOption, io: CliIo): Promise<ExitCode> {
  using interrupt = listenForInterrupt(io);
  const target = await findTarget(options, io);
  const permission = await getJson(target, pathOf(id), {}, Permission, interrupt.signal);
  if (options.json) {
    io.stdout.write(jsonLine(permission));
    return EXIT.ok;
  }
  const { state, expires_at } = permission;
  const seconds = permission.requested_lease_seconds;
  const facts: readonly (readonly [name: string, value: string | undefined])[] = [
    ["permission", permission.permission_id],
    ["state", state],
    ["job", `${permission.job_id} (${permission.agent}, of ${permission.principal})`],
    ["what", `${permission.permission} ${permission.resource} (${permission.operation})`],
    ["args", permission.args === undefined ? undefined : argsText(permission.args)],
    ["why", permission.reason],
    ["asks for", seconds === undefined ? undefined : shortDuration(seconds * 1_000)],
    ["asked", permission.requested_at],
    [state === "pending" ? "lapses" : "until", expires_at],
    ["grant", permission.lease_id],
    ["decided", permission.decided_at],
    ["by", permission.decided_by],
    ["because", permission.decision_reason],
  ];
  for (const [name, value] of facts) {
    if (value !== undefined) io.stdout.write(`${name.padEnd(11)}${safeLine(value)}\n`);
  }
  return EXIT.ok;
}

async function decide(
  id: string,
  action: "grant" | "deny" | "revoke" | "extend",
  body: object,
  options: JsonOption,
  io: CliIo,
): Promise<ExitCode> {
  using interrupt = listenForInterrupt(io);
  const target = await findTarget(options, io);
  const permission = await postJson(target, pathOf(id, `:${action}`), body, Permission, interrupt.signal);
  const { state, permission: namespace, resource, operation, expires_at } = permission;
  const until = state === "granted" ? `, until ${expires_at}` : "";
  io.stdout.write(
    options.json ? jsonLine(permission) : `${safeLine(`${state} ${namespace} ${resource} (${operation})${until}`)}\n`,
  );
  return EXIT.ok;
}

const because = ({ reason }: DecisionOptions): object => (reason === undefined ? {} : { reason });

export function grantPermission(
  id: string,
  options: DecisionOptions & { readonly for?: string },
  io: CliIo,
): Promise<ExitCode> {
  const seconds = options.for === undefined ? {} : { lease_seconds: parseDuration(options.for, "--for") };
  return decide(id, "grant", { ...seconds, ...because(options) }, options, io);
}

export function denyPermission(id: string, options: DecisionOptions, io: CliIo): Promise<ExitCode> {
  return decide(id, "deny", because(options), options, io);
}

/** A grant is named by its own id, or by that of the request. */
export function revokePermission(id: string, options: DecisionOptions, io: CliIo): Promise<ExitCode> {
  return decide(id, "revoke", because(options), options, io);
}

export function extendPermission(id: string, time: string, options: JsonOption, io: CliIo): Promise<ExitCode> {
  return decide(id, "extend", { additional_seconds: parseDuration(time, "how much longer") }, options, io);
}
