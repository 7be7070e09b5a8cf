/** Audited decisions, as every store must keep and list them. */
import { beforeEach, describe, expect, it } from "vitest";
import {
  AUDIT_REMOVED_AT_ONCE,
  type AuditQuery,
  type AuditRow,
  LOOKED_AT,
  NOBODY_SCOPE,
} from "../../kernel/audit/audit-row.ts";
import type { Subject } from "./subject.ts";

/** `t/me` was let subscribe to its own job `a`. */
export function aDecision(fields: Partial<AuditRow> = {}): AuditRow {
  return {
    at: 1_000,
    principal: "t/me",
    action: "job.subscribe",
    job: "a",
    owner: "t/me",
    allowed: true,
    details: "{}",
    ...fields,
  };
}

export function describeAudit(subject: Subject): void {
  describe("audit", () => {
    const seqs = async (query: Partial<AuditQuery>) =>
      (await subject.store.listAudit({ scopes: ["t/me"], limit: 100, ...query })).entries.map(({ seq }) => seq);

    /** Everything, however many pages it takes. */
    async function allOf(query: Partial<AuditQuery>): Promise<number[]> {
      const found: number[] = [];
      let before: number | undefined;
      for (let pages = 0; pages < 50; pages++) {
        const asked = { scopes: ["t/me"], limit: 3, ...query, ...(before === undefined ? {} : { before }) };
        const page = await subject.store.listAudit(asked);
        found.push(...page.entries.map(({ seq }) => seq));
        if (page.next === undefined) return found;
        expect(page.next).toBeLessThan(before ?? Number.POSITIVE_INFINITY);
        before = page.next;
      }
      throw new Error("the pages do not end");
    }

    it("reads back every field as it was written, newest first, also after a restart", async () => {
      const first = aDecision({ details: '{"reason":"é 🦊 \\n"}' });
      const second = aDecision({ at: 900, principal: null, action: "job.cancel", job: null, allowed: false });
      await subject.put({ audit: [first, second] });
      const page = {
        entries: [
          { seq: 2, ...second },
          { seq: 1, ...first },
        ],
        next: undefined,
      };
      expect(await subject.store.listAudit({ scopes: ["t/me"], limit: 2 })).toEqual(page);
      const reopened = await subject.reopen();
      expect(await reopened.listAudit({ scopes: ["t/me"], limit: 9 })).toEqual(page);
    });

    describe("of many", () => {
      beforeEach(() =>
        subject.put({
          audit: [
            aDecision(), // 1
            aDecision({ principal: "t/you", owner: "t/me", allowed: false }), // 2
            aDecision({ principal: "t/you", owner: "t/you", job: "b" }), // 3
            aDecision({ principal: "u/me", owner: null, job: "nowhere", allowed: false }), // 4
            aDecision({ principal: null, owner: null, job: null, action: "session.authenticate", allowed: false }), // 5
            aDecision({ principal: "u/me", owner: "t/you", job: "b", action: "job.cancel" }), // 6
          ],
        }),
      );

      it("lists what a scope may see: as principal, as owner, of a tenant, and what names nobody", async () => {
        expect(await seqs({})).toEqual([2, 1]);
        expect(await seqs({ scopes: ["t/you"] })).toEqual([6, 3, 2]);
        expect(await seqs({ scopes: ["t/*"] })).toEqual([6, 3, 2, 1]);
        expect(await seqs({ scopes: ["u/*"] })).toEqual([6, 4]);
        expect(await seqs({ scopes: ["t/*", NOBODY_SCOPE, "t/me"] })).toEqual([6, 5, 3, 2, 1]);
        expect(await seqs({ scopes: ["t/m", "t", "*/*", "nobody/*"] })).toEqual([]);
        expect(await seqs({ scopes: [] })).toEqual([]);
      });

      it("filters by job, principal and action, within the scopes", async () => {
        expect(await seqs({ scopes: ["t/*"], job: "b" })).toEqual([6, 3]);
        expect(await seqs({ scopes: ["u/*"], job: "b" })).toEqual([6]);
        expect(await seqs({ job: "b" })).toEqual([]);
        expect(await seqs({ scopes: ["t/*"], principal: "t/you" })).toEqual([3, 2]);
        expect(await seqs({ scopes: ["t/*", "u/*"], action: "job.cancel" })).toEqual([6]);
        expect(await seqs({ scopes: ["t/*"], job: "b", principal: "t/you", action: "job.subscribe" })).toEqual([3]);
        expect(await seqs({ scopes: ["t/*"], job: "nowhere" })).toEqual([]);
      });

      it("pages: before a row, at most `limit`", async () => {
        expect(await seqs({ scopes: ["t/*"], limit: 2 })).toEqual([6, 3]);
        expect(await seqs({ scopes: ["t/*"], limit: 2, before: 3 })).toEqual([2, 1]);
        expect(await seqs({ scopes: ["t/*"], limit: 2, before: 1 })).toEqual([]);
        expect(await allOf({ scopes: ["t/*", "u/*", NOBODY_SCOPE] })).toEqual([6, 5, 4, 3, 2, 1]);
        expect(await allOf({ scopes: ["t/*"], job: "b", limit: 1 })).toEqual([6, 3]);
      });
    });

    it("finds what is rare among very many, over several pages", async () => {
      const common = Array.from({ length: LOOKED_AT + 10 }, () => aDecision());
      await subject.put({ audit: [aDecision({ action: "job.cancel" }), ...common] });
      await subject.put({ audit: common });
      expect(await allOf({ action: "job.cancel" })).toEqual([1]);
      expect(await allOf({ action: "job.cancel", job: "a", scopes: ["t/*", "t/me"] })).toEqual([1]);
      expect(await allOf({ action: "token.create" })).toEqual([]);
    });

    it("removes the oldest that are old enough, a thousand at most", async () => {
      const old = Array.from({ length: AUDIT_REMOVED_AT_ONCE + 2 }, () => aDecision({ at: 10 }));
      await subject.put({ audit: [...old, aDecision({ at: 20 })] });
      await subject.put({ auditCutoffs: [20] });
      expect(await seqs({})).toEqual([AUDIT_REMOVED_AT_ONCE + 3, AUDIT_REMOVED_AT_ONCE + 2, AUDIT_REMOVED_AT_ONCE + 1]);
      await subject.put({ auditCutoffs: [20], audit: [aDecision({ at: 30 })] });
      expect(await seqs({})).toEqual([AUDIT_REMOVED_AT_ONCE + 4, AUDIT_REMOVED_AT_ONCE + 3]);
      expect(await seqs({ job: "a" })).toEqual([AUDIT_REMOVED_AT_ONCE + 4, AUDIT_REMOVED_AT_ONCE + 3]);
    });
  });
}
