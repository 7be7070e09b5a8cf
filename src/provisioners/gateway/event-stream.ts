/** A stream of server-sent events on its way: cut at the ends of events, and read as far as it tells what was used. */

/** Of one event: the last one of a response repeats the whole of it. */
const MAX_EVENT_BYTES = 16_777_216;
const LF = 0x0a;
const CR = 0x0d;

/** Cuts a stream into events, each with the empty line that ends it. */
export class EventSplitter {
  #pending: Buffer = Buffer.alloc(0);

  /**
   * @returns the events that are whole now.
   * @throws RangeError for an event that is too long.
   */
  push(chunk: Buffer): readonly Buffer[] {
    // An end may have begun with the last bytes of what was there.
    let from = Math.max(0, this.#pending.length - 3);
    const text = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk]);
    const events: Buffer[] = [];
    let start = 0;
    for (let at = text.indexOf(LF, from); at !== -1; at = text.indexOf(LF, from)) {
      from = at + 1;
      const end = text[at + 1] === LF ? at + 2 : text[at + 1] === CR && text[at + 2] === LF ? at + 3 : undefined;
      if (end === undefined) continue;
      events.push(text.subarray(start, end));
      start = end;
      from = end;
    }
    this.#pending = text.subarray(start);
    if (this.#pending.length > MAX_EVENT_BYTES) throw new RangeError("an event of the upstream's stream is too long");
    return events;
  }

  /** What is left, at the end of the stream. */
  rest(): Buffer {
    return this.#pending;
  }
}

export interface EventReading {
  /** `usage`, if the event has it. */
  readonly usage: unknown;
  /** Nothing but usage is in it: it is there because it was asked for. */
  readonly usageOnly: boolean;
  /** What was used is known now, or never will be. */
  readonly last: boolean;
}

const NOTHING: EventReading = { usage: undefined, usageOnly: false, last: false };
const LAST_OF_RESPONSE: readonly unknown[] = ["response.completed", "response.incomplete", "response.failed"];

type Fields = Readonly<Record<string, unknown>>;

export function readEvent(event: Buffer): EventReading {
  const text = event.toString();
  if (/^data: ?\[DONE\]/m.test(text)) return { ...NOTHING, last: true };
  // Most events are none of these, and are not parsed.
  if (!/"usage"\s*:\s*\{|"response\.(completed|incomplete|failed)"/.test(text)) return NOTHING;
  const data = text
    .split(/\r?\n/)
    .filter((line) => line.startsWith("data:"))
    .map((line) => line.slice(5))
    .join("\n");
  let body: unknown;
  try {
    body = JSON.parse(data);
  } catch {
    return NOTHING;
  }
  const { type, usage, response, choices } = fieldsOf(body);
  const told = usage ?? fieldsOf(response).usage ?? undefined;
  return {
    usage: typeof told === "object" && told !== null ? told : undefined,
    usageOnly: Array.isArray(choices) && choices.length === 0,
    last: LAST_OF_RESPONSE.includes(type),
  };
}

function fieldsOf(value: unknown): Fields {
  return typeof value === "object" && value !== null ? (value as Fields) : {};
}
