/**
 * The lease of a delegated job (§9.4): what was asked for, held against the parent's. Nothing in it reaches beyond the
 * parent's; equal to it is allowed. Whether the parent can still pay for the child's budget is its purse's to say.
 */
import { CodedError } from "../../protocol/errors.ts";
import { createCover } from "./covers.ts";
import type { Effort } from "./glob.ts";
import { MAX_PATTERNS_NAMED } from "./guard.ts";
import { type Lease, parseLease } from "./lease.ts";

/** Of a pattern, or of the parent's together, in a message; in UTF-16 units. */
const MAX_SHOWN = 256;

/**
 * What the request leaves out is never wider: `model.use` and the expiry are the parent's; a currency without an amount
 * has no counter of its own, and its charges move the parent's; other namespaces grant nothing.
 * @param parent null for a job without a lease, which has nothing to give: its children have none either, but for bounds
 * (an expiry, a budget) they are asked to keep.
 * @param now milliseconds since the epoch.
 * @param requireModelUse whether `model.use` has to be named (§9.7); if not, a parent that does not name it may use every
 * model, and its child those it names.
 * @returns null where neither the parent has a lease nor one was asked for.
 * @throws CodedError INVALID_REQUEST as `parseLease`; LEASE_SUBSET_VIOLATION with details `{ capability, pattern,
 * parent_patterns }`, or `{ expires_at, parent_expires_at }`.
 */
export function deriveLease(
  parent: Lease | null,
  request: unknown,
  constraints: unknown,
  now: number,
  { requireModelUse = true }: { readonly requireModelUse?: boolean | undefined } = {},
): Lease | null {
  if (parent === null && isAbsent(request) && isAbsent(constraints)) return null;
  const asked = parseLease(request, constraints, now);
  const granted = parent?.grants ?? {};
  const effort: Effort = { steps: 0 };
  for (const [namespace, patterns] of Object.entries(asked.grants)) {
    const own = Object.hasOwn(granted, namespace) ? granted[namespace] : undefined;
    if (namespace === "cost.budget" || (namespace === "model.use" && own === undefined && !requireModelUse)) continue;
    assertCovered(namespace, patterns, own ?? [], effort);
  }
  if (parent === null) return asked;

  if (parent.expiresAt !== null && asked.expiresAt !== null && asked.expiresAt > parent.expiresAt) {
    throw new CodedError(
      "LEASE_SUBSET_VIOLATION",
      `the lease asked for ends at ${asked.expiresAtText}, after its parent's, which ends at ${parent.expiresAtText}`,
      { details: { expires_at: asked.expiresAtText, parent_expires_at: parent.expiresAtText } },
    );
  }
  const { expiresAt, expiresAtText } = asked.expiresAt === null ? parent : asked;
  const models = Object.hasOwn(granted, "model.use") ? granted["model.use"] : undefined;
  const inherited = models === undefined || Object.hasOwn(asked.grants, "model.use") ? {} : { "model.use": models };
  return { grants: { ...asked.grants, ...inherited }, expiresAt, expiresAtText, budget: asked.budget };
}

function assertCovered(
  capability: string,
  patterns: readonly string[],
  parentPatterns: readonly string[],
  effort: Effort,
): void {
  const cover = createCover(capability, parentPatterns);
  for (const pattern of patterns) {
    const verdict = cover.covers(pattern, effort);
    if (verdict === "yes") continue;
    const what =
      verdict === "too-hard"
        ? "takes too long to be held against its parent's: ask for simpler patterns, or for some of the parent's own"
        : `reaches beyond its parent's lease, which ${grantOf(parentPatterns)}`;
    throw new CodedError(
      "LEASE_SUBSET_VIOLATION",
      `${capability} ${pattern.slice(0, MAX_SHOWN).toWellFormed()} ${what}`,
      {
        details: { capability, pattern, parent_patterns: parentPatterns.slice(0, MAX_PATTERNS_NAMED) },
      },
    );
  }
}

function grantOf(patterns: readonly string[]): string {
  if (patterns.length === 0) return "grants none of it";
  const shown = patterns.slice(0, MAX_PATTERNS_NAMED).join(", ");
  return `grants ${shown.length <= MAX_SHOWN ? shown : `${shown.slice(0, MAX_SHOWN).toWellFormed()}…`}`;
}

const isAbsent = (value: unknown): boolean => value === undefined || value === null;
