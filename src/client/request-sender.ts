/** Sends requests, each until it is answered, over however many connections that takes, and never more than may wait. */
import type { World } from "../platform/world.ts";
import { ARCP_VERSION } from "../protocol/envelope.ts";
import { MAX_FRAME_BYTES } from "../protocol/framing.ts";
import type { MessageOf, PayloadOf } from "../protocol/registry.ts";
import type { Conversation, Incoming } from "./conversation.ts";
import { RequestError, type SessionError } from "./errors.ts";
import { handled } from "./handed-out.ts";
import type { Waiting } from "./job.ts";
import { assertNegotiated } from "./needed-features.ts";
import { type AnyRequest, isAnswer, PendingRequests, type Request, type RequestType } from "./requests.ts";

export interface Asking<Type extends RequestType> extends Waiting {
  readonly traceId?: string | undefined;
  /** See `Request.lapses`. Such a request is the session's own, and counts towards no limit. */
  readonly lapses?: boolean;
  /** See `Request.once`: it is refused with INTERNAL_ERROR when its answer is lost. */
  readonly once?: boolean;
  /** See `Request.anew`. */
  readonly anew?: boolean;
  /** Called when the call is aborted after its request was sent. */
  readonly aborted?: () => void;
  /** Takes the answer of a call that was aborted. */
  readonly tooLate?: Request<Type>["answered"];
}

export class RequestSender {
  readonly #conversation: Conversation;
  readonly #world: World;
  readonly #limit: number;
  readonly #requests = new PendingRequests();
  /** Jobs that may not be cancelled yet: the right to do so is being taken up again. */
  readonly #held = new Set<string>();
  #features: readonly string[] = [];
  #failure: SessionError | undefined;

  /** @param limit most requests that wait for an answer. */
  constructor(conversation: Conversation, world: World, limit: number) {
    this.#conversation = conversation;
    this.#world = world;
    this.#limit = limit;
  }

  /** Whether an answer may come that names a job for the first time. */
  get awaitsJob(): boolean {
    return this.#requests.awaitsJob;
  }

  awaitsSubscription(jobId: string): boolean {
    return this.#requests.awaitsSubscription(jobId);
  }

