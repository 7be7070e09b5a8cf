/**
 * The runtime's end of the pipe: carries out on the job's real host what an agent's process asks for, and believes nothing.
 * What the context of an honest agent would not send is a `Violation`; whoever reads the pipe then ends the process.
 */
import type { AgentReturn, JobHost } from "../../kernel/agents-port.ts";
import type { Metric } from "../../kernel/job/metric.ts";
import { CodedError } from "../../protocol/errors.ts";
import { toJobFailure } from "../agent-error.ts";
import { cutBytes } from "../characters.ts";
import { inlineReturn } from "../inline-return.ts";
import { STREAM_BEGUN } from "../steps.ts";
import { createEventCheck, type EventCheck, errorBody } from "./event-check.ts";
import { createHostCalls, type HostCall, LASTING_CALLS } from "./host-calls.ts";
import type { LineWriter } from "./lines.ts";
import { MAX_LINE_LENGTH, MAX_REPLY_LENGTH, MAX_SENT_BYTES, PIECE_BYTES, type ToAgent } from "./messages.ts";
import { fromPipeError, toPipeError } from "./pipe-error.ts";
import { type Members, membersOf, requireOptionalText, requireText, Violation } from "./violation.ts";

/** Calls a process may have under way. A context has one for each thing its agent waits for. */
const MAX_CALLS = 100_000;
/** Calls carried out at a time, but for those that last: nothing more is read while there are as many. */
const MAX_CALLS_AT_ONCE = 256;
/** Length of all calls under way, in UTF-16 units: their arguments are held. Nothing more is read while it is reached. */
const MAX_HELD_LENGTH = 4_194_304;
/** The same for calls that last. Beyond it the job ends: whoever waits for them may wait for what comes after them. */
const MAX_LASTING_LENGTH = 33_554_432;
/** Longest summary, in UTF-16 units, as in `ResultStream.end`. */
const MAX_SUMMARY_LENGTH = 65_536;

const ignore = (): void => {};

export interface HostedAgentOptions {
  readonly host: JobHost;
  readonly writer: LineWriter;
  /** `name@version`, for messages. */
  readonly agent: string;
  readonly maxResultBytes: number;
  /** Further calls, beside those of the host. */
  readonly calls?: Readonly<Record<string, HostCall>>;
}

/** A piece of some content that was asked for and has not come. */
type WantedPiece = PromiseWithResolvers<Uint8Array | undefined>;

export class HostedAgent {
  readonly #host: JobHost;
  readonly #writer: LineWriter;
  readonly #agent: string;
  readonly #events: EventCheck;
  readonly #calls: Readonly<Record<string, HostCall>>;
  readonly #underWay = new Set<number>();
  #atOnce = 0;
  #held = 0;
  #lasting = 0;
  #roomForCalls: PromiseWithResolvers<void> | undefined;
  readonly #pieces = new Map<number, WantedPiece>();
  readonly #outcome = Promise.withResolvers<AgentReturn>();
  #over = false;
  #streamBegun: boolean;
  /** Set while the process does not read what it is answered: nothing more is taken from it then. */
  #behind: Promise<void> | undefined;
  #toldBudget: string;

  constructor({ host, writer, agent, maxResultBytes, calls = {} }: HostedAgentOptions) {
    this.#host = host;
    this.#writer = writer;
    this.#agent = agent;
    this.#events = createEventCheck(maxResultBytes);
    this.#calls = { ...createHostCalls(host), ...calls };
    this.#streamBegun = host.steps.has(STREAM_BEGUN);
    this.#toldBudget = JSON.stringify(host.budget.view());
    this.#outcome.promise.catch(ignore);
  }

  /** What the agent's function returned; rejects with what it threw, or with the failure that `end` was told. */
  get outcome(): Promise<AgentReturn> {
    return this.#outcome.promise;
  }

