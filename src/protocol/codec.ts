/** Text frames to typed messages and back. Whatever comes in is decoded here, once, into a message or a refusal. */
import { readEnvelope } from "./envelope.ts";
import { CodedError, type ErrorBody } from "./errors.ts";
import { isId, isJsonObject, type JsonObject } from "./fields.ts";
import { cutDeepText, nestsDeeper, SHORT_TEXT } from "./nesting.ts";
import { check, isMissing, mustBe, type Problem } from "./problem.ts";
import { type Direction, findMessage, type Message } from "./registry.ts";

/** Deepest nesting of arrays and objects taken from a client: what is deeper could not be written as JSON again. */
export const MAX_NESTING = 256;

export interface Refused {
  readonly ok: false;
  /** INVALID_REQUEST; `details.field` names the field. */
  readonly error: ErrorBody;
  /** The envelope's `id`, when it could be read: what the refusal answers. */
  readonly requestId?: string;
  /** The envelope's `type`, when it could be read. */
  readonly type?: string;
}

export type Decoded<D extends Direction> = { readonly ok: true; readonly message: Message<D> } | Refused;

/**
 * Decodes one text frame that travels in `direction`. Never throws, whatever the text.
 * Messages to a runtime are taken strictly; of those to a client, what is only for display is not insisted on.
 */
export function decode<D extends Direction>(text: string, direction: D): Decoded<D> {
  // One level is the envelope's own.
  const cut = direction === "to-runtime" ? cutDeepText(text, MAX_NESTING + 1) : undefined;
  let frame: unknown;
  try {
    frame = JSON.parse(cut ?? text);
  } catch {
    // The parser's own message quotes the frame, which may hold a token.
    return refuse({ field: "frame", message: "the frame is not JSON" });
  }
  if (!isJsonObject(frame)) return refuse(mustBe("frame", "a JSON object"));
  if (cut !== undefined) return refuse(tooDeep(), frame);
  const read = readMessage(frame, text.length, direction);
  // A row decides what becomes of its own payload: `Message<D>` is derived from the same registry.
  return "field" in read ? refuse(read, frame) : { ok: true, message: read as Message<D> };
}

/**
 * The message as one frame of JSON text, without line breaks.
 * @throws TypeError when the payload holds what JSON cannot express: a `bigint`, or a cycle.
 */
export function encode(message: Message): string {
  return JSON.stringify(message);
}

function readMessage(frame: JsonObject, length: number, direction: Direction): object | Problem {
  const toRuntime = direction === "to-runtime";
  const envelope = readEnvelope(frame, toRuntime);
  if ("field" in envelope) return envelope;

  const found = findMessage(envelope.type);
  if (found === undefined) return { field: "type", message: "type names no message of ARCP 1.1" };
  const { type, entry } = found;
  if (entry.direction !== "both" && entry.direction !== direction) {
    return { field: "type", message: `${type} is not sent to a ${toRuntime ? "runtime" : "client"}` };
  }
  if (entry.sequenced) {
    if (envelope.job_id === undefined) return isMissing("job_id");
    if (envelope.event_seq === undefined) return isMissing("event_seq");
  }
  // Every level costs two characters at least; what is long was looked at as text.
  if (toRuntime && length > 2 * MAX_NESTING && length <= SHORT_TEXT && nestsDeeper(envelope.payload, MAX_NESTING)) {
    return tooDeep();
  }

  let payload = envelope.payload;
  if (entry.adopts !== undefined) {
    const own = payload[entry.adopts];
    const outer = envelope[entry.adopts];
    if (own === undefined || own === null) payload = { ...payload, [entry.adopts]: outer };
    else if (outer !== undefined && own !== outer) return mustBe(`payload.${entry.adopts}`, "what the envelope says");
  }
  const checked = check(entry.payload, payload, "payload");
  return checked.ok ? { ...envelope, type, payload: checked.value } : checked.problem;
}

function tooDeep(): Problem {
  return mustBe("payload", `nested at most ${MAX_NESTING} deep`);
}

function refuse({ field, message }: Problem, frame: JsonObject = {}): Refused {
  return {
    ok: false,
    error: new CodedError("INVALID_REQUEST", message, { details: { field } }).toBody(),
    ...(isId(frame.id) ? { requestId: frame.id } : {}),
    ...(isId(frame.type) ? { type: frame.type } : {}),
  };
}
