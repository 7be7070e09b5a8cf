/**
 * The `JobHost` of an agent in a process of its own: what the agent's context asks of it goes through the pipe. Nothing here
 * guards anything: the runtime on the other side does, and takes this side for a stranger.
 */
import type { AppendedKind, DelegatedJob, DelegateRequest, JobHost } from "../../kernel/agents-port.ts";
import type { Amounts } from "../../kernel/authority/amounts.ts";
import type { BudgetView } from "../../kernel/authority/budget-view.ts";
import type { Guard, Operation } from "../../kernel/authority/guard.ts";
import type { Grant, PermissionAsk } from "../../kernel/authority/permission-ask.ts";
import type { ArtifactLabel } from "../../kernel/job/artifacts.ts";
import { MAX_ENTRY_LENGTH, MAX_STEP_LENGTH } from "../../kernel/job/attempt.ts";
import type { JobRecord } from "../../kernel/job/job-record.ts";
import { isCost, type Metric, metricBody } from "../../kernel/job/metric.ts";
import type { ReservationHandle } from "../../kernel/job/reservations.ts";
import type { ArtifactRow } from "../../kernel/ports.ts";
import { CodedError } from "../../protocol/errors.ts";
import { toJobFailure } from "../agent-error.ts";
import { cutBytes } from "../characters.ts";
import type { LineWriter } from "./lines.ts";
import { type FromAgent, MAX_LINE_LENGTH, PIECE_BYTES, type ToAgent } from "./messages.ts";
import { fromPipeError } from "./pipe-error.ts";

const ignore = (): void => {};

/** What goes along with a call. */
interface Content {
  readonly pieces: AsyncIterator<Uint8Array>;
  /** What reading it threw: the caller gets it as it is, and not as the runtime was told. */
  failure?: { readonly error: unknown };
}

/** A longer value of a step goes in pieces, in UTF-16 units. */
const MAX_VALUE_LENGTH = 262_144;

/** What a call is answered: a value, after any number of bytes. */
interface Answer {
  readonly value: unknown;
  readonly bytes: Buffer;
}

interface OpenCall extends PromiseWithResolvers<Answer> {
  readonly received: Uint8Array[];
}

export class RemoteHost implements JobHost {
  readonly job: JobRecord;
  readonly attempt: number;
  readonly steps: ReadonlyMap<string, string | null>;
  readonly guard: Guard;
  readonly budget: JobHost["budget"];
  readonly #writer: LineWriter;
  readonly #controller = new AbortController();
  readonly #calls = new Map<number, OpenCall>();
  readonly #contents = new Map<number, Content>();
  #budget: BudgetView;
  #nextCall = 1;

