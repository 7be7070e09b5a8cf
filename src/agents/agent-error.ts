/** How an agent fails: with a code of the table when it throws an `AgentError`, else with INTERNAL_ERROR. */
import { CodedError, ERRORS, type ErrorCode, isErrorCode } from "../protocol/errors.ts";

/** Longest message and details put on a log, in UTF-16 units; an error must fit its frame. */
const MAX_MESSAGE_LENGTH = 16_384;
const MAX_DETAILS_LENGTH = 65_536;
const CANNOT_BE_SHOWN = "the agent threw a value that cannot be shown";

export interface AgentErrorOptions {
  /** One of the table (§12). */
  readonly code: ErrorCode;
  /** What happened, to what, and what to do. The client sees it. */
  readonly message: string;
  /** Default: the table's. INTERNAL_ERROR is always retryable, LEASE_EXPIRED and BUDGET_EXHAUSTED never (§12). */
  readonly retryable?: boolean;
  /** JSON that goes to the client with the error. */
  readonly details?: Readonly<Record<string, unknown>>;
  /** Stays in this process, for its logs. */
  readonly cause?: unknown;
}

/** Codes whose `retryable` is not the agent's to choose (§12). */
const FIXED_RETRYABLE: readonly ErrorCode[] = ["INTERNAL_ERROR", "LEASE_EXPIRED", "BUDGET_EXHAUSTED"];

/**
 * Thrown by an agent to end its job with this code, message, and details. A code that is not of the table (only
 * untyped code can give one) becomes INTERNAL_ERROR, and is kept in `details.agent_code`.
 */
export class AgentError extends CodedError {
  override readonly name = "AgentError";

  constructor({ code, message, retryable, details, cause }: AgentErrorOptions) {
    const known = isErrorCode(code);
    const kept = known ? details : { ...details, agent_code: String(code) };
    super(known ? code : "INTERNAL_ERROR", message, {
      ...(retryable === undefined || !known || FIXED_RETRYABLE.includes(code) ? {} : { retryable }),
      ...(kept === undefined ? {} : { details: kept }),
      ...(cause === undefined ? {} : { cause }),
    });
  }
}

/**
 * Whatever an agent threw, as the error its job ends with: a `CodedError` keeps its code, anything else is
 * INTERNAL_ERROR with its message. The original, with its stack, is the `cause`, for this process's logs.
 */
export function toJobFailure(thrown: unknown): CodedError {
  try {
    return asFailure(thrown);
  } catch {
    // A proxy, or a getter that throws.
    return new CodedError("INTERNAL_ERROR", CANNOT_BE_SHOWN, { cause: thrown });
  }
}

function asFailure(thrown: unknown): CodedError {
  if (thrown instanceof CodedError && isPresentable(thrown)) return thrown;
  if (isCoded(thrown)) {
    return new CodedError(thrown.code, clip(thrown.message), {
      retryable: FIXED_RETRYABLE.includes(thrown.code) ? ERRORS[thrown.code].retryable : thrown.retryable,
      ...presentableDetails(thrown.details),
      cause: thrown,
    });
  }
  return new CodedError("INTERNAL_ERROR", clip(describe(thrown)), { cause: thrown });
}

/** By shape and not by class: an agent may have brought its own copy of this package. */
function isCoded(thrown: unknown): thrown is CodedError {
  if (!(thrown instanceof Error) || !("code" in thrown) || !("retryable" in thrown)) return false;
  const coded = thrown instanceof CodedError || thrown.name === "AgentError" || thrown.name === "CodedError";
  const isTyped = typeof thrown.message === "string" && typeof thrown.retryable === "boolean";
  return coded && isTyped && isErrorCode(thrown.code);
}

function isPresentable(error: CodedError): boolean {
  return isCoded(error) && error.message.length <= MAX_MESSAGE_LENGTH && error.details === undefined;
}

function presentableDetails(details: unknown): { details?: Readonly<Record<string, unknown>> } {
  if (details === undefined) return {};
  return {
    details: plainCopy(details) ?? {
      details_dropped: `not a JSON object of at most ${MAX_DETAILS_LENGTH} characters`,
    },
  };
}

/** What is written out now is what is told: a getter, a proxy or a `toJSON` may say something else the next time. */
function plainCopy(details: unknown): Readonly<Record<string, unknown>> | undefined {
  try {
    const text = JSON.stringify(details);
    return text.startsWith("{") && text.length <= MAX_DETAILS_LENGTH ? JSON.parse(text) : undefined;
  } catch {
    return undefined;
  }
}

function describe(thrown: unknown): string {
  try {
    if (thrown instanceof Error) return String(thrown.message || thrown.name);
    return typeof thrown === "object" ? (JSON.stringify(thrown) ?? String(thrown)) : String(thrown);
  } catch {
    return CANNOT_BE_SHOWN;
  }
}

function clip(text: string): string {
  return text.length <= MAX_MESSAGE_LENGTH ? text : `${text.slice(0, MAX_MESSAGE_LENGTH - 1)}…`;
}
