/** Shows what a followed job delegates (§10), and what that does in turn, beside the job itself. */
import { JobError } from "../client/errors.ts";
import type { Job } from "../client/job.ts";
import type { Timers } from "../platform/world.ts";
import type { ChildrenView } from "./render/job-view.ts";

/** Children end with their parent. How long what is still to come of them is waited for, once that has ended. */
const GRACE_MS = 2_000;

export interface FollowedChildren {
  /** The job has ended: resolves once all of its children have, or shortly after. */
  settle(): Promise<void>;
  /** Shows no more. */
  stop(): void;
}

export function followChildren(job: Job, view: ChildrenView, timers: Timers, signal: AbortSignal): FollowedChildren {
  const over = new AbortController();
  const until = AbortSignal.any([signal, over.signal]);
  const shown = new Set<string>();

  async function followAll(parent: Job, depth: number): Promise<void> {
    const following: Promise<void>[] = [];
    try {
      for await (const child of parent.delegated({ signal: until })) {
        if (shown.has(child.id)) continue;
        shown.add(child.id);
        following.push(follow(child, parent.id, depth));
      }
    } catch {
      // What keeps the children from being shown is told by the parent's own end, or is not this job's.
    }
    await Promise.all(following);
  }

  async function follow(child: Job, parentId: string, depth: number): Promise<void> {
    const { id, agent, delegateId } = child;
    view.begin({ id, agent, delegateId, parentId, depth });
    const below = followAll(child, depth + 1);
    try {
      for await (const event of child.events({ signal: until })) view.event(id, event);
    } catch {
      // Its events are lost, or another session follows it: how it ended may still come.
    }
    const failure = await child.result({ signal: until }).then(
      () => undefined,
      (error: unknown) => error,
    );
    await below;
    if (until.aborted) return;
    view.ended(id, { finalStatus: child.status, failure: failure instanceof JobError ? failure : undefined });
  }

  const done = followAll(job, 1);
  return {
    async settle() {
      const grace = timers.after(GRACE_MS, () => over.abort());
      await done;
      grace.cancel();
    },
    stop: () => over.abort(),
  };
}
