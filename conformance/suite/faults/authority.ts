/** Leases, budgets and delegations that are not kept to. */
import { CASES } from "../case-titles.ts";
import { bodies, drop, type Fault, type Fields, isPlaced, toClient, toRuntime, without } from "../fault.ts";

export const AUTHORITY_FAULTS: readonly Fault[] = [
  {
    what: "does not number what tells of a child",
    tamper: toClient((frame) => [
      frame.type === "job.accepted" && isPlaced(frame) ? { ...frame, event_seq: undefined } : frame,
    ]),
    caughtBy: [CASES.childFollows],
  },
  {
    what: "keeps a child from whoever submitted its tree",
    tamper: () => () => {
      const hidden = new Set<unknown>();
      return {
        toClient(frame) {
          if (frame.type === "job.accepted" && isPlaced(frame)) hidden.add(frame.job_id);
          return hidden.has(frame.job_id) && frame.type !== "job.subscribed" ? [] : [frame];
        },
      };
    },
    caughtBy: [CASES.childFollows],
  },
  {
    what: "does not name the child in a delegate event",
    tamper: toClient(bodies("delegate", (body) => without(body, "child_job_id"))),
    caughtBy: [CASES.childFollows, CASES.childNamed],
  },
  {
    what: "keeps its delegations to itself",
    tamper: toClient(drop(({ payload }) => payload.kind === "delegate")),
    caughtBy: [
      CASES.childFollows,
      "a delegation is a delegate event of the job that delegates",
      CASES.childNamed,
      "a delegated budget beyond what remains is refused, and one within it is not",
      "a delegated lease may equal the one it comes from",
    ],
  },
  {
    what: "grants every tool",
    tamper: toRuntime((frame) => {
      const lease = frame.payload.lease_request as Fields | undefined;
      if (frame.type !== "job.submit" || lease === undefined) return [frame];
      return [{ ...frame, payload: { ...frame.payload, lease_request: { ...lease, "tool.call": ["*"] } } }];
    }),
    caughtBy: [
      "a lease that grants no tools lets no tool be called",
      "a tool that the lease covers can be called, and another fails with PERMISSION_DENIED",
      "patterns of tools are globs of names",
      "a delegation that would widen the lease is refused with LEASE_SUBSET_VIOLATION",
      "a refused delegation is a failed tool_result, and the job goes on",
    ],
  },
  {
    what: "knows no budgets",
    tamper: toRuntime((frame) => {
      const lease = frame.payload.lease_request as Fields | undefined;
      if (frame.type !== "job.submit" || lease === undefined) return [frame];
      return [{ ...frame, payload: { ...frame.payload, lease_request: without(lease, "cost.budget") } }];
    }),
    caughtBy: [
      CASES.counters,
      "an operation fails with BUDGET_EXHAUSTED once the costs reported have used a budget up, to the last digit",
      "a cost lowers the counter of its own currency, and no other",
      "a negative cost gives nothing back",
      "an exhausted budget is a failed tool_result, and the job goes on",
      "a delegated budget beyond what remains is refused, and one within it is not",
      CASES.acceptedEchoes,
      "job.subscribed shows the lease's constraints and the current budget",
      "a request that needs a feature outside the intersection is refused with INVALID_REQUEST",
    ],
  },
];
