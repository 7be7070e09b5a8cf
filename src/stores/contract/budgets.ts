/** What budgets have spent and promised, as every store must keep it. */
import { beforeEach, describe, expect, it } from "vitest";
import { HOLDS_PAGE } from "../../kernel/ports.ts";
import { aBudget, aHold, aJob } from "./rows.ts";
import type { Subject } from "./subject.ts";

export function describeBudgets(subject: Subject): void {
  describe("budgets and holds", () => {
    beforeEach(async () => {
      await subject.put({ jobs: [aJob("a"), aJob("b"), aJob("a2", { root: "a", parent: "a" })] });
    });

    it("keeps the counters of each job, as they were last written", async () => {
      await subject.put({ budgets: [aBudget("a", "1"), aBudget("a2", "0.000000000000000000000000000001")] });
      await subject.put({ budgets: [aBudget("a", "2.5")] });
      expect(await subject.store.readBudgets(["a", "b", "a2", "nobody"])).toEqual(
        new Map([
          ["a", aBudget("a", "2.5")],
          ["a2", aBudget("a2", "0.000000000000000000000000000001")],
        ]),
      );
      expect(await subject.store.readBudgets([])).toEqual(new Map());
    });

    it("keeps holds with every field, replaced by job and id, in the order of their ids", async () => {
      const child = aHold("a", "hold_2", { kind: "child", child: "a2", key: "é 🦊", attempt: 3 });
      await subject.put({ holds: [child, aHold("a", "hold_10"), aHold("a", "del_1"), aHold("b", "hold_1")] });
      await subject.put({ holds: [aHold("a", "hold_10", { state: "released" })] });
      expect(await subject.store.readHolds("a")).toEqual([
        aHold("a", "del_1"),
        aHold("a", "hold_10", { state: "released" }),
        child,
      ]);
      expect(await subject.store.readHolds("a2")).toEqual([]);
      expect(await subject.store.readHolds("nobody")).toEqual([]);
    });

    it("takes the last of several writes of one commit", async () => {
      await subject.put({
        budgets: [aBudget("a", "1"), aBudget("a", "2")],
        holds: [aHold("a", "h"), aHold("a", "h", { state: "settled" })],
      });
      expect((await subject.store.readBudgets(["a"])).get("a")).toEqual(aBudget("a", "2"));
      expect(await subject.store.readHolds("a")).toEqual([aHold("a", "h", { state: "settled" })]);
    });

    it("takes those of a job that the same commit inserts, and of no unknown one", async () => {
      await subject.put({ jobs: [aJob("c")], budgets: [aBudget("c", "1")], holds: [aHold("c", "h")] });
      expect(await subject.store.readHolds("c")).toEqual([aHold("c", "h")]);
      await subject.rejects({ budgets: [aBudget("nobody", "1")] });
      await subject.rejects({ holds: [aHold("nobody", "h")] });
    });

    it("gives holds in pages, each behind the last one's last", async () => {
      const ids = Array.from({ length: HOLDS_PAGE + 3 }, (_, index) => `h${index}`);
      await subject.put({ holds: ids.map((id) => aHold("a", id)) });
      const page = await subject.store.readHolds("a");
      const rest = await subject.store.readHolds("a", page.at(-1)?.id);
      expect([page.length, rest.length]).toEqual([HOLDS_PAGE, 3]);
      expect([...page, ...rest].map(({ id }) => id)).toEqual(ids.toSorted());
      expect(await subject.store.readHolds("a", rest.at(-1)?.id)).toEqual([]);
    });

    it("writes nothing of a commit that is rejected", async () => {
      await subject.put({ budgets: [aBudget("a", "1")], holds: [aHold("a", "h")] });
      await subject.rejects({
        budgets: [aBudget("a", "2"), aBudget("b", "2")],
        holds: [aHold("a", "h", { state: "settled" }), aHold("a", "i"), aHold("nobody", "h")],
      });
      expect(await subject.store.readBudgets(["a", "b"])).toEqual(new Map([["a", aBudget("a", "1")]]));
      expect(await subject.store.readHolds("a")).toEqual([aHold("a", "h")]);
    });
  });
}
