/** How a job is shown while it is followed. `text-view.ts`, `json-view.ts` and `result-view.ts` are the three ways. */
import type { JobEvent } from "../../client/job.ts";

export interface ShownJob {
  readonly id: string;
  /** `name@version`; empty when the runtime does not say. */
  readonly agent: string;
}

/** How a job ended other than with success. */
export interface JobFailure {
  readonly finalStatus: "error" | "cancelled" | "timed_out";
  readonly code: string;
  readonly message: string;
  readonly retryable: boolean;
  readonly details?: Readonly<Record<string, unknown>> | undefined;
}

/** Calls come in this order: `begin`, any number of `event`, then one of the three ends. */
export interface JobView {
  begin(job: ShownJob): void;
  event(event: JobEvent): void;
  /** @param savedTo the file that the result was written to instead. */
  succeeded(result: unknown, savedTo: string | undefined): void;
  failed(failure: JobFailure): void;
  /** Following stopped before the job ended. */
  left(): void;
}
