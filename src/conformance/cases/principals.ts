/** One principal's jobs are not another's (§6.6, §7.6, §14). */
import type { Bench } from "../bench.ts";
import type { ConformanceCase } from "../case.ts";
import { type Frame, jobOf } from "../frame.ts";
import type { JobSeen, Session } from "../session.ts";
import { check, checkEqual, prepare } from "../verdict.ts";

interface Foreign {
  readonly owner: Session;
  readonly stranger: Session;
  readonly job: JobSeen;
}

/** A job under way, and a session of a principal that has nothing to do with it. */
async function foreignJob(bench: Bench): Promise<Foreign> {
  const owner = await bench.open();
  const job = await owner.start(bench.agent("slow"), { ms: 400, every: 20 });
  return { owner, stranger: await bench.openSecond(), job };
}

/** What a refusal says, without the job it is about. */
function saidOf({ type, payload }: Frame, job: string): unknown {
  const { request_id: _, ...said } = payload;
  return JSON.parse(JSON.stringify({ type, said }).replaceAll(job, "JOB"));
}

export const PRINCIPAL_CASES: readonly ConformanceCase[] = [
  {
    requirement: "arcp-6.6-scope",
    section: "6.6",
    level: "MUST",
    title: "a listing does not show another principal's job",
    features: ["list_jobs"],
    agents: ["slow"],
    twoPrincipals: true,
    async run(bench) {
      const { stranger, job } = await foreignJob(bench);
      const { jobs } = (await prepare("listing", () => stranger.list({ limit: 100 }))).payload;
      const ids = (Array.isArray(jobs) ? jobs : []).map(({ job_id }) => job_id);
      check(!ids.includes(job.id), "it does");
    },
  },
  {
    requirement: "arcp-7.6-verify-principal",
    section: "7.6",
    level: "MUST",
    title: "subscribing to another principal's job is refused, and none of its events come",
    features: ["subscribe"],
    agents: ["slow"],
    twoPrincipals: true,
    async run(bench) {
      const { owner, stranger, job } = await foreignJob(bench);
      await stranger.refused("job.subscribe", { job_id: job.id }, ["PERMISSION_DENIED", "JOB_NOT_FOUND"]);
      await owner.finish(job.id);
      await stranger.settled();
      checkEqual(stranger.stream(job.id).length, 0, "the number of its events that came");
    },
  },
  {
    requirement: "arcp-6.6-no-leak",
    section: "6.6",
    level: "MUST",
    title: "a foreign job and one that does not exist get the same answers",
    features: ["subscribe"],
    agents: ["slow"],
    twoPrincipals: true,
    async run(bench) {
      const { stranger, job } = await foreignJob(bench);
      const unknown = job.id.slice(0, -4) + (job.id.endsWith("0000") ? "1111" : "0000");
      for (const ask of [(id: string) => stranger.subscribe(id), (id: string) => stranger.cancel(id)]) {
        checkEqual(
          saidOf(await ask(job.id), job.id),
          saidOf(await ask(unknown), unknown),
          "the answer for a foreign job",
        );
      }
    },
  },
  {
    requirement: "law-principals-apart",
    section: "6.6",
    level: "LAW",
    title: "a stranger cannot cancel a job",
    agents: ["slow"],
    twoPrincipals: true,
    async run(bench) {
      const { owner, stranger, job } = await foreignJob(bench);
      stranger.send("job.cancel", { job_id: job.id, reason: "mine" }, { job_id: job.id });
      await stranger.settled();
      check(!stranger.frames.some(({ type }) => type === "job.cancelled"), "its cancel was acknowledged");
      const terminal = await owner.finish(job.id);
      checkEqual(terminal.payload.final_status, "success", "the job's final status");
    },
  },
  {
    requirement: "reading-idempotency-scope",
    section: "7.2",
    level: "READING",
    title: "an idempotency key of one principal is nothing to another",
    agents: ["echo"],
    twoPrincipals: true,
    async run(bench) {
      const key = { idempotency_key: bench.unique() };
      const first = await (await bench.open()).start(bench.agent("echo"), 1, key);
      const answer = await (await bench.openSecond()).submit(bench.agent("echo"), 2, key);
      checkEqual(answer.type, "job.accepted", "the answer to the second principal");
      check(jobOf(answer) !== first.id, "both principals got the same job");
    },
  },
  {
    requirement: "reading-resume-authenticates",
    section: "6.3",
    level: "READING",
    title: "another principal cannot resume a session, even with its resume token",
    twoPrincipals: true,
    async run(bench) {
      const session = await bench.open();
      const { answer } = await bench.askResume({ session, after: 0, token: bench.target.secondToken as string });
      check(answer.type === "session.error", "the session was resumed all the same");
    },
  },
];
