/**
 * Answers that go on: who reads them, and until when. A token that was revoked or has expired ends what it opened, as it
 * ends sessions; so does the end of the process, and what its principal may not see any more.
 */
import type { ServerResponse } from "node:http";
import type { FastifyReply } from "fastify";
import { type Principal, type PrincipalKey, principalKey } from "../kernel/principal.ts";
import type { Timer } from "../platform/world.ts";
import { CodedError } from "../protocol/errors.ts";
import { refusalOf } from "./api-error.ts";
import type { ApiOptions } from "./api-options.ts";
import type { Caller } from "./caller.ts";
import type { LongAnswers } from "./long-answers.ts";
import { sendLines } from "./ndjson.ts";

/** How long a token that was revoked, or has expired, may still be read with: as for sessions. */
export const AUTHENTICATE_AGAIN_MS = 10_000;

const NDJSON_HEAD = {
  "content-type": "application/x-ndjson; charset=utf-8",
  "cache-control": "no-store",
  "x-content-type-options": "nosniff",
  // Some proxies hold back what they could send on.
  "x-accel-buffering": "no",
};

export interface FollowRequest {
  readonly caller: Caller;
  /** Whether the caller may still read: its roles may have changed, and what it reads may be gone. */
  mayRead(principal: Principal): boolean | Promise<boolean>;
  /** The lines; ends soon after `signal` aborts. */
  lines(signal: AbortSignal): AsyncIterable<string>;
}

interface Follower {
  readonly request: FollowRequest;
  readonly ending: AbortController;
}

export class Followers {
  readonly #options: ApiOptions;
  readonly #followers = new Set<Follower>();
  readonly #answers: LongAnswers;
  /** Runs while there are followers. */
  #nextCheck: Timer | undefined;
  #closed = false;
  /** Whoever closes waits for it. */
  #emptied: PromiseWithResolvers<void> | undefined;

  constructor(options: ApiOptions, answers: LongAnswers) {
    this.#options = options;
    this.#answers = answers;
  }

  /** Answers that go on, of those principals that `isCounted`. */
  count(isCounted: (principal: PrincipalKey) => boolean): number {
    let count = 0;
    for (const { request } of this.#followers) if (isCounted(principalKey(request.caller.principal))) count++;
    return count;
  }

  /**
   * Answers with lines until they end, or have to. What ends them early is told in a last line, `{"error": …}`.
   * @throws HttpError 429 when the caller reads too many already, before anything is answered.
   */
  async answer(reply: FastifyReply, request: FollowRequest): Promise<void> {
    if (this.#closed) throw new CodedError("INTERNAL_ERROR", "the runtime is shutting down");
    const over = this.#answers.begin(request.caller.principal);
    reply.hijack();
    const response = reply.raw;
    const follower: Follower = { request, ending: new AbortController() };
    this.#followers.add(follower);
    this.#scheduleCheck();
    const gone = (): void => follower.ending.abort();
    response.on("close", gone);
    // Who left while the answer was being made ready leaves no second time.
    if (response.destroyed) gone();
    try {
      response.writeHead(200, { ...NDJSON_HEAD, "x-request-id": reply.request.id });
      response.flushHeaders();
      await this.#send(response, follower, reply.request.id);
    } finally {
      response.off("close", gone);
      this.#followers.delete(follower);
      over();
      if (this.#followers.size === 0) {
        this.#nextCheck?.cancel();
        this.#nextCheck = undefined;
        this.#emptied?.resolve();
      }
    }
  }

  /**
   * Ends every answer that goes on. Resolves when their last lines are out; undefined when there are none. Who is behind
   * is not waited for.
   */
  close(): Promise<void> | undefined {
    this.#closed = true;
    if (this.#followers.size === 0) return undefined;
    for (const { ending } of this.#followers) {
      ending.abort(new CodedError("INTERNAL_ERROR", "the runtime is shutting down; read on once it is back"));
    }
    this.#emptied = Promise.withResolvers();
    return this.#emptied.promise;
  }

  async #send(response: ServerResponse, { request, ending }: Follower, requestId: string): Promise<void> {
    const { timers } = this.#options.world;
    const { signal } = ending;
    const lines = async function* (): AsyncGenerator<string, void, void> {
      try {
        yield* request.lines(signal);
        if (!signal.aborted || !(signal.reason instanceof CodedError)) return;
        yield errorLine(signal.reason, requestId);
      } catch (error) {
        yield errorLine(error, requestId);
        throw error;
      }
    };
    try {
      await sendLines(response, lines(), timers, signal);
    } catch (error) {
      this.#options.log.error({ err: error, request: requestId }, "an answer that went on failed");
    }
  }

  #scheduleCheck(): void {
    if (this.#closed || this.#followers.size === 0) return;
    this.#nextCheck ??= this.#options.world.timers.after(AUTHENTICATE_AGAIN_MS, () => void this.#check());
  }

  /** One after the other: thousands at once would hold everything up. */
  async #check(): Promise<void> {
    for (const follower of [...this.#followers]) await this.#authenticateAgain(follower);
    this.#nextCheck = undefined;
    this.#scheduleCheck();
  }

  async #authenticateAgain({ request, ending }: Follower): Promise<void> {
    const { caller } = request;
    let principal: Principal | undefined;
    let mayRead = false;
    try {
      principal = await this.#options.authenticator.authenticate(caller.credentials);
      if (principal !== undefined) mayRead = await request.mayRead(principal);
    } catch (error) {
      // Whoever is in stays in: a token file that cannot be read says nothing about this token.
      this.#options.log.error({ err: error }, "a reader could not be authenticated again");
      return;
    }
    if (principal === undefined || principalKey(principal) !== principalKey(caller.principal)) {
      ending.abort(new CodedError("UNAUTHENTICATED", "the token of this request was revoked or has expired"));
    } else if (!mayRead) {
      ending.abort(new CodedError("PERMISSION_DENIED", "this is not there any more, or not yours to see"));
    } else caller.principal = principal;
  }
}

function errorLine(error: unknown, requestId: string): string {
  return `${JSON.stringify({ type: "error", error: { ...refusalOf(error).error, request_id: requestId } })}\n`;
}
