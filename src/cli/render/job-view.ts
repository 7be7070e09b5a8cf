/** How a job is shown while it is followed. `text-view.ts`, `json-view.ts` and `result-view.ts` are the three ways. */
import type { Job, JobEvent } from "../../client/job.ts";

/** `agent` is empty when the runtime does not say; `budget` is what remains at the moment. */
export type ShownJob = Pick<Job, "id" | "agent" | "lease" | "budget">;

/** A job that the followed one has delegated, or one of those. */
export interface ShownChild extends Pick<Job, "id" | "agent" | "delegateId"> {
  readonly parentId: string;
  /** 1 for those of the followed job itself. */
  readonly depth: number;
}

/** How a job ended other than with success. */
export interface JobFailure {
  readonly finalStatus: "error" | "cancelled" | "timed_out";
  readonly code: string;
  readonly message: string;
  readonly retryable: boolean;
  readonly details?: Readonly<Record<string, unknown>> | undefined;
}

export interface ChildEnd {
  readonly finalStatus: string;
  readonly failure?: JobFailure | undefined;
}

/** Shows what a job delegates. A child begins before anything else of it comes, and nothing of it comes after its end. */
export interface ChildrenView {
  begin(child: ShownChild): void;
  event(id: string, event: JobEvent): void;
  ended(id: string, end: ChildEnd): void;
}

/** Calls come in this order: `begin`, any number of `event` and of `children`, then one of the three ends. */
export interface JobView {
  begin(job: ShownJob): void;
  event(event: JobEvent): void;
  /** Absent: it shows no children, and they need not be followed. */
  readonly children?: ChildrenView;
  /** @param savedTo the file that the result was written to instead. */
  succeeded(result: unknown, savedTo: string | undefined): void;
  failed(failure: JobFailure): void;
  /** Following stopped before the job ended. */
  left(): void;
}
