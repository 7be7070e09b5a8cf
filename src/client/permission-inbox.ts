/**
 * What the jobs of a session ask for and nobody has decided yet, for any number of readers. A request comes again with every
 * replay of the event that tells of it, and is told to each reader once.
 */

import { PERMISSION_EVENT, permissionEvent } from "../protocol/permission-messages.ts";
import { check } from "../protocol/problem.ts";
import type { PayloadOf } from "../protocol/registry.ts";
import type { SessionError } from "./errors.ts";
import { abortable } from "./handed-out.ts";

/** What a job asks for: to do `operation` to `resource`, as `permission` says which kind of authority. Times are ISO 8601. */
export interface PermissionRequest {
  readonly id: string;
  readonly jobId: string;
  /** The namespace, such as `tool.call`. */
  readonly permission: string;
  /** Exactly this one, in its canonical form: never a pattern. */
  readonly resource: string;
  readonly operation: string;
  /** Why, in the agent's words. */
  readonly reason: string | undefined;
  /** For how long it asks; undefined for the runtime's default. */
  readonly requestedLeaseSeconds: number | undefined;
  /** When the request lapses if nobody decides. */
  readonly expiresAt: string | undefined;
}

/** Requests that wait; beyond, the oldest is forgotten here. */
const MAX_WAITING = 1_000;

interface Reader {
  /** Ids of requests it has not been told of, in their order. */
  readonly untold: Set<string>;
  wake: PromiseWithResolvers<void>;
}

export class PermissionInbox {
  readonly #waiting = new Map<string, PermissionRequest>();
  readonly #readers = new Set<Reader>();
  #failure: SessionError | undefined;

  receive(payload: PayloadOf<"permission.request">): void {
    const request = readRequest(payload);
    if (this.#waiting.has(request.id)) return;
    const [oldest] = this.#waiting.keys();
    if (this.#waiting.size >= MAX_WAITING && oldest !== undefined) this.#forget(oldest);
    this.#waiting.set(request.id, request);
    for (const reader of this.#readers) {
      reader.untold.add(request.id);
      reader.wake.resolve();
    }
  }

  /** A job's event: it may tell that a request was decided. */
  event({ kind, body }: PayloadOf<"job.event">): void {
    if (kind !== PERMISSION_EVENT) return;
    const checked = check(permissionEvent, body, "body");
    if (checked.ok && checked.value.state !== "pending") this.#forget(checked.value.permission_id);
  }

  /** What an ended job asked for is nobody's to decide any more. */
  ended(jobId: string): void {
    for (const request of this.#waiting.values()) if (request.jobId === jobId) this.#forget(request.id);
  }

  fail(error: SessionError): void {
    this.#failure = error;
    for (const { wake } of this.#readers) wake.resolve();
  }

  async *requests(signal: AbortSignal | undefined): AsyncGenerator<PermissionRequest, void, void> {
    const reader: Reader = { untold: new Set(this.#waiting.keys()), wake: Promise.withResolvers() };
    this.#readers.add(reader);
    try {
      for (;;) {
        signal?.throwIfAborted();
        if (this.#failure !== undefined) throw this.#failure;
        const [next] = reader.untold;
        const request = next === undefined ? undefined : this.#waiting.get(next);
        if (next !== undefined) reader.untold.delete(next);
        if (request !== undefined) {
          yield request;
          continue;
        }
        await abortable(reader.wake.promise, signal);
        reader.wake = Promise.withResolvers();
      }
    } finally {
      this.#readers.delete(reader);
    }
  }

  #forget(id: string): void {
    if (!this.#waiting.delete(id)) return;
    for (const { untold } of this.#readers) untold.delete(id);
  }
}

export function readRequest(payload: PayloadOf<"permission.request">): PermissionRequest {
  return {
    id: payload.permission_id,
    jobId: payload.job_id,
    permission: payload.permission,
    resource: payload.resource,
    operation: payload.operation,
    reason: payload.reason,
    requestedLeaseSeconds: payload.requested_lease_seconds,
    expiresAt: payload.expires_at,
  };
}
