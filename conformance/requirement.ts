/** One thing that ARCP, our reading of it, or our own law demands, and whether a test shows it. */
export interface Requirement {
  /** `arcp-`, `reading-` or `law-`, the section where it is the draft's, and a few words. Never changed once cited. */
  readonly id: string;
  /** The section of the ARCP draft it belongs to. */
  readonly section: string;
  /**
   * `MUST`, `SHOULD` and `MAY` are the draft's (its flat statements count as `MUST`); `READING` is how a gap in it is
   * read; `LAW` is what must never happen.
   */
  readonly level: "MUST" | "SHOULD" | "MAY" | "READING" | "LAW";
  /** Who has to keep it. */
  readonly side: "runtime" | "client" | "both" | "agent";
  /**
   * `covered`: at least one test cites the id, as `[id]` in its title, or a case of the black-box suite belongs to it.
   * `planned`: none does yet. `declined`: a permission (`MAY`) of which no use is made.
   */
  readonly status: "covered" | "planned" | "declined";
  /** Why a planned one is not shown yet. A MUST needs it, but for §9.8. */
  readonly later?: string;
  /** One sentence, in our words. */
  readonly text: string;
}
