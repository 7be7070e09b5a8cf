/** One thing the suite looks at: the requirement it belongs to, what it needs of the target, and how it looks. */
import type { Feature } from "../protocol/features.ts";
import type { AgentRole } from "./agent-roles.ts";
import type { Bench } from "./bench.ts";

/** As in the manifest of requirements. `READING` is Leasehold's reading of a gap in the draft. */
export type Level = "MUST" | "SHOULD" | "MAY" | "READING" | "LAW";

export interface ConformanceCase {
  /** The id of its requirement in CONFORMANCE.md. */
  readonly requirement: string;
  /** Of the ARCP draft. */
  readonly section: string;
  readonly level: Level;
  /** What is so when the requirement is kept. Unique within the suite. */
  readonly title: string;
  /** Features it uses (§6.2). Without one of them on offer it cannot be run, and that is no fault. */
  readonly features?: readonly Feature[];
  readonly agents?: readonly AgentRole[];
  /** It takes a second principal. */
  readonly twoPrincipals?: true;
  /**
   * @throws Unmet when the requirement is not kept.
   * @throws NotReached when the case could not get to it.
   */
  run(bench: Bench): Promise<void>;
}
