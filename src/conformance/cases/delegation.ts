/** Delegating to other agents under part of a lease (§9.4, §10). */
import type { JsonObject } from "../../protocol/fields.ts";
import type { Bench, Greeting } from "../bench.ts";
import type { ConformanceCase } from "../case.ts";
import { jobOf } from "../frame.ts";
import { bodiesOf, refusalsOf } from "../outcomes.ts";
import type { Session } from "../session.ts";
import { check, checkEqual } from "../verdict.ts";

const HOUR_MS = 3_600_000;
const LEASE = { "agent.delegate": ["*"], "tool.call": ["conformance"] };
const EMPTY: JsonObject = {};

interface Delegated {
  readonly session: Session;
  readonly id: string;
  readonly end: JsonObject;
  /** Bodies of its `delegate` events. */
  readonly told: readonly JsonObject[];
}

interface Asked {
  /** Of the job that delegates. */
  readonly lease?: JsonObject;
  readonly expires_at?: string;
  /** Of its child. */
  readonly child?: JsonObject;
  readonly greeting?: Greeting;
}

/** Runs the agent that delegates to the one that echoes, as a preparation. */
async function delegate(
  bench: Bench,
  { lease = LEASE, expires_at, child = EMPTY, greeting }: Asked,
): Promise<Delegated> {
  const session = await bench.open(greeting);
  const input = { agent: bench.agent("echo"), input: "conformance", ...child };
  const constraints = expires_at === undefined ? {} : { lease_constraints: { expires_at } };
  const { id } = await session.start(bench.agent("delegates"), input, { lease_request: lease, ...constraints });
  const end = await session.finish(id);
  return { session, id, end: end.payload, told: bodiesOf(session, id, "delegate") };
}

/** @throws Unmet unless the delegation was refused as wider than the lease it comes from. */
function checkViolation({ session, id, told }: Delegated): void {
  checkEqual(told.length, 0, "the number of delegations");
  check(refusalsOf(session, id).includes("LEASE_SUBSET_VIOLATION"), "nothing was refused with LEASE_SUBSET_VIOLATION");
}

const timeIn = (bench: Bench, ms: number): string => new Date(bench.target.world.clock.now() + ms).toISOString();

