/** Frames that no client should send: every field of every message wrong in every way, and then anything at all. */
import { MAX_FRAME_BYTES, MESSAGES, type MessageEntry } from "../../src/protocol/index.ts";
import { type Dice, type Path, placesIn, sampleOf } from "./samples.ts";

export interface FuzzFrame {
  /** Bytes are sent as a text frame, or as a binary one. */
  readonly data: string | Uint8Array;
  readonly binary: boolean;
}

type Json = Record<string, unknown>;

/** A deletion is one of the ways to be wrong. */
const GONE = Symbol("gone");

function nested(depth: number, inArrays: boolean): unknown {
  let value: unknown = 1;
  for (let level = 0; level < depth; level++) value = inArrays ? [value] : { a: value };
  return value;
}

/** What is put where something else belongs. */
const WRONG: readonly unknown[] = [
  GONE,
  null,
  true,
  false,
  -1,
  1.5,
  0,
  Number.MAX_SAFE_INTEGER + 2,
  1e308,
  "",
  " ",
  "x",
  "x".repeat(257),
  "x".repeat(100_000),
  "\u0000\u001b[2J\u202e",
  "\ud800",
  "𝒳☃é",
  "../../etc/passwd",
  "__proto__",
  "2026-13-45T99:99:99Z",
  "USD:-5",
  [],
  {},
  [[]],
  [null, 1, "a", {}],
  { "": "" },
  { a: { b: { c: 1 } } },
  JSON.parse('{"__proto__":{"x":1},"constructor":1,"toString":2}'),
  Array.from({ length: 3_000 }, (_, index) => index),
  Object.fromEntries(Array.from({ length: 1_000 }, (_, index) => [`key${index}`, index])),
  nested(40, false),
  nested(400, true),
];

/** Numbers that JSON can write and nobody can hold. */
const ODD_NUMBERS = ["1e999", "-1e999", "-0", "0.1e-400", "1".repeat(400), "1E+2"];

const EXTRA_KEYS = ["extra", "__proto__", "constructor", "", "\u0000", "é", "x".repeat(1_000)];

const SENT = (Object.entries(MESSAGES) as [string, MessageEntry][]).filter(
  ([, { direction }]) => direction !== "to-client",
);
/** Runtimes are not sent these: they must be refused as well. */
const RECEIVED = (Object.entries(MESSAGES) as [string, MessageEntry][]).filter(
  ([, { direction }]) => direction === "to-client",
);

function envelopeOf(type: string, entry: MessageEntry, dice: Dice, id: string): Json {
  const payload = sampleOf(entry.payload, dice);
  return { arcp: "1.1", id, type, trace_id: "4bf92f3577b34da6a3ce929d0e0e4736", payload };
}

/** A copy of `root` with another value at `path`. */
function replaced(root: unknown, path: Path, value: unknown): unknown {
  const [key, ...rest] = path;
  if (key === undefined) return value;
  const copy: Record<string | number, unknown> = Array.isArray(root)
    ? ([...root] as unknown as Record<number, unknown>)
    : { ...(root as Json) };
  const inner = rest.length === 0 ? value : replaced(copy[key], rest, value);
  if (inner === GONE) delete copy[key];
  // Assigning would set the prototype; what is wanted is a field of that name.
  else Object.defineProperty(copy, key, { value: inner, enumerable: true, configurable: true, writable: true });
  return copy;
}

function valueAt(root: unknown, path: Path): unknown {
  return path.reduce<unknown>((value, key) => (value as Record<string | number, unknown>)[key], root);
}

const textFrame = (data: string): FuzzFrame => ({ data, binary: false });

/** Each message that a runtime takes, with each place in it wrong in each way, missing, and with more beside it. */
export function* systematicFrames(dice: Dice, nextId: () => string): Generator<FuzzFrame> {
  for (const [type, entry] of SENT) {
    const envelope = envelopeOf(type, entry, dice, nextId());
    for (const path of placesIn(envelope)) {
      const again = (): Json => (path[0] === "id" ? envelope : { ...envelope, id: nextId() });
      for (const wrong of WRONG) yield textFrame(JSON.stringify(replaced(again(), path, wrong)));
      const value = valueAt(envelope, path);
      if (typeof value !== "object" || value === null) continue;
      for (const key of EXTRA_KEYS) yield textFrame(JSON.stringify(replaced(again(), [...path, key], "extra")));
    }
  }
}

/** One more, without end. */
export function randomFrame(dice: Dice, nextId: () => string): FuzzFrame {
  const pick = <Value>(values: readonly Value[]): Value => values[dice.int(values.length)] as Value;
  const [type, entry] = dice.int(12) === 0 ? pick(RECEIVED) : pick(SENT);
  const envelope = envelopeOf(type, entry, dice, nextId());
  const text = JSON.stringify(envelope);
  switch (dice.int(14)) {
    case 0:
      return textFrame(text.slice(0, dice.int(text.length)));
    case 1:
      return textFrame(randomText(dice, 200));
    case 2:
      return { data: randomBytes(dice, 200), binary: dice.int(2) === 0 };
    case 3: {
      const at = dice.int(text.length);
      return textFrame(text.slice(0, at) + randomText(dice, 4) + text.slice(at + dice.int(4)));
    }
    case 4:
      return textFrame(text.replace(/"id":"[^"]*"/, `"id":${pick(ODD_NUMBERS)}`));
    case 5:
      return textFrame(text.replace(/\d+(?=[,}])/, pick(ODD_NUMBERS)));
    case 6:
      // The same field twice: which one counts must not matter.
      return textFrame(text.replace('"payload":', `"payload":${JSON.stringify(pick(WRONG.slice(1)))},"payload":`));
    case 7: {
      const bytes = new TextEncoder().encode(text);
      bytes[dice.int(bytes.length)] = dice.int(256);
      return { data: bytes, binary: false };
    }
    case 8:
      return dice.int(200) === 0 ? textFrame(`"${"x".repeat(MAX_FRAME_BYTES)}"`) : textFrame(`${text}${text}`);
    case 9:
      return textFrame(pick(["", " ", "null", "[]", "{}", "0", '"x"', "[".repeat(5_000), '{"a":'.repeat(2_000)]));
    default: {
      let wrong: unknown = envelope;
      for (let change = dice.int(3); change >= 0; change--) {
        const places = placesIn(wrong);
        if (places.length > 0) wrong = replaced(wrong, pick(places), pick(WRONG));
      }
      return textFrame(JSON.stringify(wrong));
    }
  }
}

function randomText(dice: Dice, longest: number): string {
  const units = Array.from({ length: dice.int(longest) + 1 }, () => dice.int(dice.int(3) === 0 ? 0x10000 : 0x80));
  return String.fromCharCode(...units).toWellFormed();
}

function randomBytes(dice: Dice, longest: number): Uint8Array {
  return Uint8Array.from({ length: dice.int(longest) + 1 }, () => dice.int(256));
}
