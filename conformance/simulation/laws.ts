/** The laws a run is held to, and who notes the first that is broken. */

export const LAWS = {
  "commit-then-publish": "nothing is sent before the commit that made it true is acknowledged",
  "no-event-lost": "what the store acknowledged, and so whatever a client saw, is there after a crash",
  "no-gap-or-repeat": "on every connection event_seq goes on by one from where the client asked",
  "same-bytes-on-replay": "a place of a session's stream has the same bytes whenever it is sent",
  "job-order": "a follower gets every entry of a job's log that it may see, once, in order",
  "only-what-is-followed":
    "a session gets events of jobs it submitted or subscribed to, from where it asked, after the answer",
  "one-terminal": "a job's log ends with its one terminal, and nothing comes after it",
  "principals-apart": "no frame names another principal's job, and no request reaches one",
  "accepted-jobs-end": "a job that was accepted ends; one that was refused never was",
  "terminal-reaches-followers": "who follows a job gets its log to the end",
  "one-job-per-key": "an idempotency key gives one job, and a submission at most one",
  "cancelled-stays-cancelled": "a job whose cancellation was confirmed ends as cancelled",
  "steps-run-once": "a step whose value is recorded is not run again, and gives that value",
  "flush-means-durable": "what was emitted before a flush that resolved is on the log",
  "sessions-are-kept": "a session can be resumed in its window, with either of its valid tokens",
  "requests-are-answered": "every request on a connection that lives is answered, submissions in order",
  "refusals-have-causes": "nothing is refused without a reason, nothing fails without a fault",
  "starts-and-stops": "the runtime comes up, and closes when it is told to",
  "artifacts-have-content": "what an artifact_ref on the log names is there, whole",
  "history-is-kept":
    "history goes only of jobs that are over, are old enough, and whose events reached their followers",
  "money-is-exact": "what a counter has spent and held is what was reported and promised, to the last digit",
  "nothing-promised-twice": "no money is promised beyond what is available",
  "nothing-starts-at-zero": "no operation starts while a counter on the way to its root reads zero or less",
  "operations-are-leased": "no operation starts that the lease does not cover, nor after its expiry",
  "authority-within-parent": "a child may do nothing that its parent may not, nor for longer",
  "tree-ends-together": "no job is alive after the one above it has ended",
  "expired-jobs-end": "a job does nothing more soon after its lease expired",
  "nothing-leaks": "once all is over no timer, no session, no job and no content without a name is left",
} as const;

export type Law = keyof typeof LAWS;

export interface Breach {
  readonly law: Law;
  readonly detail: string;
}

/** Takes the first breach; later ones are mostly its consequences. */
export class Judge {
  #breach: Breach | undefined;

  get breach(): Breach | undefined {
    return this.#breach;
  }

  report(law: Law, detail: string): void {
    this.#breach ??= { law, detail };
  }
}
