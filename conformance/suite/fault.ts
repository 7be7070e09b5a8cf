/** A runtime that is wrong in one way: the real one, with someone on the line who tampers with its frames. And ways to tamper. */
import type { Envelope, Tamper } from "./stage.ts";

export interface Fault {
  readonly what: string;
  readonly tamper: () => Tamper;
  /** Titles of the cases that must not pass. */
  readonly caughtBy: readonly string[];
  /** Titles of the cases that the fault keeps from getting to their requirement. */
  readonly hides?: readonly string[];
}

type Change = (frame: Envelope) => readonly Envelope[];
export type Fields = Readonly<Record<string, unknown>>;

/** Nothing is remembered from one frame to the next. */
export const toClient = (change: Change) => (): Tamper => () => ({ toClient: change });
export const toRuntime = (change: Change) => (): Tamper => () => ({ toRuntime: change });

/** Changes the payloads of one type of message and leaves the rest alone. */
export function payloads(type: string, change: (payload: Fields) => Fields): Change {
  return (frame) => [frame.type === type ? { ...frame, payload: change(frame.payload) } : frame];
}

export function bodies(kind: string, change: (body: Fields) => Fields): Change {
  return payloads("job.event", (payload) =>
    payload.kind === kind ? { ...payload, body: change(payload.body as Fields) } : payload,
  );
}

export const drop =
  (isLost: (frame: Envelope) => boolean): Change =>
  (frame) =>
    isLost(frame) ? [] : [frame];

export const isPlaced = ({ event_seq }: Envelope): boolean => typeof event_seq === "number";

/** Does something to one event of each connection: the `nth` that has a place. */
export function nthPlaced(nth: number, change: Change): () => Tamper {
  return () => () => {
    let placed = 0;
    return { toClient: (frame) => (isPlaced(frame) && ++placed === nth ? change(frame) : [frame]) };
  };
}

export function without(fields: Fields, name: string): Fields {
  const { [name]: _, ...left } = fields;
  return left;
}
