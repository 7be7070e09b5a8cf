/** What every store must do, as tests. Each implementation runs the whole suite: see `memory.test.ts`, `sqlite.test.ts`. */
import { afterEach, beforeEach, describe } from "vitest";
import { describeArtifactRows } from "./contract/artifacts.ts";
import { describeAudit } from "./contract/audit.ts";
import { describeBudgets } from "./contract/budgets.ts";
import { describeJobs } from "./contract/jobs.ts";
import { describeLifetime } from "./contract/lifetime.ts";
import { describeLogs } from "./contract/logs.ts";
import { describePermissions } from "./contract/permissions.ts";
import { describeRetention } from "./contract/retention.ts";
import { describeSessions } from "./contract/sessions.ts";
import { type OpenedStore, Subject } from "./contract/subject.ts";
import { describeTrees } from "./contract/trees.ts";

/** @param open gives a store with nothing in it. */
export function describeStore(name: string, open: () => Promise<OpenedStore>): void {
  describe(`${name} keeps the store contract`, () => {
    const subject = new Subject();
    beforeEach(async () => subject.take(await open()));
    afterEach(() => subject.dispose());

    describeJobs(subject);
    describeLogs(subject);
    describeArtifactRows(subject);
    describeBudgets(subject);
    describePermissions(subject);
    describeSessions(subject);
    describeTrees(subject);
    describeAudit(subject);
    describeLifetime(subject);
    describeRetention(subject);
  });
}
