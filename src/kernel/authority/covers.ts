/**
 * Whether all that a pattern matches is matched by others too (§9.4): inclusion of languages, decided exactly. A search for
 * a target that the child's pattern matches and the parent's do not: it follows one state of the child's glob together
 * with all the states the parent's globs can be in by then. Where the child has a wildcard, a character that no pattern
 * names stands for every other, since whatever matches it is a wildcard, and matches those as well. A set of states that
 * includes one already searched is not searched again (an antichain). Sets can become many, so the search is bounded;
 * what it cannot decide within its bound it does not allow.
 */
import { ACROSS, type Effort, endsBefore, ONE, parseGlob, plainPrefix, SLASH, standsForThree, WITHIN } from "./glob.ts";
import { globsOf } from "./patterns.ts";

/** Steps of the search for one lease; beyond them a pattern is `too-hard`. Real leases take some hundreds. */
export const MAX_COVER_STEPS = 150_000;

export type Verdict = "yes" | "no" | "too-hard";

/** The parent's patterns of one namespace, to hold children's patterns against. */
export interface Cover {
  /** @param effort of one lease: what was spent on others of its patterns counts. */
  covers(childPattern: string, effort?: Effort): Verdict;
}

/** Whether every target of the child's pattern is one of the parent's. `too-hard`: undecided, so not to be allowed. */
export function covers(namespace: string, parentPatterns: readonly string[], childPattern: string): Verdict {
  return createCover(namespace, parentPatterns).covers(childPattern);
}

export function createCover(namespace: string, parentPatterns: readonly string[]): Cover {
  const globs = new Set(parentPatterns.flatMap((pattern) => globsOf(namespace, pattern)));
  let union: Union | undefined;
  return {
    covers(childPattern, effort = { steps: 0 }) {
      // What `globsOf` finds fault with is nothing here, which is no reason to grant it.
      const children = globsOf(namespace, childPattern);
      if (children.length === 0) return "no";
      for (const child of children) {
        if (globs.has(child)) continue;
        union ??= new Union(globs);
        effort.steps += globs.size;
        const verdict = search(parseGlob(child), union, union.startsFor(child), effort);
        if (verdict !== "yes") return verdict;
      }
      return "yes";
    },
  };
}

/** A token after the last one of a glob: its end, which accepts. */
const END = -4;
/** A character that no token names. There always is one: all patterns together hold far fewer than Unicode has. */
const UNNAMED = 0x110000;

/** In ascending order, without those that another one's targets include. Empty: nothing matches any more. */
type States = readonly number[];

/** The parent's globs one after the other, as one machine. */
class Union {
  readonly #tokens: number[] = [];
  readonly #threes: boolean[] = [];
  readonly #endings: boolean[] = [];
  /** By state: of which glob it is, and of which part of it between two `/` or `**`. */
  readonly #globs: number[] = [];
  readonly #segments: number[] = [];
  readonly #starts: { readonly state: number; readonly prefix: string }[] = [];

  constructor(texts: Iterable<string>) {
    let segment = 0;
    for (const text of texts) {
      const glob = this.#starts.length;
      const tokens = parseGlob(text);
      this.#starts.push({ state: this.#tokens.length, prefix: plainPrefix(text) });
      for (const [state, token] of [...tokens, END].entries()) {
        this.#tokens.push(token);
        this.#threes.push(standsForThree(tokens, state));
        this.#endings.push(endsBefore(tokens, state));
        this.#globs.push(glob);
        this.#segments.push(segment);
        if (token === SLASH || token === ACROSS || token === END) segment++;
      }
    }
  }

  /** Of those globs whose targets can begin as the child's do. */
  startsFor(child: string): States {
    const begun = plainPrefix(child);
    const starts = this.#starts.filter(({ prefix }) => begun.startsWith(prefix) || prefix.startsWith(begun));
    return this.#settle(starts.map(({ state }) => state));
  }

