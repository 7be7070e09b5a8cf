/** What can go wrong for a caller, told apart by class and `code`. Branch on `code`, never on a message's text. */
import type { ErrorCode } from "../protocol/errors.ts";

/** What the runtime said, as it stands in its error: `code` may be one that only that runtime has. */
interface RuntimeError {
  readonly code: string;
  readonly message: string;
  readonly retryable: boolean;
  readonly details?: Readonly<Record<string, unknown>> | undefined;
}

/** The common base: everything this SDK rejects or throws with, but for a caller's own abort reason. */
export class ClientError extends Error {
  override readonly name: string = "ClientError";
  readonly code: string;
  /** The same call may succeed later. */
  readonly retryable: boolean;
  readonly details: Readonly<Record<string, unknown>> | undefined;

  constructor(error: RuntimeError, options?: ErrorOptions) {
    super(error.message, options);
    this.code = error.code;
    this.retryable = error.retryable;
    this.details = error.details;
  }
}

export type SessionErrorCode = ErrorCode | "SESSION_CLOSED" | "SUPERSEDED" | "CONNECTION_LOST";

/**
 * The session is over, and with it every call that waited in it. Its jobs run on.
 * - `SESSION_CLOSED`: `close()` was called.
 * - `SUPERSEDED`: another connection resumed the same session; this one does not fight for it.
 * - a code of §12, such as `UNAUTHENTICATED`: the runtime refused the session.
 */
export class SessionError extends ClientError {
  override readonly name: string = "SessionError";

  constructor(error: RuntimeError & { readonly code: SessionErrorCode | (string & {}) }, options?: ErrorOptions) {
    super(error, options);
  }
}

/** No connection could be made, or made again within the limits of `reconnect`. Code `CONNECTION_LOST`. */
export class ConnectionLostError extends SessionError {
  override readonly name = "ConnectionLostError";

  constructor(message: string, options?: ErrorOptions) {
    super({ code: "CONNECTION_LOST", message, retryable: true }, options);
  }
}

/** The runtime refused one request: a submit, cancel, list or subscribe. Or it was never sent: `TOO_MANY_REQUESTS`. */
export class RequestError extends ClientError {
  override readonly name = "RequestError";
}

/** The job ended in another way than success (§7.3). */
export class JobError extends ClientError {
  override readonly name = "JobError";
  readonly jobId: string;
  readonly finalStatus: "error" | "cancelled" | "timed_out";

  constructor(jobId: string, finalStatus: JobError["finalStatus"], error: RuntimeError) {
    super(error);
    this.jobId = jobId;
    this.finalStatus = finalStatus;
  }
}

export type ResultErrorCode =
  | "RESULT_INCOMPLETE"
  | "RESULT_TOO_LARGE"
  | "RESULT_STREAMED"
  | "RESULT_RESTARTED"
  | "RESULT_NOT_STREAMED"
  | "RESULT_ELSEWHERE";

/**
 * What the job resulted in cannot be had in the way it was asked for. The job itself may well have succeeded.
 * - `RESULT_INCOMPLETE`: a chunk, the end, or some bytes of a streamed result are missing.
 * - `RESULT_TOO_LARGE`: more than `maxResultLength` waited to be read or put together.
 * - `RESULT_STREAMED`: `resultStream()` has read chunks, and what it has read is not kept.
 * - `RESULT_RESTARTED`: another attempt of the job began its result anew; retryable, by another `resultStream()`.
 * - `RESULT_NOT_STREAMED`: the result is a JSON value, which `result()` gives.
 * - `RESULT_ELSEWHERE`: a session without `result_chunk` is given a link to a large result: `details.artifact.uri`.
 */
export class ResultError extends ClientError {
  override readonly name = "ResultError";

  constructor(code: ResultErrorCode, message: string, details?: RuntimeError["details"]) {
    super({ code, message, retryable: code === "RESULT_RESTARTED", details });
  }
}

/**
 * One job can be followed no further from here; the job itself may run on, and nothing else in the session is touched.
 * - `UNSUBSCRIBED`: `unsubscribe()` was called.
 * - `EVENTS_LOST`: the session's stream was kept no more, and another session cannot give what came in between.
 * - the code of the runtime's refusal, such as `JOB_NOT_FOUND` for a job that is kept no more.
 */
export class FollowError extends ClientError {
  override readonly name = "FollowError";
  readonly jobId: string;

  constructor(jobId: string, error: Pick<RuntimeError, "code" | "message">, options?: ErrorOptions) {
    super(
      { code: error.code, message: `job ${jobId} is followed no more: ${error.message}`, retryable: false },
      options,
    );
    this.jobId = jobId;
  }
}

/** Events were dropped before this reader got to them: more than `maxBufferedLength` waited. Code `EVENTS_LOST`. */
export class EventsLostError extends ClientError {
  override readonly name = "EventsLostError";

  constructor(lost: number) {
    const message = `${lost} events of the job were dropped before they were read: raise maxBufferedLength, or subscribe to the job with its history in another session`;
    super({ code: "EVENTS_LOST", message, retryable: false, details: { lost } });
  }
}
