/**
 * Asking instead of failing: an operation that the lease does not cover is put to people as exactly what it is, with its own
 * arguments, and goes on once it is granted. What has expired or is used up is no question to anybody.
 */
import type { Operation } from "../kernel/authority/guard.ts";
import { usualOperation } from "../kernel/authority/permission.ts";
import type { Grant, PermissionAsk } from "../kernel/authority/permission-ask.ts";
import { CodedError } from "../protocol/errors.ts";
import { invalid } from "./event-bodies.ts";

/** What becomes of an operation that the lease does not cover. */
export interface WhenDenied {
  /**
   * `ask`: whoever may decide is asked for exactly this operation with these arguments, and it goes on once it is granted. An
   * expired lease and a used-up budget refuse all the same. Default: it is refused.
   */
  readonly onDenied?: "ask" | undefined;
  /** With `onDenied: "ask"`: why, for whoever decides. */
  readonly reason?: string | undefined;
  /** With `onDenied: "ask"`: for how long, in seconds. Default: 300, unless whoever decides says otherwise. */
  readonly leaseSeconds?: number | undefined;
  /** With `onDenied: "ask"`: how long to wait for a decision, in seconds. Default: 86,400. */
  readonly waitSeconds?: number | undefined;
}

export interface AskingParts {
  check(operation: Operation): undefined | Promise<void>;
  request(ask: PermissionAsk): Promise<Grant>;
}

/** Asks for each of these operations that is denied, one after the other, for no more than that. */
export async function askForDenied(
  { check, request }: AskingParts,
  operations: readonly Operation[],
  args: unknown,
  { reason, leaseSeconds, waitSeconds }: WhenDenied,
): Promise<void> {
  for (const operation of operations) {
    try {
      await check(operation);
    } catch (refusal) {
      if (!(refusal instanceof CodedError) || refusal.code !== "PERMISSION_DENIED") throw refusal;
      const { namespace, target, operation: what = usualOperation(namespace), digest } = operation;
      const argsDigest = digest?.();
      await request({
        permission: namespace,
        resource: target,
        operation: what,
        args,
        ...(argsDigest !== undefined && { argsDigest }),
        reason,
        leaseSeconds,
        waitSeconds,
      });
    }
  }
}

/** @throws CodedError INVALID_REQUEST for an `onDenied` that is none. */
export function asks(field: string, how: WhenDenied | undefined): boolean {
  if (how?.onDenied === undefined) return false;
  if (how.onDenied === "ask") return true;
  throw invalid(`${field}.onDenied`, 'must be "ask", or left out');
}
