/**
 * The events that an agent's process wants on its job's log, read as something a stranger wrote: only kinds it may emit,
 * only the members each kind has, written anew. Pure.
 */
import type { AppendedKind } from "../../kernel/agents-port.ts";
import { type ErrorBody, isErrorCode } from "../../protocol/errors.ts";
import {
  type LogLevel,
  logBody,
  type Progress,
  progressBody,
  statusBody,
  thoughtBody,
  vendorBody,
} from "../event-bodies.ts";
import { type Members, membersOf, requireText, Violation } from "./violation.ts";

/** Calls under way at a time whose results are still to come. */
const MAX_OPEN_CALLS = 10_000;
const CALL_ID = /^call_[0-9A-Z]{26}$/;
const RESULT_ID = /^res_[0-9A-Z]{26}$/;
const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;

/** What became of a streamed result so far. */
export interface StreamState {
  readonly resultId: string;
  /** Bytes of data. */
  readonly size: number;
  readonly ended: boolean;
}

export interface EventCheck {
  /**
   * The body of an event, as it may go on the log.
   * @throws Violation for anything that the context of an honest agent does not send; CodedError INVALID_REQUEST alike.
   */
  reword(kind: string, name: string, body: unknown): { readonly kind: AppendedKind; readonly text: string };
  readonly stream: StreamState | undefined;
}

/** One for each attempt. @param maxResultBytes of a streamed result's data. */
export function createEventCheck(maxResultBytes: number): EventCheck {
  const openCalls = new Set<string>();
  let stream: StreamState | undefined;
  let nextChunk = 0;

  const words: Readonly<Partial<Record<AppendedKind, (members: Members, name: string) => string>>> = {
    log: ({ level, message }) => logBody(level as LogLevel, message as string),
    thought: ({ text }) => thoughtBody(text as string),
    status: ({ phase, message }) => statusBody(phase as string, message as string | undefined),
    progress: (members) => progressBody(members as unknown as Progress),
    vendor: (members, name) => vendorBody(name, members),
    tool_call({ tool, args, call_id }) {
      const id = requireText(call_id, "call_id");
      if (!CALL_ID.test(id) || openCalls.has(id)) throw new Violation(`a call id that is none, or is taken: ${id}`);
      if (openCalls.size >= MAX_OPEN_CALLS) throw new Violation(`more than ${MAX_OPEN_CALLS} calls under way`);
      openCalls.add(id);
      return JSON.stringify({ tool: requireText(tool, "tool"), args: args ?? null, call_id: id });
    },
    tool_result({ call_id, result, error }) {
      const id = requireText(call_id, "call_id");
      if (!openCalls.delete(id)) throw new Violation(`a result of ${id}, which is not under way`);
      return error === undefined
        ? JSON.stringify({ call_id: id, result: result ?? null })
        : JSON.stringify({ call_id: id, error: errorBody(error) });
    },
    result_chunk({ result_id, chunk_seq, data, encoding, more }) {
      const id = requireText(result_id, "result_id");
      const text = requireText(data, "data");
      if (!RESULT_ID.test(id) || (stream !== undefined && (stream.resultId !== id || stream.ended))) {
        throw new Violation("a chunk of another result, or after its end");
      }
      if (chunk_seq !== nextChunk) throw new Violation(`chunk ${nextChunk} was to come`);
      const size = (stream?.size ?? 0) + chunkBytes(text, encoding);
      if (size > maxResultBytes) throw new Violation(`a streamed result of more than ${maxResultBytes} bytes`);
      if (typeof more !== "boolean") throw new Violation("more must be a boolean");
      nextChunk++;
      stream = { resultId: id, size, ended: !more };
      return JSON.stringify({ result_id: id, chunk_seq, data: text, encoding, more });
    },
  };

  return {
    reword(kind, name, body) {
      const write = Object.hasOwn(words, kind) ? words[kind as AppendedKind] : undefined;
      if (write === undefined) throw new Violation(`an event of kind ${kind.slice(0, 64)} is not for agents to emit`);
      if (kind !== "vendor" && name !== kind) throw new Violation(`an event of kind ${kind} under another name`);
      return { kind: kind as AppendedKind, text: write(membersOf(body, "body"), name) };
    },
    get stream() {
      return stream;
    },
  };
}

function chunkBytes(data: string, encoding: unknown): number {
  if (encoding === "utf8") return Buffer.byteLength(data);
  if (encoding !== "base64" || data.length % 4 !== 0 || !BASE64.test(data))
    throw new Violation("a chunk that is no data");
  return Buffer.byteLength(data, "base64");
}

/** An error as it may go on a log: nothing in it but the members of one. */
export function errorBody(value: unknown): ErrorBody {
  const { code, message, retryable, details } = membersOf(value, "error");
  if (!isErrorCode(code)) throw new Violation("an error with a code that is not of the table");
  if (typeof retryable !== "boolean") throw new Violation("error.retryable must be a boolean");
  return {
    code,
    message: requireText(message, "error.message"),
    retryable,
    ...(details === undefined ? {} : { details: membersOf(details, "error.details") }),
  };
}
