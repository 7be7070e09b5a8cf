/**
 * Policy: what a deployment lets be granted, and to whom (§9.7, §14). Asked before a job is accepted, before one is
 * delegated and before a permission is granted. It may reduce and never expand, which is not left to it: whatever comes
 * back is held against what was asked for (`policy-decision.ts`).
 */
import type { Principal } from "../principal.ts";
import type { Lease } from "./lease.ts";

export interface PolicyRequest {
  readonly kind: "submit" | "delegate" | "permission";
  /**
   * Who asks. Of a delegation: who submitted the job at the root, with the roles of then. Of a permission: who decides.
   */
  readonly principal: Principal;
  /** `name@version`. */
  readonly agent: string;
  /**
   * What was asked for, of a delegation with what is inherited; null for no lease. Of a permission: the grant's end as
   * `expiresAt`, and no patterns.
   */
  readonly lease: Lease | null;
  /** In seconds; null where no end was asked for. */
  readonly maxRuntimeSec: number | null;
  /** Whether a lease that does not name `model.use` allows every model (§9.7). */
  readonly anyModel: boolean;
  /** Of a delegation: currencies that it names no amount for, and what is left of them above it, as exact decimals. */
  readonly inheritedBudget: Readonly<Record<string, string>>;
  /** Of a permission: what is to be allowed; `resource` is in canonical form. */
  readonly permission?: { readonly permission: string; readonly resource: string; readonly operation: string };
  /** When it is asked, in milliseconds since the epoch. */
  readonly at: number;
}

export type PolicyDecision =
  | {
      readonly allowed: true;
      /**
       * What is granted: `grants` without `cost.budget`, `budget` and `expiresAt` count, each within what was asked for. Of
       * a permission `expiresAt` alone counts.
       */
      readonly lease: Lease | null;
      /** The job's longest run, in seconds; the lesser of this and what was asked for is in force. */
      readonly maxRuntimeSec?: number;
      /** How many jobs of this principal may be under way, this one and delegated ones among them; else it is refused. */
      readonly maxJobs?: number;
      /** Names what allowed it, for the audit. */
      readonly rule?: string;
    }
  | {
      readonly allowed: false;
      /** Told to whoever asked, as a phrase. */
      readonly reason: string;
      /** Names what refused it, for `details.rule` and the audit. */
      readonly rule?: string;
    };

export interface Policy {
  /** Must answer within `POLICY_ANSWER_MS`. What it throws, or says too late, refuses. */
  decide(request: PolicyRequest): PolicyDecision | Promise<PolicyDecision>;
  /**
   * Asked first when a job asks for a permission, with who submitted the job as `principal`: to grant it at once, to refuse
   * it at once, or, undefined, to leave it to people. Absent: everything is left to them. As `decide` otherwise.
   */
  answer?(request: PolicyRequest): PolicyDecision | undefined | Promise<PolicyDecision | undefined>;
}