  /** From now on nothing that the process sends is taken. The first end stands. */
  end(failure: unknown): void {
    this.#over = true;
    this.#outcome.reject(failure);
    for (const { reject } of this.#pieces.values()) reject(failure);
    this.#pieces.clear();
  }

  send(message: ToAgent): void {
    this.#sendText(JSON.stringify(message));
  }

  /**
   * Takes one line. Returns a promise of room while the job's log, or the process itself, does not keep up.
   * @throws Violation, and whatever ends the job.
   */
  take(line: string): Promise<void> | undefined {
    if (this.#over) return undefined;
    return this.#behind === undefined ? this.#take(line) : this.#behind.then(() => this.#take(line));
  }

  #take(line: string): Promise<void> | undefined {
    if (this.#over) return undefined;
    if (line.length > MAX_LINE_LENGTH) throw new Violation(`a line of more than ${MAX_LINE_LENGTH} characters`);
    const message = parse(line);
    switch (message.type) {
      case "append":
        return this.#append(message);
      case "report":
        return this.#unlessStopped(() => this.#host.report(membersOf(message.metric, "metric") as unknown as Metric));
      case "call":
        return this.#call(message, line.length);
      case "piece":
        this.#takePiece(message);
        return undefined;
      case "returned":
        this.#over = true;
        this.#outcome.resolve(this.#returned(message));
        return undefined;
      case "failed":
        this.#over = true;
        this.#outcome.reject(failureOf(message.error));
        return undefined;
      default:
        throw new Violation(`a message of type ${requireText(message.type, "type").slice(0, 64)}`);
    }
  }

  #append({ kind, name, body }: Members): Promise<void> | undefined {
    const wireName = requireText(name, "name");
    const event = asViolation(() => this.#events.reword(requireText(kind, "kind"), wireName, body));
    if (event.kind === "result_chunk" && !this.#streamBegun) throw new Violation("a chunk before its stream");
    return this.#unlessStopped(() => this.#host.append(event.kind, wireName, event.text));
  }

  /** What comes too late is not recorded, and is nobody's fault: the process may not have heard yet. */
  #unlessStopped(emit: () => Promise<void> | undefined): Promise<void> | undefined {
    try {
      return emit();
    } catch (error) {
      if (this.#host.signal.aborted) return undefined;
      throw error;
    }
  }

  #call({ id, method, args }: Members, length: number): Promise<void> | undefined {
    if (typeof id !== "number" || !Number.isSafeInteger(id) || this.#underWay.has(id))
      throw new Violation("a wrong call id");
    if (this.#underWay.size >= MAX_CALLS) throw new Violation(`more than ${MAX_CALLS} calls under way`);
    if (!Array.isArray(args)) throw new Violation("args must be a list");
    const name = requireText(method, "method");
    const run = Object.hasOwn(this.#calls, name) ? this.#calls[name] : undefined;
    if (run === undefined) throw new Violation(`a call of ${name.slice(0, 64)}`);
    if (name === "recordStep" && args[0] === STREAM_BEGUN) this.#streamBegun = true;
    const lasts = LASTING_CALLS.has(name) || name.startsWith("fs.");
    if (lasts && this.#lasting + length > MAX_LASTING_LENGTH)
      throw new Violation(`calls under way of more than ${MAX_LASTING_LENGTH} characters`);
    this.#underWay.add(id);
    this.#weigh(lasts, 1, length);
    const answered = this.#answer(id, async () =>
      run(
        args,
        () => this.#contentOf(id),
        (bytes) => this.#sendPieces(id, bytes),
      ),
    );
    void answered.then(() => this.#weigh(lasts, -1, -length));
    if (lasts || this.#hasRoomForCalls) return undefined;
    this.#roomForCalls ??= Promise.withResolvers();
    return this.#roomForCalls.promise;
  }

  get #hasRoomForCalls(): boolean {
    return this.#over || (this.#atOnce < MAX_CALLS_AT_ONCE && this.#held < MAX_HELD_LENGTH);
  }

  #weigh(lasts: boolean, count: number, length: number): void {
    if (lasts) {
      this.#lasting += length;
      return;
    }
    this.#atOnce += count;
    this.#held += length;
    if (!this.#hasRoomForCalls) return;
    this.#roomForCalls?.resolve();
    this.#roomForCalls = undefined;
  }

  async #answer(id: number, run: () => Promise<unknown>): Promise<void> {
    let text: string;
    try {
      const value = await run();
      text = `{"type":"reply","id":${id},"value":${JSON.stringify(value) ?? "null"}}`;
      if (text.length > MAX_REPLY_LENGTH) throw tooLong(text.length, MAX_REPLY_LENGTH);
    } catch (error) {
      if (error instanceof Violation) return this.end(violated(this.#agent, error));
      text = `{"type":"reply","id":${id},"error":${JSON.stringify(toPipeError(error))}}`;
    }
    this.#underWay.delete(id);
    if (this.#over) return;
    this.#tellBudget();
    this.#sendText(text);
  }

  #tellBudget(): void {
    const view = JSON.stringify(this.#host.budget.view());
    if (view === this.#toldBudget) return;
    this.#toldBudget = view;
    this.#sendText(`{"type":"budget","view":${view}}`);
  }

  #sendText(text: string): void {
    const room = this.#writer.send(text);
    if (room === undefined) return;
    const behind = room.then(() => {
      if (this.#behind === behind) this.#behind = undefined;
    });
    this.#behind = behind;
  }

  /** Goes as fast as the process reads, in a turn of its own for each piece. */
  async #sendPieces(id: number, bytes: Uint8Array): Promise<void> {
    if (bytes.length > MAX_SENT_BYTES) throw tooLong(bytes.length, MAX_SENT_BYTES);
    for (const piece of cutBytes(bytes, PIECE_BYTES)) {
      while (this.#behind !== undefined && !this.#over) await this.#behind;
      if (this.#over) return;
      const { buffer, byteOffset, byteLength } = piece;
      const data = Buffer.from(buffer, byteOffset, byteLength).toString("base64");
      this.#sendText(`{"type":"data","id":${id},"data":"${data}"}`);
    }
    while (this.#behind !== undefined && !this.#over) await this.#behind;
  }

  /** Asks for a piece only when there is room for it. */
  async *#contentOf(id: number): AsyncGenerator<Uint8Array, void, void> {
    for (;;) {
      const wanted: WantedPiece = Promise.withResolvers();
      this.#pieces.set(id, wanted);
      this.send({ type: "more", id });
      const piece = await wanted.promise;
      if (piece === undefined) return;
      yield piece;
    }
  }

  #takePiece({ id, data, error }: Members): void {
    const wanted = typeof id === "number" ? this.#pieces.get(id) : undefined;
    // Its artifact was given up, by a limit or a stop, while the piece was on its way; or nobody ever asked.
    if (wanted === undefined) return;
    // A violation leaves it to be rejected by the end, or whoever reads would wait for ever.
    if (error !== undefined) wanted.reject(failureOf(error));
    else wanted.resolve(data === null ? undefined : Buffer.from(requireText(data, "data"), "base64"));
    this.#pieces.delete(id as number);
  }

  #returned({ result, streamed, summary }: Members): AgentReturn {
    const { stream } = this.#events;
    const words = requireOptionalText(summary, "summary");
    if (words !== undefined && words.length > MAX_SUMMARY_LENGTH) throw new Violation("a summary that is too long");
    if (streamed !== true) {
      // A job that emitted a chunk has no inline result (§8.4).
      if (stream !== undefined || this.#streamBegun) throw new Violation("a whole result after a streamed one");
      return inlineReturn(this.#agent, result);
    }
    if (stream?.ended !== true) throw new Violation("a streamed result without its end");
    const { resultId, size } = stream;
    return { stream: { resultId, size }, ...(words === undefined ? {} : { summary: words }) };
  }
}

/** An honest context has checked what it emits: whatever is wrong with it here was meant to be. */
function asViolation<Result>(check: () => Result): Result {
  try {
    return check();
  } catch (error) {
    throw error instanceof CodedError ? new Violation(error.message) : error;
  }
}

/** An error that a process tells of, within the bounds of one an agent threw. */
function failureOf(error: unknown): CodedError {
  return toJobFailure(fromPipeError(errorBody(error)));
}

/** How a job ends whose agent's process sent what it must not. */
export function violated(agent: string, { message }: Error): CodedError {
  return new CodedError(
    "INTERNAL_ERROR",
    `the process of ${agent} sent its runtime what no agent sends (${message}), and was ended`,
    { details: { violation: message } },
  );
}

function parse(line: string): Members {
  try {
    return membersOf(JSON.parse(line), "a message");
  } catch (error) {
    if (error instanceof Violation) throw error;
    throw new Violation("a line that is not JSON");
  }
}

function tooLong(length: number, limit: number): CodedError {
  return new CodedError(
    "INVALID_REQUEST",
    `the answer has a length of ${length}, and at most ${limit} reach an agent in a process of its own`,
    { details: { limit } },
  );
}
