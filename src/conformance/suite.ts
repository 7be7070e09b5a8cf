/** Runs the cases against one runtime, one after the other, and says how each went. */
import { FEATURES } from "../protocol/features.ts";
import type { AgentRole } from "./agent-roles.ts";
import { Bench, type Probed, type ResumeForm, type Target } from "./bench.ts";
import type { ConformanceCase } from "./case.ts";
import { CASES } from "./cases.ts";
import type { Frame } from "./frame.ts";
import { featuresOf } from "./session.ts";
import { NotReached } from "./verdict.ts";

/**
 * - `passed`: it is so.
 * - `broken`: a MUST is not kept, or what must never happen has happened.
 * - `warning`: a SHOULD is not kept.
 * - `differs`: done otherwise than Leasehold reads a gap in the draft. No fault.
 * - `unsupported`: it belongs to an optional feature that the runtime does not offer. No fault.
 * - `untested`: nothing is known; `because` says why.
 */
export const OUTCOMES = ["passed", "broken", "warning", "differs", "unsupported", "untested"] as const;
export type Outcome = (typeof OUTCOMES)[number];

export interface CaseResult extends Pick<ConformanceCase, "requirement" | "section" | "level" | "title"> {
  readonly outcome: Outcome;
  /** Why, for everything but `passed`. */
  readonly because?: string;
  readonly durationMs: number;
}

export interface Report {
  readonly url: string;
  /** What the runtime calls itself; undefined when it welcomed nobody. */
  readonly runtime: string | undefined;
  readonly features: readonly string[];
  readonly results: readonly CaseResult[];
  /** It opened sessions at first, and does not any more. */
  readonly lost: boolean;
  readonly durationMs: number;
}

export interface SuiteOptions {
  readonly target: Target;
  /** Which cases to run. Default: all. */
  readonly only?: (candidate: ConformanceCase) => boolean;
  readonly onResult?: (result: CaseResult) => void;
  /** Ends the run early: the cases that are left count as `untested`. */
  readonly signal?: AbortSignal;
}

/** The target cannot be reached at all. */
export class Unreachable extends Error {
  override readonly name = "Unreachable";
}

/** The target does not know the token that it was to be tested with. */
export class Unwelcome extends Error {
  override readonly name = "Unwelcome";
}

/**
 * What a case may take as a whole, in units of what it may wait for one thing.
 * No case waits for more things than this that come late.
 */
const PATIENCE_PER_CASE = 3;

const SHUT_OUT = "the runtime opens no sessions any more";

/** @throws Unreachable when no connection can be made; Unwelcome when the token is refused. */
export async function runSuite({ target, only = () => true, onResult, signal }: SuiteOptions): Promise<Report> {
  const { clock } = target.world;
  const startedAt = clock.now();
  const probed = await probe(target);
  const welcome = probed?.welcome;
  const results: CaseResult[] = [];
  let shutOut = false;
  for (const candidate of CASES.filter(only)) {
    const begun = clock.now();
    const stopped = signal?.aborted ? "the run was stopped" : shutOut ? SHUT_OUT : undefined;
    const judged: Judged =
      stopped !== undefined
        ? { outcome: "untested", because: stopped }
        : (missing(candidate, target, welcome) ?? (await judge(candidate, new Bench(target, probed))));
    const { requirement, section, level, title } = candidate;
    const result = { requirement, section, level, title, ...judged, durationMs: clock.now() - begun };
    results.push(result);
    // A case that waited in vain may be one of many to come: each would wait as long.
    const inVain = judged.because !== undefined && result.durationMs >= target.patienceMs;
    if (inVain && !shutOut) shutOut = !(await opensSessions(target));
    onResult?.(result);
  }
  const lost = shutOut || (welcome !== undefined && !(await opensSessions(target)));
  return {
    url: target.url,
    runtime: nameOf(welcome),
    features: welcome === undefined ? [] : featuresOf(welcome),
    results,
    lost,
    durationMs: clock.now() - startedAt,
  };
}

type Judged = Pick<CaseResult, "outcome" | "because">;

