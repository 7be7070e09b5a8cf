/**
 * Requests that wait for their answer. An answer names its request by `request_id`; one that does not belongs to the
 * oldest request of its type, since answers leave in the order of the requests. A request outlives its
 * connection: what is unanswered is sent again, under the same id.
 */
import type { MessageOf, PayloadOf } from "../protocol/registry.ts";
import { RequestError } from "./errors.ts";

/** What answers what. */
const REQUEST_OF = {
  "job.accepted": "job.submit",
  "job.cancelled": "job.cancel",
  "job.subscribed": "job.subscribe",
  "session.jobs": "session.list_jobs",
  "session.permissions": "session.list_permissions",
  "lease.granted": "permission.grant",
  "permission.denied": "permission.deny",
  "lease.extended": "lease.refresh",
  "lease.revoked": "lease.revoke",
} as const;

export type AnswerType = keyof typeof REQUEST_OF;
export type RequestType = (typeof REQUEST_OF)[AnswerType];
type AnswerTo<Type extends RequestType> = {
  [Answer in AnswerType]: (typeof REQUEST_OF)[Answer] extends Type ? PayloadOf<Answer> : never;
}[AnswerType];

export interface Request<Type extends RequestType> {
  readonly message: MessageOf<Type>;
  /** It was sent on some connection, so that the runtime may have acted on it. */
  sent: boolean;
  /** Its caller waits no more; the answer still counts, since the runtime acts on what was sent. */
  aborted: boolean;
  /** It belongs to the session it was made in, and is not repeated in another. */
  readonly lapses: boolean;
  /** Asking it twice is not asking it once: what was sent is not sent again. */
  readonly once: boolean;
  /**
   * A subscription that is to begin anew, even if the runtime has the session follow the job: what it followed already
   * would simply go on, and its answer say nothing of where the handle begins.
   */
  anew: boolean;
  /** Takes the answer. Must not throw. */
  answered(payload: AnswerTo<Type>): void;
  /** Takes what the runtime, or the end of the session, said instead. Must not throw. */
  refused(error: Error): void;
}

export type AnyRequest = { [Type in RequestType]: Request<Type> }[RequestType];

export function isAnswer(type: string): type is AnswerType {
  return Object.hasOwn(REQUEST_OF, type);
}

export class PendingRequests {
  /** By id, oldest first. */
  readonly #pending = new Map<string, AnyRequest>();
  #namingJobs = 0;

  get size(): number {
    return this.#pending.size;
  }

  /** Whether an answer may come that names a job for the first time. */
  get awaitsJob(): boolean {
    return this.#namingJobs > 0;
  }

  /** Requests without an answer, oldest first. */
  get unanswered(): readonly AnyRequest[] {
    return [...this.#pending.values()];
  }

  /** Whether somebody still waits to be subscribed to this job. */
  awaitsSubscription(jobId: string): boolean {
    for (const { aborted, message } of this.#pending.values()) {
      if (!aborted && message.type === "job.subscribe" && message.payload.job_id === jobId) return true;
    }
    return false;
  }

  add(request: AnyRequest): void {
    this.#pending.set(request.message.id, request);
    if (namesJob(request)) this.#namingJobs += 1;
  }

  /** Takes a request back; its answer, should one come, is nobody's. */
  remove(request: AnyRequest): void {
    if (this.#pending.delete(request.message.id) && namesJob(request)) this.#namingJobs -= 1;
  }

  /** Takes all of them back, oldest first. */
  removeAll(): readonly AnyRequest[] {
    const requests = this.unanswered;
    this.#pending.clear();
    this.#namingJobs = 0;
    return requests;
  }

  answer<Type extends AnswerType>(type: Type, payload: PayloadOf<Type>): void {
    const requestType = REQUEST_OF[type];
    const request =
      payload.request_id === undefined
        ? this.#oldest(({ message }) => message.type === requestType && isSameJob(message.payload, payload))
        : this.#pending.get(payload.request_id);
    if (request?.message.type !== requestType) return;
    this.remove(request);
    // The request's type is the one this answer's type belongs to, so its `answered` takes this payload.
    (request.answered as (answer: PayloadOf<Type>) => void)(payload);
  }

  /** A refusal that names no request belongs to the only one there is, if there is only one. */
  refuse(payload: PayloadOf<"session.error">): void {
    const onlyOne = payload.request_id === undefined && this.#pending.size === 1;
    const request = onlyOne ? this.#oldest(() => true) : this.#pending.get(payload.request_id ?? "");
    if (request === undefined) return;
    this.remove(request);
    request.refused(new RequestError(payload));
  }

  refuseAll(error: Error): void {
    for (const request of this.removeAll()) request.refused(error);
  }

  #oldest(fits: (request: AnyRequest) => boolean): AnyRequest | undefined {
    for (const request of this.#pending.values()) if (fits(request)) return request;
    return undefined;
  }
}

function namesJob({ message }: AnyRequest): boolean {
  return message.type === "job.submit" || message.type === "job.subscribe";
}

/** A submission names no job yet, so that any acceptance may be its own; a cancel and a subscription do. */
function isSameJob(asked: object, answer: object): boolean {
  return !("job_id" in asked && "job_id" in answer) || asked.job_id === answer.job_id;
}
