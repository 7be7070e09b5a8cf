/** What the API says when it refuses: one shape, the codes of the one error table, and the HTTP status that fits. */
import { CodedError, ERRORS, type ErrorBody, type ErrorCode } from "../protocol/errors.ts";

/** A refusal whose HTTP status is not its code's own: the table has no code for what only HTTP knows, such as 405. */
export class HttpError extends CodedError {
  override readonly name = "HttpError";
  readonly status: number;
  /** Further headers of the answer. */
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    status: number,
    code: ErrorCode,
    message: string,
    options: {
      readonly headers?: Readonly<Record<string, string>>;
      readonly retryable?: boolean;
      readonly details?: Readonly<Record<string, unknown>>;
    } = {},
  ) {
    const { headers = {}, ...rest } = options;
    super(code, message, rest);
    this.status = status;
    this.headers = headers;
  }
}

export interface Refusal {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly error: ErrorBody;
  /** True when it is our fault: the cause belongs in the log, and none of it in the answer. */
  readonly isFault: boolean;
}

/** Tells a caller who it has to be, and how (RFC 6750 §3). */
const CHALLENGE = 'Bearer realm="leasehold"';

export function unauthenticated(message: string, presented: boolean): HttpError {
  const challenge = presented ? `${CHALLENGE}, error="invalid_token"` : CHALLENGE;
  return new HttpError(401, "UNAUTHENTICATED", message, { headers: { "www-authenticate": challenge } });
}

/** A field of the request that is not as it should be. */
export function invalidField(field: string, phrase: string): CodedError {
  return new CodedError("INVALID_REQUEST", `${field} ${phrase}`, { details: { field } });
}

interface FastifyFault {
  readonly code: string;
  readonly statusCode: number;
}

/** Fastify's own refusals, in our words: its texts are not ours to promise. */
const FRAMEWORK_MESSAGES: Readonly<Record<string, string>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: "the body is longer than 1 MiB",
  FST_ERR_CTP_INVALID_MEDIA_TYPE: "the body must be JSON, with content-type: application/json",
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: "the body is not as long as content-length says",
  FST_ERR_BAD_URL: "the path is not a well-formed URL",
};

function isFastifyFault(error: unknown): error is FastifyFault {
  return error instanceof Error && "statusCode" in error && typeof error.statusCode === "number" && "code" in error;
}

/** How `error` is answered. Anything that nobody worded for a caller is an internal error, and says nothing else. */
export function refusalOf(error: unknown): Refusal {
  if (error instanceof HttpError) {
    return { status: error.status, headers: error.headers, error: error.toBody(), isFault: error.status >= 500 };
  }
  if (error instanceof CodedError) {
    const status = ERRORS[error.code].httpStatus;
    return { status, headers: {}, error: error.toBody(), isFault: error.cause !== undefined };
  }
  if (isFastifyFault(error) && error.statusCode < 500) {
    const message = FRAMEWORK_MESSAGES[error.code] ?? "the request is malformed";
    const refused = new HttpError(error.statusCode, "INVALID_REQUEST", message);
    return { status: error.statusCode, headers: {}, error: refused.toBody(), isFault: false };
  }
  const fault = new CodedError("INTERNAL_ERROR", "the runtime failed; try again");
  return { status: 500, headers: {}, error: fault.toBody(), isFault: true };
}