/** Undefined when the runtime welcomes nobody, for another reason than the token. */
async function probe(target: Target): Promise<Probed | undefined> {
  const bench = new Bench(target, undefined);
  try {
    const peer = await bench.connect().catch((cause: unknown) => {
      throw new Unreachable(`nothing answers at ${target.url}`, { cause });
    });
    peer.drop();
    // Vendor features, too: what is not asked for is not offered.
    const { answer } = await bench.greet({ features: FEATURES });
    if (answer.payload.code === "UNAUTHENTICATED") throw new Unwelcome(`${target.url} refuses the token`);
    if (answer.type !== "session.welcome") return undefined;
    return { welcome: answer, resumeForm: await findResumeForm(bench) };
  } catch (error) {
    if (error instanceof Unreachable || error instanceof Unwelcome) throw error;
    return undefined;
  } finally {
    bench.close();
  }
}

async function findResumeForm(bench: Bench): Promise<ResumeForm | undefined> {
  for (const form of ["message", "hello"] as const) {
    const resumed = bench.open().then((session) => bench.askResumeAs(form, { session, after: 0 }));
    const { answer } = await resumed.catch(() => ({ answer: undefined }));
    if (answer?.type === "session.welcome") return form;
  }
  return undefined;
}

async function opensSessions(target: Target): Promise<boolean> {
  const bench = new Bench(target, undefined);
  try {
    return (await bench.greet()).answer.type === "session.welcome";
  } catch {
    return false;
  } finally {
    bench.close();
  }
}

/** What stands against running a case at all. */
function missing(candidate: ConformanceCase, target: Target, welcome: Frame | undefined): Judged | undefined {
  const { features = [], agents = [], twoPrincipals } = candidate;
  if (welcome === undefined) return undefined;
  const offered = new Set(featuresOf(welcome));
  const lacking = features.find((feature) => !offered.has(feature));
  if (lacking !== undefined) return { outcome: "unsupported", because: `the runtime does not offer ${lacking}` };
  const present = agentNames(welcome);
  const absent = agents.find(
    (role: AgentRole) => present !== undefined && !present.has(nameAlone(target.agents[role])),
  );
  if (absent !== undefined) {
    return { outcome: "untested", because: `there is no agent ${target.agents[absent]} (for the role ${absent})` };
  }
  if (twoPrincipals && target.secondToken === undefined) {
    return { outcome: "untested", because: "it takes a second principal: give --second-token" };
  }
  return undefined;
}

async function judge(candidate: ConformanceCase, bench: Bench): Promise<Judged> {
  const { world, patienceMs } = bench.target;
  const limitMs = patienceMs * PATIENCE_PER_CASE;
  const late = Promise.withResolvers<never>();
  const timer = world.timers.after(limitMs, () =>
    late.reject(new NotReached(`the case was not over after ${limitMs / 1_000} s`)),
  );
  try {
    await Promise.race([candidate.run(bench), late.promise]);
    return { outcome: "passed" };
  } catch (error) {
    const because = error instanceof Error ? error.message : String(error);
    if (error instanceof NotReached) return { outcome: "untested", because };
    return { outcome: FAILED[candidate.level], because };
  } finally {
    timer.cancel();
    bench.close();
  }
}

const FAILED: Readonly<Record<ConformanceCase["level"], Outcome>> = {
  MUST: "broken",
  LAW: "broken",
  SHOULD: "warning",
  MAY: "unsupported",
  READING: "differs",
};

/** Undefined where the welcome lists no agents: then trying is the only way to know. */
function agentNames(welcome: Frame): ReadonlySet<string> | undefined {
  const { agents } = (welcome.payload.capabilities ?? {}) as { agents?: unknown };
  if (!Array.isArray(agents) || agents.length === 0) return undefined;
  return new Set(agents.map((agent) => nameAlone(String((agent as { name?: unknown } | null)?.name ?? agent))));
}

function nameAlone(reference: string): string {
  return reference.split("@", 1)[0] as string;
}

function nameOf(welcome: Frame | undefined): string | undefined {
  const runtime = welcome?.payload.runtime as { name?: unknown; version?: unknown } | undefined;
  return runtime === undefined ? undefined : `${String(runtime.name)} ${String(runtime.version)}`;
}