  /** Sends a request, now or as soon as there is a connection, and again until it is answered. */
  ask<Type extends RequestType, Result>(
    type: Type,
    payload: PayloadOf<Type>,
    read: (answer: Parameters<Request<Type>["answered"]>[0], anew: boolean) => Result,
    { signal, traceId, lapses = false, once = false, anew = false, aborted, tooLate }: Asking<Type>,
  ): Promise<Result> {
    const { promise, resolve, reject } = Promise.withResolvers<Result>();
    handled(promise);
    const typed: Request<Type> = {
      // `type` and `payload` are of one row of the registry.
      message: { ...this.#envelope(), type, payload, trace_id: traceId } as unknown as MessageOf<Type>,
      sent: false,
      aborted: false,
      lapses,
      once,
      anew,
      answered(answer) {
        if (typed.aborted) return tooLate?.(answer);
        try {
          resolve(read(answer, typed.anew));
        } catch (error) {
          reject(error);
        }
      },
      refused: reject,
    };
    // A union over all types, of which this is one.
    const request = typed as unknown as AnyRequest;
    try {
      signal?.throwIfAborted();
      this.#send(request);
    } catch (error) {
      reject(error);
      return promise;
    }
    if (signal === undefined) return promise;
    const abort = (): void => {
      request.aborted = true;
      reject(signal.reason);
      if (request.sent) aborted?.();
      else this.#requests.remove(request);
    };
    signal.addEventListener("abort", abort, { once: true });
    promise.finally(() => signal.removeEventListener("abort", abort)).catch(() => {});
    return promise;
  }

  /** Has the runtime send no more of a job's stream. Not repeated on another connection. */
  unsubscribe(jobId: string): void {
    if (!this.#conversation.isLive) return;
    const payload = { job_id: jobId };
    this.#conversation.send(this.#conversation.encode({ ...this.#envelope(), type: "job.unsubscribe", payload }));
  }

  /** Has cancellations of a job wait for `release`. */
  hold(jobId: string): void {
    this.#held.add(jobId);
  }

  release(jobId: string): void {
    if (!this.#held.delete(jobId) || !this.#conversation.isLive) return;
    for (const request of this.#requests.unanswered) {
      const { message, sent } = request;
      if (!sent && message.type === "job.cancel" && message.payload.job_id === jobId) this.#transmit(request);
    }
  }

  /**
   * There is a connection, of another session than before when `renewed`: what is unanswered goes out once more.
   * @param first goes out before it.
   */
  live(features: readonly string[], renewed: boolean, first: () => void): void {
    this.#features = features;
    if (renewed) this.#held.clear();
    const waiting = this.#requests.removeAll();
    first();
    for (const request of waiting) {
      if (renewed && request.lapses) continue;
      if (request.once && request.sent) {
        const message = `the connection was lost before ${request.message.type} was answered: look whether it came about`;
        request.refused(new RequestError({ code: "INTERNAL_ERROR", message, retryable: false }));
        continue;
      }
      try {
        assertNegotiated(request.message, features);
      } catch (error) {
        request.refused(error as RequestError);
        continue;
      }
      // Its answer may be what was lost with the connection, and it in force since.
      if (request.sent && !renewed) request.anew = true;
      request.sent = false;
      this.#requests.add(request);
      this.#transmit(request);
    }
  }

  /** Takes an answer or a refusal to its request; anything else is passed over. */
  receive(message: Incoming): void {
    if (message.type === "session.error") this.#requests.refuse(message.payload);
    else if (isAnswer(message.type)) this.#requests.answer(message.type, message.payload as never);
  }

  /** The session is over: every request, now and later, fails with `error`. */
  fail(error: SessionError): void {
    this.#failure = error;
    this.#requests.refuseAll(error);
  }

  /** @throws SessionError, RequestError, or TypeError for a message that JSON cannot express. */
  #send(request: AnyRequest): void {
    if (this.#failure !== undefined) throw this.#failure;
    assertNegotiated(request.message, this.#features);
    if (!request.lapses && this.#requests.size >= this.#limit) {
      const message = `${this.#limit} requests wait for an answer: wait for some, or raise maxPendingRequests`;
      throw new RequestError({ code: "TOO_MANY_REQUESTS", message, retryable: true });
    }
    const frame = this.#conversation.encode(request.message);
    assertFits(frame);
    this.#requests.add(request);
    if (this.#conversation.isLive) this.#transmit(request, frame);
  }

  #transmit(request: AnyRequest, frame = this.#conversation.encode(request.message)): void {
    const { message } = request;
    if (message.type === "job.cancel" && this.#held.has(message.payload.job_id)) return;
    request.sent = true;
    if (request.anew && message.type === "job.subscribe") this.unsubscribe(message.payload.job_id);
    this.#conversation.send(frame);
  }

  #envelope(): { readonly arcp: string; readonly id: string } {
    return { arcp: ARCP_VERSION, id: this.#world.ids.next("msg") };
  }
}

/** A frame that is too long would only close the connection it is sent on, again and again. */
function assertFits(frame: string): void {
  // A UTF-16 unit takes at most 3 bytes, so that most frames need not be counted.
  if (frame.length * 3 <= MAX_FRAME_BYTES) return;
  const bytes = new TextEncoder().encode(frame).length;
  if (bytes <= MAX_FRAME_BYTES) return;
  const message = `the request has ${bytes} bytes, and a frame holds ${MAX_FRAME_BYTES}: pass large input by reference`;
  throw new RequestError({ code: "INVALID_REQUEST", message, retryable: false, details: { limit: MAX_FRAME_BYTES } });
}
