/** What a lease lets a job do, until when, and for how much (§9.1–§9.7). */
import type { JsonObject } from "../../protocol/fields.ts";
import type { Bench } from "../bench.ts";
import type { ConformanceCase } from "../case.ts";
import { bodiesOf, carriedOut, refusalsOf } from "../outcomes.ts";
import type { Session } from "../session.ts";
import { check, checkEqual } from "../verdict.ts";

/** How long a lease holds that is to expire, and how long after that something is tried: clocks may differ a little. */
const LEASE_MS = 1_500;
const AFTER_MS = 1_000;

interface Acted {
  readonly session: Session;
  readonly id: string;
  readonly accepted: JsonObject;
  readonly end: JsonObject;
}

/** Runs the agent that acts, as a preparation. */
async function act(
  bench: Bench,
  steps: readonly JsonObject[],
  lease: JsonObject,
  more: JsonObject = {},
): Promise<Acted> {
  const session = await bench.open();
  const { id, accepted } = await session.start(bench.agent("acts"), { steps }, { lease_request: lease, ...more });
  const end = await session.finish(id);
  return { session, id, accepted: accepted.payload, end: end.payload };
}

const TOOLS = { "tool.call": ["conformance"] };
const TOOL = { tool: "conformance" };
const spend = (cost: number, unit = "USD"): JsonObject => ({ cost, unit });

