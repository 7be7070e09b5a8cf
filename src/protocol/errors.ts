/**
 * The one error table (§12): every code either face may answer with, whether a retry can help, the HTTP status it
 * maps to, and what it means. Branch on `code`, never on a message's text.
 */

interface ErrorEntry {
  readonly retryable: boolean;
  /** Status for the HTTP faces. */
  readonly httpStatus: number;
  readonly meaning: string;
}

export const ERRORS = {
  PERMISSION_DENIED: {
    retryable: false,
    httpStatus: 403,
    meaning: "The operation is outside what the caller or the job may do.",
  },
  LEASE_SUBSET_VIOLATION: {
    retryable: false,
    httpStatus: 403,
    meaning: "A delegation asked for more than its parent's lease.",
  },
  JOB_NOT_FOUND: {
    retryable: false,
    httpStatus: 404,
    meaning: "The job does not exist or is not visible to the caller.",
  },
  DUPLICATE_KEY: {
    retryable: false,
    httpStatus: 409,
    meaning: "The idempotency key was used before with other parameters.",
  },
  AGENT_NOT_AVAILABLE: { retryable: false, httpStatus: 404, meaning: "No agent of that name is registered." },
  AGENT_VERSION_NOT_AVAILABLE: {
    retryable: false,
    httpStatus: 404,
    meaning: "The agent is registered, but not in that version.",
  },
  CANCELLED: { retryable: false, httpStatus: 409, meaning: "The job was cancelled." },
  TIMEOUT: { retryable: true, httpStatus: 504, meaning: "The job ran longer than its max_runtime_sec." },
  RESUME_WINDOW_EXPIRED: {
    retryable: false,
    httpStatus: 410,
    meaning: "The session's stream is no longer kept from that point on.",
  },
  HEARTBEAT_LOST: { retryable: true, httpStatus: 408, meaning: "The peer was silent for two heartbeat intervals." },
  LEASE_EXPIRED: { retryable: false, httpStatus: 403, meaning: "The lease's expires_at has passed." },
  BUDGET_EXHAUSTED: { retryable: false, httpStatus: 402, meaning: "A budget counter of the lease has reached zero." },
  INVALID_REQUEST: { retryable: false, httpStatus: 400, meaning: "The message is malformed or breaks its schema." },
  UNAUTHENTICATED: { retryable: false, httpStatus: 401, meaning: "The credentials are missing or invalid." },
  INTERNAL_ERROR: {
    retryable: true,
    httpStatus: 500,
    meaning: "The runtime failed; the same request may succeed later.",
  },
} as const satisfies Record<string, ErrorEntry>;

export type ErrorCode = keyof typeof ERRORS;

/** What an error looks like on the wire and in a job's log. */
export interface ErrorBody {
  readonly code: ErrorCode;
  readonly message: string;
  readonly retryable: boolean;
  readonly details?: Readonly<Record<string, unknown>>;
}

/** A failure that carries a code of the table. `retryable` defaults to the table's value. */
export class CodedError extends Error {
  override readonly name: string = "CodedError";
  readonly code: ErrorCode;
  readonly retryable: boolean;
  readonly details: Readonly<Record<string, unknown>> | undefined;

  constructor(
    code: ErrorCode,
    message: string,
    options: { retryable?: boolean; details?: Readonly<Record<string, unknown>>; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.retryable = options.retryable ?? ERRORS[code].retryable;
    this.details = options.details;
  }

  /** The error as it goes on the wire. Has no stack and no cause: those stay in this process. */
  toBody(): ErrorBody {
    return {
      code: this.code,
      message: this.message,
      retryable: this.retryable,
      ...(this.details === undefined ? {} : { details: this.details }),
    };
  }
}

export function isErrorCode(value: unknown): value is ErrorCode {
  return typeof value === "string" && Object.hasOwn(ERRORS, value);
}
