/** What jobs have asked for, as every store must keep it. */
import { beforeEach, describe, expect, it } from "vitest";
import { PERMISSIONS_LOOKED_AT, type PermissionQuery } from "../../kernel/authority/permission.ts";
import { aJob, aPermission } from "./rows.ts";
import type { Subject } from "./subject.ts";

export function describePermissions(subject: Subject): void {
  const list = async (query: Partial<PermissionQuery>) => {
    const ids: string[] = [];
    let before: number | undefined;
    do {
      const page = await subject.store.listPermissions({
        principals: ["t/me"],
        limit: 100,
        ...query,
        ...(before === undefined ? {} : { before }),
      });
      ids.push(...page.permissions.map(({ id }) => id));
      before = page.next;
    } while (before !== undefined);
    return ids;
  };

  describe("permissions", () => {
    beforeEach(async () => {
      await subject.put({ jobs: [aJob("a"), aJob("b", { principal: "t/you" }), aJob("c", { principal: "u/me" })] });
    });

    it("keeps every field, replaced by id, in the order of asking", async () => {
      const whole = aPermission("a", "p1", {
        argsDigest: "f".repeat(64),
        args: '{"a":"é 🦊"}',
        reason: "why",
        leaseSeconds: 60,
        attempt: 2,
      });
      const granted = {
        ...whole,
        state: "granted",
        expiresAt: 9_000,
        leaseId: "lease_1",
        decidedAt: 1_500,
        decidedBy: "t/you",
        decisionReason: "ok",
      } as const;
      await subject.put({ permissions: [whole, aPermission("a", "p0")] });
      expect(await subject.store.readPermission("p1")).toEqual(whole);
      await subject.put({ permissions: [granted] });
      expect(await subject.store.readPermission("p1")).toEqual(granted);
      expect(await subject.store.readPermissionsOf("a")).toEqual([granted, aPermission("a", "p0")]);
      expect([await subject.store.readPermission("nobody"), await subject.store.readPermissionsOf("nobody")]).toEqual([
        undefined,
        [],
      ]);
    });

    it("lists those of some principals, newest first, by state and by job", async () => {
      await subject.put({
        permissions: [
          aPermission("a", "p1"),
          aPermission("b", "p2", { principal: "t/you" }),
          aPermission("c", "p3", { principal: "u/me" }),
          aPermission("a", "p4", { state: "denied" }),
          aPermission("a", "p5", { state: "granted" }),
        ],
      });
      expect(await list({})).toEqual(["p5", "p4", "p1"]);
      expect(await list({ limit: 1 })).toEqual(["p5", "p4", "p1"]);
      expect(await list({ principals: ["t/*"], states: ["pending"] })).toEqual(["p2", "p1"]);
      expect(await list({ principals: ["t/*"], states: ["pending", "denied"], limit: 2 })).toEqual(["p4", "p2", "p1"]);
      expect(await list({ principals: ["t/*", "u/me"] })).toEqual(["p5", "p4", "p3", "p2", "p1"]);
      expect(await list({ principals: ["t/*"], job: "b" })).toEqual(["p2"]);
      expect(await list({ job: "b" })).toEqual([]);
      expect(await list({ job: "nobody" })).toEqual([]);
      expect(await list({ principals: [] })).toEqual([]);
      await subject.put({ permissions: [aPermission("a", "p1", { state: "expired" })] });
      expect(await list({ states: ["pending", "granted"] })).toEqual(["p5"]);
    });

    it("looks at so many for a page, and goes on", async () => {
      const others = Array.from({ length: PERMISSIONS_LOOKED_AT + 5 }, (_, index) =>
        aPermission("b", `o${index}`, { principal: "t/you" }),
      );
      await subject.put({ permissions: [aPermission("a", "p1"), ...others] });
      expect(await list({})).toEqual(["p1"]);
      expect(await list({ states: ["pending"] })).toEqual(["p1"]);
    });

    it("takes those of a job that the same commit inserts, and of no unknown one", async () => {
      await subject.put({ jobs: [aJob("d")], permissions: [aPermission("d", "p1")] });
      expect(await subject.store.readPermissionsOf("d")).toEqual([aPermission("d", "p1")]);
      await subject.rejects({ permissions: [aPermission("a", "p2"), aPermission("nobody", "p3")] });
      expect(await subject.store.readPermission("p2")).toBeUndefined();
    });
  });
}
