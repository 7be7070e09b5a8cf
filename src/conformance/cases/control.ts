/** How jobs end (§7.3), and cancelling them (§7.4). */
import type { ConformanceCase } from "../case.ts";
import { isTerminal, jobOf } from "../frame.ts";
import { checkEqual, prepare } from "../verdict.ts";

export const CONTROL_CASES: readonly ConformanceCase[] = [
  {
    requirement: "arcp-7.3-terminal-states",
    section: "7.3",
    level: "MUST",
    title: "a job that succeeds ends with a job.result whose final status is success",
    agents: ["echo"],
    async run(bench) {
      const session = await bench.open();
      const { id } = await session.start(bench.agent("echo"), 1);
      const terminal = await session.terminal(id);
      checkEqual([terminal.type, terminal.payload.final_status], ["job.result", "success"], "the end");
    },
  },
  {
    requirement: "arcp-7.3-terminal-states",
    section: "7.3",
    level: "MUST",
    title: "a job that fails ends with a job.error whose final status is error",
    agents: ["fail"],
    async run(bench) {
      const session = await bench.open();
      const { id } = await session.start(bench.agent("fail"), {});
      const terminal = await session.terminal(id);
      checkEqual([terminal.type, terminal.payload.final_status], ["job.error", "error"], "the end");
    },
  },
  {
    requirement: "arcp-7.3-one-terminal",
    section: "7.3",
    level: "MUST",
    title: "a job ends once, and nothing of it comes after its end",
    agents: ["logs", "slow"],
    async run(bench) {
      const session = await bench.open();
      const { id } = await session.run(bench.agent("logs"), {});
      const stopped = await session.start(bench.agent("slow"), {});
      await prepare("cancelling", () => session.cancel(stopped.id));
      await session.finish(stopped.id);
      await session.settled();
      for (const job of [id, stopped.id]) {
        const ends = session.stream(job).map(isTerminal);
        checkEqual(ends.indexOf(true), ends.length - 1, "the place of the first end in the stream of its job");
      }
    },
  },
  {
    requirement: "arcp-12-timeout",
    section: "12",
    level: "MUST",
    title: "a job that runs past max_runtime_sec ends with TIMEOUT and the final status timed_out",
    agents: ["slow"],
    async run(bench) {
      const session = await bench.open();
      const { id } = await session.start(bench.agent("slow"), {}, { max_runtime_sec: 1 });
      const { type, payload } = await session.terminal(id);
      checkEqual([type, payload.code, payload.final_status], ["job.error", "TIMEOUT", "timed_out"], "the end");
    },
  },
  {
    requirement: "arcp-7.4-cancelled-then-error",
    section: "7.4",
    level: "MUST",
    title: "a cancel is acknowledged with job.cancelled, and the job ends as cancelled",
    agents: ["slow"],
    async run(bench) {
      const session = await bench.open();
      const { id } = await session.start(bench.agent("slow"), {});
      const answer = await session.cancel(id);
      checkEqual(answer.type, "job.cancelled", "the answer");
      const { type, payload } = await session.terminal(id);
      checkEqual([type, payload.code, payload.final_status], ["job.error", "CANCELLED", "cancelled"], "the end");
    },
  },
  {
    requirement: "reading-cancel-placements",
    section: "7.4",
    level: "READING",
    title: "a cancel names its job in the envelope or in the payload",
    agents: ["slow"],
    async run(bench) {
      const session = await bench.open();
      for (const inEnvelope of [true, false]) {
        const { id } = await session.start(bench.agent("slow"), {});
        const named = { job_id: id };
        const answer = await session.ask(
          "job.cancel",
          inEnvelope ? {} : named,
          "job.cancelled",
          inEnvelope ? named : {},
        );
        checkEqual([answer.type, jobOf(answer)], ["job.cancelled", id], "the answer");
      }
    },
  },
  {
    requirement: "reading-cancel-repeated",
    section: "7.4",
    level: "READING",
    title: "a cancel of a job that has ended is answered with its final status",
    agents: ["echo"],
    async run(bench) {
      const session = await bench.open();
      const { id } = await session.run(bench.agent("echo"), 1);
      const answer = await session.cancel(id);
      checkEqual([answer.type, answer.payload.final_status], ["job.cancelled", "success"], "the answer");
    },
  },
  {
    requirement: "arcp-12-job-not-found",
    section: "12",
    level: "MUST",
    title: "cancelling a job that does not exist is refused with JOB_NOT_FOUND",
    async run(bench) {
      const session = await bench.open();
      const job_id = `job_${bench.unique()}`;
      await session.refused("job.cancel", { job_id, reason: "conformance" }, ["JOB_NOT_FOUND"], { job_id });
    },
  },
  {
    requirement: "arcp-12-lease-expired",
    section: "12",
    level: "MUST",
    title: "a job that outlives its lease ends with LEASE_EXPIRED, if the runtime ends it",
    features: ["lease_expires_at"],
    agents: ["slow"],
    async run(bench) {
      const session = await bench.open();
      const expires_at = new Date(bench.target.world.clock.now() + 1_000).toISOString();
      const { id } = await session.start(bench.agent("slow"), { ms: 3_500 }, { lease_constraints: { expires_at } });
      const { type, payload } = await session.terminal(id);
      if (type === "job.result") return;
      checkEqual([payload.code, payload.final_status], ["LEASE_EXPIRED", "error"], "the end");
    },
  },
];
