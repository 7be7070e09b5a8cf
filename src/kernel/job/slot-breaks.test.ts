import { describe, expect, it } from "vitest";
import { aJob } from "../../stores/contract/rows.ts";
import { echo } from "../test-kernel.ts";
import { MAX_JOBS_ON_BREAK, MAX_JOBS_ON_BREAK_PER_PRINCIPAL, SlotBreaks } from "./slot-breaks.ts";

/** Slots that are given up, and taken again only when the test says so. */
function open() {
  const released: string[] = [];
  const taking = new Map<string, () => void>();
  const breaks = new SlotBreaks({
    release: (id) => void released.push(id),
    take(job, _agent, start) {
      taking.set(job.id, start);
      return false;
    },
  });
  return { breaks, released, taking };
}

describe("a job on a break", () => {
  it("gives its slot up once, and is back when it has one", async () => {
    const { breaks, released, taking } = open();
    const job = aJob("a");
    breaks.leave(job, echo);
    breaks.leave(job, echo);
    expect(released).toEqual(["a"]);
    let isBack = 0;
    const back = [breaks.back("a"), breaks.back("a")].map((each) => each.then(() => isBack++));
    await Promise.resolve();
    expect(isBack).toBe(0);
    taking.get("a")?.();
    await Promise.all(back);
    expect(isBack).toBe(2);
    await breaks.back("a");
    breaks.leave(job, echo);
    expect(released).toEqual(["a", "a"]);
  });

  it("is no delegated one", async () => {
    const { breaks, released } = open();
    breaks.leave(aJob("a2", { root: "a", parent: "a" }), echo);
    expect(released).toEqual([]);
    await breaks.back("a2");
  });

  it("is one of so many, of each principal and of all; the next keeps its slot", async () => {
    const { breaks, released } = open();
    for (let index = 0; index <= MAX_JOBS_ON_BREAK_PER_PRINCIPAL; index++) breaks.leave(aJob(`a${index}`), echo);
    expect(released).toHaveLength(MAX_JOBS_ON_BREAK_PER_PRINCIPAL);
    await breaks.back(`a${MAX_JOBS_ON_BREAK_PER_PRINCIPAL}`);
    breaks.forget("a0");
    breaks.leave(aJob("again"), echo);
    expect(released.at(-1)).toBe("again");
    for (let index = 0; index < MAX_JOBS_ON_BREAK; index++) {
      breaks.leave(aJob(`b${index}`, { principal: `t/${index}` }), echo);
    }
    expect(released).toHaveLength(MAX_JOBS_ON_BREAK + 1);
  });
});