  constructor(
    start: Extract<ToAgent, { type: "start" }>,
    steps: ReadonlyMap<string, string | null>,
    writer: LineWriter,
  ) {
    // Whose job it is, it is not told, and nothing in a context asks.
    this.job = { ...start.job, principal: "", session: null } as unknown as JobRecord;
    this.attempt = start.attempt;
    this.steps = steps;
    this.#writer = writer;
    this.#budget = start.budget;
    this.guard = { check: (operation) => this.#check(operation) };
    this.budget = { view: () => this.#budget };
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  append(kind: AppendedKind, name: string, body: string): Promise<void> | undefined {
    this.#assertRunning();
    assertEntryLength(name, body);
    return this.#writer.send(`{"type":"append","kind":"${kind}","name":${JSON.stringify(name)},"body":${body}}`);
  }

  report(metric: Metric): Promise<void> | undefined {
    this.#assertRunning();
    // Wrong ones are refused here, as they would be in one process: at once.
    assertEntryLength("metric", metricBody(metric));
    // What moves counters is waited for, so that `budget.view()` tells of it.
    return isCost(metric.name) ? this.call<void>("report", [metric]) : this.#send({ type: "report", metric });
  }

  async reserve(amounts: Amounts, key?: string): Promise<ReservationHandle> {
    const { id, committed } = await this.call<Pick<ReservationHandle, "id" | "committed">>("reserve", [amounts, key]);
    return {
      id,
      committed,
      commit: (actual, name) => this.call("commitReservation", [id, actual, name]),
      release: () => this.call("releaseReservation", [id]),
    };
  }

  flush(): Promise<void> {
    return this.call("flush", []);
  }

  async delegate(request: DelegateRequest): Promise<DelegatedJob> {
    const child = await this.call<Pick<DelegatedJob, "jobId" | "delegateId" | "agent">>("delegate", [request]);
    return {
      ...child,
      result: async () => contentOf(await this.ask("childResult", [child.jobId])),
      cancel: (reason) => this.call("cancelChild", [child.jobId, reason]),
    };
  }

  requestPermission(ask: PermissionAsk): Promise<Grant> {
    return this.call("requestPermission", [ask]);
  }

  recordStep(name: string, value: string | null): Promise<void> {
    if (value === null || value.length <= MAX_VALUE_LENGTH) return this.call("recordStep", [name, value]);
    if (value.length > MAX_STEP_LENGTH) throw tooLong("step.value", `has ${value.length}`, MAX_STEP_LENGTH);
    return this.call("recordLongStep", [name], inPieces(value));
  }

  async putArtifact({ name, contentType }: ArtifactLabel, content: AsyncIterable<Uint8Array>): Promise<ArtifactRow> {
    return await this.call<ArtifactRow>("putArtifact", [name, contentType], content);
  }

  /** As `ask`, for the value alone. */
  async call<Result>(method: string, args: readonly unknown[], content?: AsyncIterable<Uint8Array>): Promise<Result> {
    return (await this.ask(method, args, content)).value as Result;
  }

  /**
   * Asks the runtime to carry out `method`, which reads `content` piece by piece.
   * @throws what it threw there; what reading `content` threw, as it is; INVALID_REQUEST for arguments that are too long.
   */
  async ask(method: string, args: readonly unknown[], content?: AsyncIterable<Uint8Array>): Promise<Answer> {
    const id = this.#nextCall++;
    const line = JSON.stringify({ type: "call", id, method, args } satisfies FromAgent);
    if (line.length > MAX_LINE_LENGTH) throw tooLong(method, `was given ${line.length}`, MAX_LINE_LENGTH);
    const call = { ...Promise.withResolvers<Answer>(), received: [] };
    this.#calls.set(id, call);
    const source: Content | undefined = content && { pieces: content[Symbol.asyncIterator]() };
    if (source !== undefined) this.#contents.set(id, source);
    this.#writer.send(line);
    try {
      return await call.promise;
    } catch (error) {
      throw source?.failure === undefined ? error : source.failure.error;
    } finally {
      this.#contents.delete(id);
      void source?.pieces.return?.().catch(ignore);
    }
  }

  /** Takes what the runtime sends once the agent has started. */
  take(message: ToAgent): void {
    switch (message.type) {
      case "reply": {
        const call = this.#calls.get(message.id);
        this.#calls.delete(message.id);
        if (message.error === undefined) call?.resolve({ value: message.value, bytes: Buffer.concat(call.received) });
        else call?.reject(fromPipeError(message.error));
        return;
      }
      case "data":
        this.#calls.get(message.id)?.received.push(Buffer.from(message.data, "base64"));
        return;
      case "budget":
        this.#budget = message.view;
        return;
      case "more":
        void this.#sendPiece(message.id);
        return;
      case "stop":
        this.#controller.abort(fromPipeError(message.error));
    }
  }

  /** Arguments are digested only for what the lease does not cover: a grant may be bound to them. */
  async #check({ namespace, target, operation, digest }: Operation): Promise<void> {
    try {
      await this.call<void>("check", [namespace, target, operation]);
    } catch (refusal) {
      const isDenied = refusal instanceof CodedError && refusal.code === "PERMISSION_DENIED";
      if (!isDenied || digest === undefined) throw refusal;
      await this.call<void>("check", [namespace, target, operation, digest()]);
    }
  }

  async #sendPiece(id: number): Promise<void> {
    const source = this.#contents.get(id);
    // Given up meanwhile: the answer to its call is on the way.
    if (source === undefined) return;
    try {
      const next = await source.pieces.next();
      const data = next.done === true ? null : Buffer.from(next.value).toString("base64");
      this.#send({ type: "piece", id, data });
    } catch (error) {
      source.failure = { error };
      this.#send({ type: "piece", id, error: toJobFailure(error).toBody() });
    }
  }

  #send(message: FromAgent): Promise<void> | undefined {
    return this.#writer.send(JSON.stringify(message));
  }

  /** An expired lease leaves the agent a moment to say what it has to say. */
  #assertRunning(): void {
    const { aborted, reason } = this.#controller.signal;
    if (aborted && !(reason instanceof CodedError && reason.code === "LEASE_EXPIRED")) throw reason;
  }
}

/** A value that JSON holds, or what the bytes are that were sent ahead of it. */
export type ToldValue = { readonly value?: unknown } | { readonly sent: "bytes" | "text" };

function contentOf({ value, bytes }: Answer): unknown {
  const told = value as ToldValue;
  if (!("sent" in told)) return told.value;
  return told.sent === "text" ? bytes.toString() : new Uint8Array(bytes);
}

function assertEntryLength(name: string, body: string): void {
  if (body.length <= MAX_ENTRY_LENGTH) return;
  throw new CodedError(
    "INVALID_REQUEST",
    `a ${name} event of ${body.length} characters; at most ${MAX_ENTRY_LENGTH} fit one event`,
    { details: { field: "body", limit: MAX_ENTRY_LENGTH } },
  );
}

function tooLong(field: string, what: string, limit: number): CodedError {
  return new CodedError(
    "INVALID_REQUEST",
    `${field} ${what} characters of JSON; at most ${limit} go to the runtime from an agent in a process of its own`,
    { details: { field, limit } },
  );
}

async function* inPieces(text: string): AsyncGenerator<Uint8Array, void, void> {
  yield* cutBytes(Buffer.from(text), PIECE_BYTES);
}
