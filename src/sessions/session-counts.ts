/** How the sessions of a process stand, counted when somebody asks: nothing is kept for it while nobody does. */
import type { JobId } from "../kernel/ids.ts";
import type { Kernel } from "../kernel/kernel.ts";
import type { Session } from "./session.ts";

export interface SessionCounts {
  /** With a connection. */
  readonly connected: number;
  /** Without one, in their resume window. */
  readonly parked: number;
  /** Connected ones that have not been sent everything there is for them. */
  readonly behind: number;
  /** Events that the one furthest behind has not been sent; an estimate where kinds are hidden from it. */
  readonly maxLag: number;
}

/** Logs looked up for one count: of sessions that lag in more than these, the rest of their lag is not counted. */
const MAX_LOOKED_UP = 1_000;

export async function countSessions(
  sessions: Iterable<Session>,
  kernel: Pick<Kernel, "readHeads">,
): Promise<SessionCounts> {
  let [connected, parked] = [0, 0];
  const lagging: { readonly unsent: number; readonly cursors: ReadonlyMap<JobId, number> }[] = [];
  const jobs = new Set<JobId>();
  for (const { channel, stream } of sessions) {
    if (channel === undefined) {
      parked++;
      continue;
    }
    connected++;
    const cursors = new Map<JobId, number>();
    for (const job of stream.lagging) {
      if (jobs.size >= MAX_LOOKED_UP && !jobs.has(job)) continue;
      jobs.add(job);
      cursors.set(job, stream.follows.get(job)?.cursor ?? 0);
    }
    const unsent = stream.head - stream.sent;
    if (unsent > 0 || cursors.size > 0) lagging.push({ unsent, cursors });
  }
  const heads = jobs.size === 0 ? new Map<JobId, number>() : await kernel.readHeads([...jobs]);
  let [behind, maxLag] = [0, 0];
  for (const { unsent, cursors } of lagging) {
    let lag = unsent;
    for (const [job, cursor] of cursors) lag += Math.max(0, (heads.get(job) ?? 0) - cursor);
    if (lag > 0) behind++;
    maxLag = Math.max(maxLag, lag);
  }
  return { connected, parked, behind, maxLag };
}
