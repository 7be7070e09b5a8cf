/** One way to break a law, and who tries it. The table of them is held against the tests like the manifest. */

export interface Attack {
  /** `attack-` and a few words. A test tries it whose title has it in brackets. */
  readonly id: string;
  /** The law of `conformance/requirements/laws.ts` that would be broken. */
  readonly law: string;
  /**
   * `agent`: the code that runs under the lease. `isolated`: the same, in a process of its own. `client`: who submitted
   * the job. `watcher`: who may see it. `stranger`: any other principal. `upstream`: a service that the agent calls.
   * `policy`: what decides over leases here. `crash`: the end of the process, at the worst moment.
   */
  readonly by: "agent" | "isolated" | "client" | "watcher" | "stranger" | "upstream" | "policy" | "crash";
  /** What is tried. One sentence, in our words. */
  readonly tried: string;
  /** What comes of it. One sentence. */
  readonly outcome: string;
}

/** Attacks on one law: id without its prefix, who, what is tried, what comes of it. */
type AttackLine = readonly [id: string, by: Attack["by"], tried: string, outcome: string];

export function attacksOn(law: string, lines: readonly AttackLine[]): readonly Attack[] {
  return lines.map(([id, by, tried, outcome]) => ({ id: `attack-${id}`, law, by, tried, outcome }));
}
