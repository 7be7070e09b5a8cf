/** Valid payloads made from the schemas of `src/protocol/`, and every place in them: what is then made wrong. */
import * as v from "valibot";

/** Where a value is: keys and indices from the frame's root. */
export type Path = readonly (string | number)[];

export interface Dice {
  /** A whole number from 0 to `below` − 1. */
  int(below: number): number;
}

/** What a schema that only names a check may accept. The agent's is one that exists. */
const CANDIDATES: readonly unknown[] = [
  "tck-echo",
  "2026-05-13T19:30:00Z",
  "x",
  1,
  0,
  0.5,
  true,
  { "fs.read": ["/workspace/**"] },
  { expires_at: "2199-01-01T00:00:00Z" },
  {},
  [],
];

/** The parts of a schema that are looked into; a piped schema has those of its first. */
interface Shape {
  readonly type: string;
  readonly entries?: Readonly<Record<string, v.GenericSchema>>;
  readonly wrapped?: v.GenericSchema;
  readonly item?: v.GenericSchema;
  readonly options?: readonly unknown[];
  readonly literal?: unknown;
}

/** A value that `schema` accepts, or one that is near to it. Optional fields are there more often than not. */
export function sampleOf(schema: v.GenericSchema, dice: Dice): unknown {
  const { type, entries, wrapped, item, options = [], literal } = schema as unknown as Shape;
  switch (type) {
    case "object":
      return Object.fromEntries(
        Object.entries(entries ?? {})
          .map(([name, entry]) => [name, sampleOf(entry, dice)] as const)
          .filter(([, value]) => value !== undefined),
      );
    case "optional":
    case "nullable":
      return dice.int(4) === 0 || wrapped === undefined ? undefined : sampleOf(wrapped, dice);
    case "array":
      return item === undefined ? [] : Array.from({ length: dice.int(3) }, () => sampleOf(item, dice));
    case "picklist":
      return options[dice.int(options.length)];
    case "union":
      return sampleOf(options[dice.int(options.length)] as v.GenericSchema, dice);
    case "literal":
      return literal;
    case "boolean":
      return dice.int(2) === 0;
    case "unknown":
      return CANDIDATES[dice.int(CANDIDATES.length)];
    default:
      return acceptedBy(schema, dice);
  }
}

function acceptedBy(schema: v.GenericSchema, dice: Dice): unknown {
  const first = dice.int(CANDIDATES.length);
  for (let step = 0; step < CANDIDATES.length; step++) {
    const candidate = CANDIDATES[(first + step) % CANDIDATES.length];
    if (v.safeParse(schema, candidate).success) return candidate;
  }
  return "x";
}

/** Every place in `value`, the root left out. */
export function placesIn(value: unknown, root: Path = []): readonly Path[] {
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) => {
    const path = [...root, Array.isArray(value) ? Number(key) : key];
    return [path, ...placesIn(inner, path)];
  });
}
