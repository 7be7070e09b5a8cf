/** Codes of errors and whether a retry helps (§12). */
import type { Bench } from "../bench.ts";
import type { ConformanceCase } from "../case.ts";
import { type Frame, isTerminal } from "../frame.ts";
import { isRefusal } from "../session.ts";
import { check, checkEqual, NotReached } from "../verdict.ts";

/** Refusals of several kinds, from one session. */
async function refusals(bench: Bench): Promise<readonly Frame[]> {
  const session = await bench.open();
  const answers = [
    await session.ask("job.submit", { agent: "conformance-no-such-agent", input: 1 }, "job.accepted"),
    await session.ask("job.submit", { input: 1 }, "job.accepted"),
    await session.cancel(`job_${bench.unique()}`),
  ];
  return answers.filter(isRefusal);
}

export const ERROR_CASES: readonly ConformanceCase[] = [
  {
    requirement: "arcp-12-retryable-present",
    section: "12",
    level: "MUST",
    title: "every error carries a code and a retryable boolean",
    async run(bench) {
      const errors = await refusals(bench);
      if (errors.length === 0) throw new NotReached("nothing was refused");
      for (const { payload } of errors) {
        check(typeof payload.code === "string", "an error has no code");
        check(typeof payload.retryable === "boolean", `${payload.code} has no retryable boolean`);
      }
    },
  },
  {
    requirement: "arcp-12-agent-not-available",
    section: "12",
    level: "MUST",
    title: "an agent that is not registered is refused with AGENT_NOT_AVAILABLE",
    async run(bench) {
      const session = await bench.open();
      await session.refused("job.submit", { agent: "conformance-no-such-agent", input: 1 }, ["AGENT_NOT_AVAILABLE"]);
    },
  },
  {
    requirement: "arcp-12-invalid-request",
    section: "12",
    level: "MUST",
    title: "a message that breaks its schema is refused with INVALID_REQUEST",
    async run(bench) {
      const session = await bench.open();
      await session.refused("job.submit", { input: 1 }, ["INVALID_REQUEST"]);
      await session.refused("job.submit", { agent: 7, input: 1 }, ["INVALID_REQUEST"]);
    },
  },
  {
    requirement: "reading-refusal",
    section: "12",
    level: "READING",
    title: "a refusal is a session.error with code, message, retryable and request_id",
    async run(bench) {
      for (const { type, payload } of await refusals(bench)) {
        checkEqual(type, "session.error", "the type");
        const { code, message, retryable, request_id: requestId } = payload;
        const kinds = [typeof code, typeof message, typeof retryable, typeof requestId];
        checkEqual(kinds, ["string", "string", "boolean", "string"], "the types of its fields");
      }
    },
  },
  {
    requirement: "arcp-12-authority-not-retryable",
    section: "12",
    level: "MUST",
    title: "LEASE_EXPIRED says that a retry does not help",
    features: ["lease_expires_at"],
    agents: ["slow"],
    async run(bench) {
      const session = await bench.open();
      const expires_at = new Date(bench.target.world.clock.now() + 500).toISOString();
      const { id } = await session.start(bench.agent("slow"), { ms: 3_000 }, { lease_constraints: { expires_at } });
      const { payload } = await session.finish(id);
      if (payload.code !== "LEASE_EXPIRED") throw new NotReached("the job did not end with LEASE_EXPIRED");
      checkEqual(payload.retryable, false, "retryable");
    },
  },
  {
    requirement: "arcp-12-internal-retryable",
    section: "12",
    level: "MUST",
    title: "INTERNAL_ERROR says that a retry can help",
    agents: ["fail"],
    async run(bench) {
      const session = await bench.open();
      const { id } = await session.run(bench.agent("fail"), {});
      const error = session.stream(id).find((frame) => isTerminal(frame) && frame.type === "job.error");
      if (error?.payload.code !== "INTERNAL_ERROR") throw new NotReached("the job did not end with INTERNAL_ERROR");
      checkEqual(error.payload.retryable, true, "retryable");
    },
  },
];
