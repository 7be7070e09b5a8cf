/** `leasehold policy test`: what a policy file would make of a submission, without a runtime. */
import { createRulesPolicy } from "../../identity/rules-policy.ts";
import { isPrincipalPattern } from "../../identity/visibility.ts";
import { type Lease, parseLease } from "../../kernel/authority/lease.ts";
import type { PolicyDecision, PolicyRequest } from "../../kernel/authority/policy.ts";
import { readDecision } from "../../kernel/authority/policy-decision.ts";
import { canonicalTarget } from "../../kernel/authority/targets.ts";
import { principalOf } from "../../kernel/principal.ts";
import { usageError } from "../cli-error.ts";
import { EXIT, type ExitCode } from "../exit-codes.ts";
import type { CliIo } from "../io.ts";
import { readJson } from "../options/input.ts";
import { readBudget, readLease } from "../options/lease.ts";
import { parseDuration, parseInstant } from "../options/numbers-and-times.ts";
import { readPolicy } from "../options/policy.ts";
import { leaseWords } from "../render/lease-words.ts";
import { jsonLine, safeLine } from "../render/sanitize.ts";

interface TestOptions {
  readonly policy?: string;
  readonly principal?: string;
  readonly roles: string;
  readonly agent?: string;
  readonly lease?: readonly string[];
  readonly leaseJson?: string;
  readonly budget?: readonly string[];
  readonly expires?: string;
  readonly maxRuntime?: string;
  readonly permission?: string;
  readonly anyModel?: boolean;
  readonly json?: boolean;
}

export async function testPolicy(options: TestOptions, io: CliIo): Promise<ExitCode> {
  if (options.policy === undefined) throw usageError("--policy is missing", "name the policy file");
  const policy = createRulesPolicy(await readPolicy(options.policy, io));
  const request = await readRequest(options, io);
  const { decision } = readDecision(await policy.decide(request), request);
  if (options.json) io.stdout.write(jsonLine(jsonOf(decision, request)));
  else for (const line of linesOf(decision, request)) io.stdout.write(`${safeLine(line)}\n`);
  return decision.allowed ? EXIT.ok : EXIT.notPermitted;
}

async function readRequest(options: TestOptions, io: CliIo): Promise<PolicyRequest> {
  const { principal = "", roles, agent = "", permission, maxRuntime } = options;
  if (!isPrincipalPattern(principal) || principal.endsWith("/*")) {
    throw usageError(`--principal must be tenant/id, not "${principal}"`, "write, say, --principal default/ci-bot");
  }
  const named = roles.split(",").map((role) => role.trim());
  if (!named.every((role) => role === "user" || role === "operator")) {
    throw usageError(`--roles must be user, operator or both, not "${roles}"`, "write, say, --roles user,operator");
  }
  if (!/^[^@\s]+@[^@\s]+$/.test(agent)) {
    throw usageError(`--agent must be name@version, not "${agent}"`, "rules may tell versions apart: name one");
  }
  const at = io.world.clock.now();
  return {
    kind: permission === undefined ? "submit" : "permission",
    principal: principalOf(principal, named.join(" ")),
    agent,
    lease: await leaseOf(options, at, io),
    maxRuntimeSec: maxRuntime === undefined ? null : parseDuration(maxRuntime, "--max-runtime"),
    anyModel: options.anyModel === true,
    inheritedBudget: {},
    ...(permission !== undefined && { permission: permissionOf(permission) }),
    at,
  };
}

/** As a submission with the same options would ask for it. */
async function leaseOf(options: TestOptions, at: number, io: CliIo): Promise<Lease | null> {
  const { leaseJson, expires } = options;
  const whole = leaseJson === undefined ? undefined : await readJson(leaseJson, "the lease", io);
  const patterns = readLease(options.lease ?? [], whole);
  const budget = readBudget(options.budget ?? []);
  const end = expires === undefined ? undefined : new Date(parseInstant(expires, "--expires", at)).toISOString();
  if (patterns === undefined && budget === undefined && end === undefined) return null;
  const amounts = Object.entries(budget ?? {}).map(([currency, amount]) => `${currency}:${amount}`);
  const asked = { ...patterns, ...(amounts.length > 0 && { "cost.budget": amounts }) };
  return parseLease(asked, end === undefined ? undefined : { expires_at: end }, at);
}

function permissionOf(text: string): NonNullable<PolicyRequest["permission"]> {
  const equals = text.indexOf("=");
  const [permission, target] = [text.slice(0, equals), text.slice(equals + 1)];
  if (equals < 1 || target === "") {
    throw usageError(
      `--permission must be namespace=target, not "${text}"`,
      "write, say, --permission tool.call=refund",
    );
  }
  return { permission, resource: canonicalTarget(permission, target), operation: "" };
}

function jsonOf(decision: PolicyDecision, request: PolicyRequest): object {
  const rule = decision.rule ?? null;
  if (!decision.allowed) return { allowed: false, rule, reason: decision.reason };
  const { lease, maxJobs } = decision;
  const runtime = runtimeOf(decision, request);
  return {
    allowed: true,
    rule,
    reduced: isReduced(decision, request),
    ...(request.permission === undefined && { lease_request: lease?.grants ?? null }),
    ...(lease?.expiresAtText != null && { lease_constraints: { expires_at: lease.expiresAtText } }),
    ...(runtime !== null && { max_runtime_sec: runtime }),
    ...(maxJobs !== undefined && { max_jobs: maxJobs }),
  };
}

function linesOf(decision: PolicyDecision, request: PolicyRequest): readonly string[] {
  const by = decision.rule === undefined ? "" : ` by rule ${decision.rule}`;
  if (!decision.allowed) return [`refused${by}: ${decision.reason}`];
  const { lease, maxJobs } = decision;
  const runtime = runtimeOf(decision, request);
  return [
    `allowed${by}${isReduced(decision, request) ? ", with less than was asked for" : ""}`,
    ...(request.permission === undefined ? leaseWords(lease?.grants ?? {}) : []),
    ...(lease?.expiresAtText == null ? [] : [`until: ${lease.expiresAtText}`]),
    ...(runtime === null ? [] : [`run for at most: ${runtime} s`]),
    ...(maxJobs === undefined ? [] : [`jobs under way at most: ${maxJobs}`]),
  ];
}

type Allowed = Extract<PolicyDecision, { allowed: true }>;

function runtimeOf({ maxRuntimeSec }: Allowed, request: PolicyRequest): number | null {
  const least = Math.min(maxRuntimeSec ?? Infinity, request.maxRuntimeSec ?? Infinity);
  return least === Infinity ? null : least;
}

function isReduced(decision: Allowed, request: PolicyRequest): boolean {
  return decision.lease !== request.lease || runtimeOf(decision, request) !== request.maxRuntimeSec;
}