export const DELEGATION_CASES: readonly ConformanceCase[] = [
  {
    requirement: "arcp-10-delegate-event",
    section: "10",
    level: "MUST",
    title: "a delegation is a delegate event of the job that delegates",
    agents: ["echo", "delegates"],
    async run(bench) {
      const { told, end } = await delegate(bench, {});
      checkEqual(told.length, 1, "the number of delegate events");
      checkEqual(end.final_status, "success", "the final status of the job that delegates");
    },
  },
  {
    requirement: "reading-delegation",
    section: "10",
    level: "READING",
    title: "a delegate event names the child, which can be subscribed to",
    features: ["subscribe"],
    agents: ["echo", "delegates"],
    async run(bench) {
      const { session, id, told } = await delegate(bench, {});
      const child = told[0]?.child_job_id;
      check(typeof child === "string", "the delegate event has no child_job_id");
      const answer = await session.subscribe(child, { history: true, from_event_seq: 0 });
      checkEqual(answer.type, "job.subscribed", "the answer to a subscription to the child");
      checkEqual(answer.payload.parent_job_id, id, "parent_job_id");
      await session.terminal(child);
    },
  },
  {
    requirement: "reading-delegation",
    section: "10",
    level: "READING",
    title: "with x-leasehold.delegation the child's acceptance and events follow the delegate event, in one sequence",
    features: ["x-leasehold.delegation"],
    agents: ["echo", "delegates"],
    async run(bench) {
      const features = [...bench.allFeatures, "x-leasehold.delegation"];
      const { session, id, told } = await delegate(bench, { greeting: { features } });
      const child = String(told[0]?.child_job_id);
      const placed = session.frames.filter(({ event_seq }) => typeof event_seq === "number");
      checkEqual(
        placed.map(({ event_seq }) => event_seq),
        placed.map((_, index) => index + 1),
        "the sequence",
      );
      const accepted = placed.findIndex((frame) => frame.type === "job.accepted" && jobOf(frame) === child);
      check(accepted > 0, "the child's acceptance has no place in the stream");
      checkEqual(placed[accepted - 1]?.payload.kind, "delegate", "what comes before it");
      const { parent_job_id, delegate_id } = placed[accepted]?.payload ?? {};
      checkEqual([parent_job_id, delegate_id], [id, told[0]?.delegate_id], "parent_job_id and delegate_id");
      await session.terminal(child);
    },
  },
  {
    requirement: "arcp-9.4-violation",
    section: "9.4",
    level: "MUST",
    title: "a delegation that would widen the lease is refused with LEASE_SUBSET_VIOLATION",
    agents: ["echo", "delegates"],
    async run(bench) {
      checkViolation(await delegate(bench, { child: { lease: { "tool.call": ["*"] } } }));
    },
  },
  {
    requirement: "arcp-9.4-subset",
    section: "9.4",
    level: "MUST",
    title: "a delegation cannot grant what the lease does not name",
    agents: ["echo", "delegates"],
    async run(bench) {
      checkViolation(await delegate(bench, { child: { lease: { "fs.read": ["/conformance/**"] } } }));
    },
  },
  {
    requirement: "arcp-9.4-budget-within-remaining",
    section: "9.4",
    level: "MUST",
    title: "a delegated budget beyond what remains is refused, and one within it is not",
    features: ["cost.budget"],
    agents: ["echo", "delegates"],
    async run(bench) {
      const lease = { ...LEASE, "cost.budget": ["USD:1.00"] };
      checkViolation(await delegate(bench, { lease, child: { lease: { "cost.budget": ["USD:1.01"] } } }));
      const { told } = await delegate(bench, { lease, child: { lease: { "cost.budget": ["USD:1.00"] } } });
      checkEqual(told.length, 1, "the number of delegations within the budget");
    },
  },
  {
    requirement: "arcp-9.4-expiry-within-parent",
    section: "9.4",
    level: "MUST",
    title: "a delegated lease that would expire after the one it comes from is refused",
    features: ["lease_expires_at"],
    agents: ["echo", "delegates"],
    async run(bench) {
      const child = { expires_at: timeIn(bench, 2 * HOUR_MS) };
      checkViolation(await delegate(bench, { expires_at: timeIn(bench, HOUR_MS), child }));
    },
  },
  {
    requirement: "arcp-9.4-models-within-parent",
    section: "9.4",
    level: "MUST",
    title: "a delegated lease permits no model that the one it comes from does not",
    features: ["model.use"],
    agents: ["echo", "delegates"],
    async run(bench) {
      const lease = { ...LEASE, "model.use": ["conformance/*"] };
      checkViolation(await delegate(bench, { lease, child: { lease: { "model.use": ["*/small"] } } }));
    },
  },
  {
    requirement: "reading-subset-equality",
    section: "9.4",
    level: "READING",
    title: "a delegated lease may equal the one it comes from",
    agents: ["echo", "delegates"],
    async run(bench) {
      const { told } = await delegate(bench, { child: { lease: LEASE } });
      checkEqual(told.length, 1, "the number of delegations");
    },
  },
  {
    requirement: "reading-delegation-refused",
    section: "10",
    level: "READING",
    title: "a refused delegation is a failed tool_result, and the job goes on",
    agents: ["echo", "delegates"],
    async run(bench) {
      const { session, id, end } = await delegate(bench, { child: { lease: { "tool.call": ["*"] } } });
      const errors = bodiesOf(session, id, "tool_result").map(({ error }) => (error as JsonObject | undefined)?.code);
      checkEqual(errors, ["LEASE_SUBSET_VIOLATION"], "the codes of its tool results");
      checkEqual(end.final_status, "success", "the final status");
    },
  },
];