  accepts(states: States): boolean {
    return states.some((state) => this.#tokens[state] === END);
  }

  /** True when whatever follows is matched: one of the states is a `**` at a glob's end. */
  isUniversal(states: States): boolean {
    return states.some((state) => this.#tokens[state] === ACROSS && this.#tokens[state + 1] === END);
  }

  next(states: States, point: number): States {
    const reached: number[] = [];
    for (const state of states) {
      const token = this.#tokens[state] as number;
      if (!consumes(token, point)) continue;
      reached.push(token === WITHIN || token === ACROSS ? state : state + 1);
      if (this.#threes[state]) reached.push(state + 3);
    }
    return this.#settle(reached);
  }

  /** With the states that are reached without a character, and without those that are superfluous. */
  #settle(reached: readonly number[]): States {
    // Nearly always: one literal after the other.
    const [only] = reached;
    if (only === undefined) return reached;
    if (reached.length === 1 && (this.#tokens[only] as number) >= ONE && !this.#endings[only]) return reached;
    const all = new Set<number>();
    const waiting = [...reached];
    for (let state = waiting.pop(); state !== undefined; state = waiting.pop()) {
      if (all.has(state)) continue;
      all.add(state);
      const token = this.#tokens[state];
      if (token === WITHIN || token === ACROSS) waiting.push(state + 1);
      if (this.#endings[state]) waiting.push(state + 2);
    }
    const kept: number[] = [];
    // From behind: whatever leads to a `**` has only targets that the `**` has by itself, and so has whatever leads to a
    // `*` without a `/` in between.
    let across = -1;
    let within = -1;
    for (const state of [...all].sort((one, other) => other - one)) {
      if (this.#globs[state] === across || this.#segments[state] === within) continue;
      kept.push(state);
      const token = this.#tokens[state];
      if (token === ACROSS) across = this.#globs[state] as number;
      else if (token === WITHIN) within = this.#segments[state] as number;
    }
    return kept.reverse();
  }
}

function consumes(token: number, point: number): boolean {
  if (token === ACROSS) return true;
  if (token === ONE || token === WITHIN) return point !== SLASH;
  return token === point;
}

function search(child: Int32Array, union: Union, start: States, effort: Effort): Verdict {
  const seen = new Map<number, States[]>();
  const waiting: { readonly state: number; readonly states: States }[] = [];

  const visit = (state: number, states: States): void => {
    if (union.isUniversal(states)) return;
    effort.steps += states.length;
    let others = seen.get(state);
    if (others === undefined) {
      others = [];
      seen.set(state, others);
    }
    for (const other of others) {
      effort.steps += 1 + other.length;
      if (includes(states, other)) return;
    }
    others.push(states);
    waiting.push({ state, states });
  };

  // Not among those seen: no target is empty, so to match nothing yet tells nothing, here and not when it comes back here.
  const beginning = { state: 0, states: start };
  if (!union.isUniversal(start)) waiting.push(beginning);
  for (let pair = waiting.pop(); pair !== undefined; pair = waiting.pop()) {
    const { states } = pair;
    // From where nothing matches any more, the child's glob still goes on to its end somehow.
    if (states.length === 0) return "no";
    const open = settleChild(child, pair.state);
    if (pair !== beginning && open.includes(child.length) && !union.accepts(states)) return "no";
    for (const point of pointsOf(child, open)) {
      effort.steps += 1 + states.length;
      if (effort.steps > MAX_COVER_STEPS) return "too-hard";
      const next = union.next(states, point);
      for (const state of open) {
        const token = child[state];
        if (token === undefined || !consumes(token, point)) continue;
        visit(token === WITHIN || token === ACROSS ? state : state + 1, next);
        if (standsForThree(child, state)) visit(state + 3, next);
      }
    }
  }
  return effort.steps > MAX_COVER_STEPS ? "too-hard" : "yes";
}

/** A state of the child's glob, and those reached from it without a character. */
function settleChild(child: Int32Array, from: number): readonly number[] {
  const open = [from];
  for (const state of open) {
    const token = child[state];
    if (token === WITHIN || token === ACROSS) open.push(state + 1);
    if (endsBefore(child, state)) open.push(state + 2);
  }
  return open;
}

/** The characters worth a try: those that the child names, and, for a wildcard of its, one that nobody does. */
function pointsOf(child: Int32Array, open: readonly number[]): ReadonlySet<number> {
  const points = new Set<number>();
  for (const state of open) {
    const token = child[state];
    if (token === undefined) continue;
    points.add(token >= 0 ? token : UNNAMED);
    if (token === ACROSS) points.add(SLASH);
  }
  return points;
}

/** Both ascending. */
function includes(states: States, others: States): boolean {
  let at = 0;
  for (const other of others) {
    while (at < states.length && (states[at] as number) < other) at++;
    if (states[at] !== other) return false;
  }
  return true;
}