export const AUTHORITY_CASES: readonly ConformanceCase[] = [
  {
    requirement: "arcp-9.1-every-operation-covered",
    section: "9.1",
    level: "MUST",
    title: "a lease that grants no tools lets no tool be called",
    agents: ["acts"],
    async run(bench) {
      const { session, id } = await act(bench, [TOOL], { "fs.read": ["/conformance/**"] });
      checkEqual(carriedOut(session, id), 0, "the number of calls that were carried out");
    },
  },
  {
    requirement: "arcp-9.3-permission-denied",
    section: "9.3",
    level: "MUST",
    title: "a tool that the lease covers can be called, and another fails with PERMISSION_DENIED",
    agents: ["acts"],
    async run(bench) {
      const { session, id } = await act(bench, [TOOL, { tool: "conformance-2" }], TOOLS);
      checkEqual(carriedOut(session, id), 1, "the number of calls that were carried out");
      checkEqual(refusalsOf(session, id), ["PERMISSION_DENIED"], "what was refused");
    },
  },
  {
    requirement: "arcp-9.2-namespaces",
    section: "9.2",
    level: "MUST",
    title: "patterns of tools are globs of names",
    agents: ["acts"],
    async run(bench) {
      const { session, id } = await act(bench, [TOOL, { tool: "elsewhere" }], { "tool.call": ["conform*"] });
      checkEqual(carriedOut(session, id), 1, "the number of calls that were carried out");
      checkEqual(refusalsOf(session, id), ["PERMISSION_DENIED"], "what was refused");
    },
  },
  {
    requirement: "arcp-9.5-lease-expired",
    section: "9.5",
    level: "MUST",
    title: "an operation after the lease has expired fails with LEASE_EXPIRED",
    features: ["lease_expires_at"],
    agents: ["acts"],
    async run(bench) {
      const { session, id } = await actBeyondExpiry(bench);
      checkEqual(carriedOut(session, id), 1, "the number of calls that were carried out");
      check(refusalsOf(session, id).includes("LEASE_EXPIRED"), "nothing was refused with LEASE_EXPIRED");
    },
  },
  {
    requirement: "arcp-9.5-job-error",
    section: "9.5",
    level: "MUST",
    title: "a job that tries something after its lease has expired ends with LEASE_EXPIRED and the final status error",
    features: ["lease_expires_at"],
    agents: ["acts"],
    async run(bench) {
      const { end } = await actBeyondExpiry(bench);
      checkEqual([end.code, end.final_status], ["LEASE_EXPIRED", "error"], "the end");
    },
  },
  {
    requirement: "arcp-9.6-independent-counters",
    section: "9.6",
    level: "MUST",
    title: "each currency of a budget begins at the amount that was granted",
    features: ["cost.budget"],
    agents: ["acts"],
    async run(bench) {
      const { accepted } = await act(bench, [], { "cost.budget": ["USD:1.50", "credits:20"] });
      checkEqual(accepted.budget, { USD: 1.5, credits: 20 }, "the budget of the acceptance");
    },
  },
  {
    requirement: "arcp-9.6-exhausted",
    section: "9.6",
    level: "MUST",
    title: "an operation fails with BUDGET_EXHAUSTED once the costs reported have used a budget up, to the last digit",
    features: ["cost.budget"],
    agents: ["acts"],
    async run(bench) {
      // In binary fractions something would be left.
      const steps = [spend(0.7), spend(0.1), spend(0.1), TOOL, spend(0.1), TOOL];
      const { session, id } = await act(bench, steps, { ...TOOLS, "cost.budget": ["USD:1.00"] });
      checkEqual(carriedOut(session, id), 1, "the number of calls that were carried out");
      check(refusalsOf(session, id).includes("BUDGET_EXHAUSTED"), "nothing was refused with BUDGET_EXHAUSTED");
    },
  },
  {
    requirement: "arcp-9.6-decrement",
    section: "9.6",
    level: "MUST",
    title: "a cost lowers the counter of its own currency, and no other",
    features: ["cost.budget"],
    agents: ["acts"],
    async run(bench) {
      const steps = [spend(5, "EUR"), spend(5, "conformance"), TOOL, spend(1), TOOL];
      const { session, id } = await act(bench, steps, { ...TOOLS, "cost.budget": ["USD:1.00"] });
      checkEqual(carriedOut(session, id), 1, "the number of calls that were carried out");
    },
  },
  {
    requirement: "arcp-9.6-negative-rejected",
    section: "9.6",
    level: "MUST",
    title: "a negative cost gives nothing back",
    features: ["cost.budget"],
    agents: ["acts"],
    async run(bench) {
      const steps = [spend(-5), spend(1), TOOL];
      const { session, id } = await act(bench, steps, { ...TOOLS, "cost.budget": ["USD:1.00"] });
      checkEqual(carriedOut(session, id), 0, "the number of calls that were carried out");
    },
  },
  {
    requirement: "arcp-9.6-tool-result-form",
    section: "9.6",
    level: "SHOULD",
    title: "an exhausted budget is a failed tool_result, and the job goes on",
    features: ["cost.budget"],
    agents: ["acts"],
    async run(bench) {
      const { session, id, end } = await act(bench, [spend(1), TOOL], { ...TOOLS, "cost.budget": ["USD:1.00"] });
      const codes = bodiesOf(session, id, "tool_result").map(({ error }) => (error as JsonObject | undefined)?.code);
      checkEqual(codes, ["BUDGET_EXHAUSTED"], "the codes of its tool results");
      checkEqual(end.final_status, "success", "the final status");
    },
  },
  {
    requirement: "arcp-9.7-model-refused",
    section: "9.7",
    level: "MUST",
    title: "a model that no pattern of the lease matches is refused, and one that some pattern matches is not",
    features: ["model.use"],
    agents: ["acts"],
    async run(bench) {
      const steps = [{ model: "conformance/small" }, { model: "elsewhere/small" }];
      const { session, id } = await act(bench, steps, { "model.use": ["conformance/*"] });
      checkEqual(refusalsOf(session, id), ["PERMISSION_DENIED"], "what was refused");
    },
  },
];

function actBeyondExpiry(bench: Bench): Promise<Acted> {
  const expires_at = new Date(bench.target.world.clock.now() + LEASE_MS).toISOString();
  const steps = [TOOL, { wait: LEASE_MS + AFTER_MS / 2 }, TOOL, { wait: AFTER_MS }];
  return act(bench, steps, TOOLS, { lease_constraints: { expires_at } });
}
