/** What the command's exit code says. docs/cli.md and `--help` show this table; scripts may rely on it. */
import type { ErrorCode } from "../protocol/errors.ts";

export const EXIT = {
  ok: 0,
  /** A usage error, or any failure not named below. */
  failure: 1,
  /** The job that was followed ended with an error. */
  jobError: 2,
  /** The job that was followed was cancelled. */
  jobCancelled: 3,
  /** The job that was followed ran into its deadline. */
  jobTimedOut: 4,
  /** No such job, agent, artifact, permission or token. */
  notFound: 5,
  /** The credentials are missing or refused, or do not permit the request. */
  notPermitted: 6,
  /** The runtime cannot be reached, or was lost on the way. */
  unreachable: 7,
  /** Ctrl-C ended the command (128 + SIGINT). A job that was followed goes on. */
  interrupted: 130,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** One line per code, for `--help`. */
export const EXIT_CODE_LINES: readonly string[] = [
  "0    success",
  "1    wrong usage, or any failure not listed here",
  "2    the job ended with an error",
  "3    the job was cancelled",
  "4    the job timed out",
  "5    no such job, agent, artifact, permission or token",
  "6    not authenticated, or not permitted",
  "7    the runtime cannot be reached",
  "130  stopped by Ctrl-C; a job that was followed goes on",
];

/** A request was answered with an error. What became of a job is `exitCodeOfStatus`. */
const BY_ERROR: Readonly<Record<ErrorCode, ExitCode>> = {
  PERMISSION_DENIED: EXIT.notPermitted,
  LEASE_SUBSET_VIOLATION: EXIT.notPermitted,
  JOB_NOT_FOUND: EXIT.notFound,
  DUPLICATE_KEY: EXIT.failure,
  AGENT_NOT_AVAILABLE: EXIT.notFound,
  AGENT_VERSION_NOT_AVAILABLE: EXIT.notFound,
  CANCELLED: EXIT.jobCancelled,
  TIMEOUT: EXIT.jobTimedOut,
  RESUME_WINDOW_EXPIRED: EXIT.unreachable,
  HEARTBEAT_LOST: EXIT.unreachable,
  LEASE_EXPIRED: EXIT.notPermitted,
  BUDGET_EXHAUSTED: EXIT.notPermitted,
  INVALID_REQUEST: EXIT.failure,
  UNAUTHENTICATED: EXIT.notPermitted,
  INTERNAL_ERROR: EXIT.failure,
};

export function exitCodeOfError(code: ErrorCode): ExitCode {
  return BY_ERROR[code];
}

/** @param status a job's final status (§7.3); one that we do not know counts as an error. */
export function exitCodeOfStatus(status: string): ExitCode {
  switch (status) {
    case "success":
      return EXIT.ok;
    case "cancelled":
      return EXIT.jobCancelled;
    case "timed_out":
      return EXIT.jobTimedOut;
    default:
      return EXIT.jobError;
  }
}
