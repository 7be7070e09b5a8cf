/** What a child may do, held against what its parent may: by targets drawn from the child's patterns. */
import { type Lease, leaseOf } from "../../src/kernel/authority/lease.ts";
import type { JobRecord } from "../../src/kernel/job/job-record.ts";
import { drawBy } from "./draw.ts";
import type { Judge } from "./laws.ts";
import { drawTarget, matches } from "./patterns.ts";

const TARGETS_PER_PATTERN = 4;

/** To be called when a child is accepted. */
export function checkWithinParent(child: JobRecord, parent: JobRecord, judge: Judge): void {
  const breach = (what: string): void =>
    judge.report("authority-within-parent", `${child.id} below ${parent.id}: ${what}`);
  if (parent.expiresAt !== null && (child.expiresAt === null || child.expiresAt > parent.expiresAt))
    breach(`it expires at ${child.expiresAt}, and its parent at ${parent.expiresAt}`);
  if (child.principal !== parent.principal)
    breach(`it belongs to ${child.principal}, and its parent to ${parent.principal}`);
  const [mine, above] = [leaseOf(child), leaseOf(parent)];
  if (mine === null) return;
  const draw = drawBy(child.id);
  for (const [namespace, patterns] of Object.entries(mine.grants)) {
    if (namespace === "cost.budget") continue;
    const wider = above?.grants[namespace] ?? [];
    for (const pattern of patterns) {
      for (let drawn = 0; drawn < TARGETS_PER_PATTERN; drawn++) {
        const target = drawTarget(namespace, pattern, draw);
        if (!matches(namespace, wider, target))
          breach(`${pattern} covers ${target}, and none of ${wider.join(", ")} does`);
      }
    }
  }
}

/** Whether a lease has something for this operation at this moment. */
export function isLeased(lease: Lease | null, namespace: string, target: string, now: number): boolean {
  if (lease === null || (lease.expiresAt !== null && now >= lease.expiresAt)) return false;
  return matches(namespace, lease.grants[namespace] ?? [], target);
}
