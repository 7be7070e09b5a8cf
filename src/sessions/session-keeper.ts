/**
 * Sessions that outlive their window for events that were not acknowledged (§6.5): how much each keeps of job logs, also
 * while a job it follows goes on, and which have to go. They lie in the store; what is here are accounts.
 */
import type { JobId, SessionId } from "../kernel/ids.ts";
import { isTerminal } from "../kernel/job/job-state.ts";
import type { Kernel } from "../kernel/kernel.ts";
import type { SessionSummary } from "../kernel/ports.ts";
import type { PrincipalKey } from "../kernel/principal.ts";
import type { Log } from "../platform/log.ts";
import type { Timer, World } from "../platform/world.ts";
import { KeptSessions } from "./kept-sessions.ts";
import type { SessionLimits } from "./limits.ts";

/** How often it is counted anew what a session keeps, while a job it follows is not over. */
const RECOUNT_MS = 60_000;

export interface SessionKeeperOptions {
  readonly kernel: Pick<Kernel, "measureSession" | "readSession" | "readJob">;
  readonly world: World;
  readonly log: Log;
  readonly limits: SessionLimits;
  /** Called for a session that has to go. */
  end(session: SessionSummary): void;
}

export class SessionKeeper {
  readonly #options: SessionKeeperOptions;
  readonly #kept: KeptSessions;
  /** Kept sessions that follow a job which is not over. */
  readonly #growing = new Map<SessionId, PrincipalKey>();
  #recount: Timer | undefined;
  #closed = false;

  constructor(options: SessionKeeperOptions) {
    this.#options = options;
    this.#kept = new KeptSessions(options.limits);
  }

  has({ id, principal }: SessionSummary): boolean {
    return this.#kept.has(principal, id);
  }

  /**
   * Keeps a session, for which others may have to go, or it has to go itself.
   * @param follows the jobs it follows.
   * @param mayKeep asked once it is known what it keeps: whether nobody has taken it up meanwhile.
   * @throws what the store throws.
   */
  async keep({ id, principal }: SessionSummary, follows: readonly JobId[], mayKeep: () => boolean): Promise<void> {
    const { kernel, log, end } = this.#options;
    const bytes = await kernel.measureSession(id);
    const growing = await this.#isAnyUnfinished(follows);
    if (!mayKeep()) return;
    if (growing) this.#growing.set(id, principal);
    else this.#growing.delete(id);
    for (const { id: evicted, limit, bytes: held } of this.#kept.keep(principal, id, bytes)) {
      log.warn({ session: evicted, principal, limit, bytes: held }, EVICTED);
      end({ id: evicted, principal });
    }
    this.#scheduleRecount();
  }

  /** It was taken up again, or is over. */
  forget({ id, principal }: SessionSummary): void {
    this.#kept.forget(principal, id);
    this.#growing.delete(id);
  }

  /** Ends the principal's oldest session that is only kept. @returns false when there is none. */
  makeRoom(principal: PrincipalKey): boolean {
    const id = this.#kept.oldest(principal);
    if (id === undefined) return false;
    this.#options.log.warn({ session: id, principal, limit: "maxSessionsPerPrincipal" }, EVICTED);
    this.#options.end({ id, principal });
    return true;
  }

  close(): void {
    this.#closed = true;
    this.#recount?.cancel();
  }

  async #isAnyUnfinished(jobs: readonly JobId[]): Promise<boolean> {
    for (const id of jobs) {
      const job = await this.#options.kernel.readJob(id);
      if (job !== undefined && !isTerminal(job.status)) return true;
    }
    return false;
  }

  #scheduleRecount(): void {
    if (this.#closed || this.#growing.size === 0) return;
    this.#recount ??= this.#options.world.timers.after(RECOUNT_MS, () => void this.#countAnew());
  }

  /** One session in each turn of the event loop. */
  async #countAnew(): Promise<void> {
    const { kernel, world, log } = this.#options;
    for (const [id, principal] of [...this.#growing]) {
      try {
        const follows = (await kernel.readSession(id))?.follows.map(({ job }) => job) ?? [];
        await this.keep({ id, principal }, follows, () => this.#growing.has(id) && !this.#closed);
      } catch (error) {
        if (this.#closed) return;
        log.error({ session: id, err: error }, "what a session keeps cannot be read");
      }
      await new Promise<void>((resolve) => world.timers.soon(resolve));
    }
    this.#recount = undefined;
    this.#scheduleRecount();
  }
}

const EVICTED = "a session is over though its client has not acknowledged all events";
