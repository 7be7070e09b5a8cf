/** Errors as they go through the pipe: those of the table by their body, those of the system by the members Node gives them. */
import { CodedError, type ErrorBody } from "../../protocol/errors.ts";
import { toJobFailure } from "../agent-error.ts";

export interface SystemErrorBody {
  readonly message: string;
  /** Such as `ENOENT`. */
  readonly system: {
    readonly code: string;
    readonly errno?: number;
    readonly syscall?: string;
    readonly path?: string;
  };
}

export type PipeError = ErrorBody | SystemErrorBody;

export function toPipeError(error: unknown): PipeError {
  if (error instanceof Error && !(error instanceof CodedError) && "syscall" in error) {
    const { message, code = "", errno, syscall, path } = error as NodeJS.ErrnoException;
    // What is undefined is not written.
    return { message, system: { code, errno, syscall, path } as SystemErrorBody["system"] };
  }
  return toJobFailure(error).toBody();
}

export function fromPipeError(body: PipeError): Error {
  if ("system" in body) return Object.assign(new Error(body.message), body.system);
  const { code, message, retryable, details } = body;
  return new CodedError(code, message, { retryable, ...(details === undefined ? {} : { details }) });
}
