/** Submission, idempotency and agents' versions (§7.1, §7.2, §7.5), and traces (§11). */
import type { JsonObject } from "../../protocol/fields.ts";
import type { Bench } from "../bench.ts";
import type { ConformanceCase } from "../case.ts";
import { type Frame, jobOf } from "../frame.ts";
import { isRefusal, type Session, shownRefusal } from "../session.ts";
import { check, checkEqual, NotReached, prepare } from "../verdict.ts";
import { findListed } from "./listing.ts";

const TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736";
const PIPELINED = 6;

interface AgentListing {
  readonly name: string;
  readonly versions: readonly string[];
  readonly default: string | undefined;
}

/** The inventory's entry for an agent. @throws NotReached when there is none in the draft's form. */
function listingOf(session: Session, name: string): AgentListing {
  const { agents } = (session.welcome.payload.capabilities ?? {}) as { agents?: readonly Partial<AgentListing>[] };
  const found = Array.isArray(agents) ? agents.find((agent) => agent?.name === name) : undefined;
  if (found === undefined || !Array.isArray(found.versions)) throw new NotReached(`the welcome does not list ${name}`);
  return { name, versions: found.versions, default: found.default };
}

function accepted(frame: Frame): JsonObject {
  check(frame.type === "job.accepted", () => `it was refused: ${shownRefusal(frame)}`);
  return frame.payload;
}

/** An acceptance without what belongs to the request. */
function promised({ payload }: Frame): JsonObject {
  const { request_id: _, credentials: __, ...rest } = payload;
  return rest;
}

async function submitTwice(bench: Bench, first: Session, second: Session): Promise<readonly [Frame, Frame]> {
  const key = { idempotency_key: bench.unique() };
  const agent = bench.agent("echo");
  const original = await first.submit(agent, { key }, key);
  accepted(original);
  return [original, await second.submit(agent, { key }, key)];
}

export const SUBMISSION_CASES: readonly ConformanceCase[] = [
  {
    requirement: "arcp-7.1-accepted",
    section: "7.1",
    level: "MUST",
    title: "a submission is answered by job.accepted with a job_id, the lease and the time",
    agents: ["echo"],
    async run(bench) {
      const session = await bench.open();
      const payload = accepted(await session.submit(bench.agent("echo"), 1));
      check(typeof payload.job_id === "string" && payload.job_id !== "", "it has no job_id");
      check(typeof payload.lease === "object" && payload.lease !== null, "it has no lease");
      check(Number.isFinite(Date.parse(String(payload.accepted_at))), "accepted_at is no time");
    },
  },
  {
    requirement: "arcp-7.1-accepted-echoes",
    section: "7.1",
    level: "MUST",
    title: "the acceptance echoes lease, constraints and the initial budget",
    features: ["cost.budget", "lease_expires_at"],
    agents: ["echo"],
    async run(bench) {
      const session = await bench.open();
      const expires_at = new Date(bench.target.world.clock.now() + 3_600_000).toISOString();
      const lease_request = { "fs.read": ["/workspace/**"], "cost.budget": ["USD:5.00"] };
      const payload = accepted(
        await session.submit(bench.agent("echo"), 1, { lease_request, lease_constraints: { expires_at } }),
      );
      checkEqual((payload.lease as JsonObject | undefined)?.["fs.read"], lease_request["fs.read"], "lease fs.read");
      const echoed = (payload.lease_constraints as JsonObject | undefined)?.expires_at;
      checkEqual(Date.parse(String(echoed)), Date.parse(expires_at), "lease_constraints.expires_at");
      checkEqual((payload.budget as JsonObject | undefined)?.USD, 5, "budget.USD");
    },
  },
  {
    requirement: "arcp-7.1-no-constraints-no-expiry",
    section: "7.1",
    level: "MUST",
    title: "a lease without constraints has no expiry",
    agents: ["echo"],
    async run(bench) {
      const session = await bench.open();
      const lease_request = { "fs.read": ["/workspace/**"] };
      const payload = accepted(await session.submit(bench.agent("echo"), 1, { lease_request }));
      const constraints = (payload.lease_constraints ?? {}) as JsonObject;
      checkEqual(constraints.expires_at ?? null, null, "lease_constraints.expires_at");
    },
  },
  {
    requirement: "arcp-9.5-invalid-refused",
    section: "9.5",
    level: "MUST",
    title: "an expires_at that is past or invalid is refused with INVALID_REQUEST",
    features: ["lease_expires_at"],
    agents: ["echo"],
    async run(bench) {
      const session = await bench.open();
      for (const expires_at of ["2020-01-01T00:00:00Z", "soon"]) {
        const payload = { agent: bench.agent("echo"), input: 1, lease_constraints: { expires_at } };
        await session.refused("job.submit", payload, ["INVALID_REQUEST"]);
      }
    },
  },
  {
    requirement: "reading-correlation",
    section: "5",
    level: "READING",
    title: "answers carry the request's id as payload.request_id",
    agents: ["echo"],
    async run(bench) {
      const session = await bench.open();
      const good = session.send("job.submit", { agent: bench.agent("echo"), input: 1 });
      const answer = await session.peer.expect("job.accepted", ({ type }) => type === "job.accepted");
      checkEqual(answer.payload.request_id, good, "request_id of job.accepted");
      const bad = session.send("job.submit", { agent: bench.unique(), input: 1 });
      const refusal = await session.peer.expect("a refusal", isRefusal);
      checkEqual(refusal.payload.request_id, bad, "request_id of the refusal");
    },
  },
  {
    requirement: "reading-reply-order",
    section: "7.1",
    level: "READING",
    title: "answers to submissions leave in the order of the requests",
    agents: ["echo"],
    async run(bench) {
      const session = await bench.open();
      const asked: string[] = [];
      for (let request = 0; request < PIPELINED; request++) {
        const agent = request % 2 === 0 ? bench.agent("echo") : "conformance-no-such-agent";
        asked.push(session.send("job.submit", { agent, input: request }));
      }
      const answers = (): readonly Frame[] =>
        session.frames.filter((frame) => frame.type === "job.accepted" || isRefusal(frame));
      await session.peer.until("every answer", () => (answers().length >= PIPELINED ? true : undefined));
      // Without request ids, answers in order are taken for acceptance and refusal in turn.
      const named = answers().every(({ payload }) => typeof payload.request_id === "string");
      const order = answers().map((answer) => (named ? answer.payload.request_id : isRefusal(answer)));
      checkEqual(order, named ? asked : asked.map((_, index) => index % 2 === 1), "the order of the answers");
    },
  },
  {
    requirement: "arcp-7.2-same-acceptance",
    section: "7.2",
    level: "MUST",
    title: "the same key and parameters get the same acceptance",
    agents: ["echo"],
    async run(bench) {
      const session = await bench.open();
      const [original, repeated] = await submitTwice(bench, session, session);
      checkEqual(promised(repeated), promised(original), "the second answer");
    },
  },
  {
    requirement: "reading-reattach-other-session",
    section: "7.2",
    level: "READING",
    title: "the same key in another session of the principal re-attaches to the job, with its history",
    agents: ["echo"],
    async run(bench) {
      const other = await bench.open();
      const [original, repeated] = await submitTwice(bench, await bench.open(), other);
      checkEqual(jobOf(repeated), jobOf(original), "the job");
      await other.terminal(String(jobOf(original)));
    },
  },
  {
    requirement: "reading-idempotency-scope",
    section: "7.2",
    level: "READING",
    title: "a key submitted from two sessions at once makes one job",
    agents: ["echo"],
    async run(bench) {
      const sessions = [await bench.open(), await bench.open()];
      const key = { idempotency_key: bench.unique() };
      const answers = await Promise.all(sessions.map((session) => session.submit(bench.agent("echo"), 1, key)));
      for (const answer of answers) accepted(answer);
      checkEqual(new Set(answers.map(jobOf)).size, 1, "the number of jobs");
    },
  },
  {
    requirement: "arcp-7.2-duplicate-key",
    section: "7.2",
    level: "MUST",
    title: "a key used again with other parameters is refused with DUPLICATE_KEY",
    agents: ["echo"],
    async run(bench) {
      const session = await bench.open();
      const key = { idempotency_key: bench.unique() };
      const agent = bench.agent("echo");
      accepted(await session.submit(agent, { of: "the first" }, key));
      await session.refused("job.submit", { agent, input: { of: "the second" }, ...key }, ["DUPLICATE_KEY"]);
    },
  },
  {
    requirement: "arcp-7.5-grammar",
    section: "7.5",
    level: "MUST",
    title: "an agent that is not named in the draft's alphabet is refused",
    async run(bench) {
      const session = await bench.open();
      for (const agent of ["", "UPPER", "a b", "-a", "a@", "@1.0.0"]) {
        const answer = await session.submit(agent, 1);
        check(isRefusal(answer), `"${agent}" was accepted`);
      }
    },
  },
  {
    requirement: "arcp-7.5-default-version",
    section: "7.5",
    level: "MUST",
    title: "a bare name resolves to the default version of the welcome",
    features: ["agent_versions"],
    agents: ["echo"],
    async run(bench) {
      const session = await bench.open();
      const { name, default: version } = listingOf(session, bench.agent("echo"));
      if (version === undefined) throw new NotReached("the welcome names no default version");
      const payload = accepted(await session.submit(name, 1));
      checkEqual(payload.agent, `${name}@${version}`, "the agent of the acceptance");
    },
  },
  {
    requirement: "arcp-7.5-exact-version",
    section: "7.5",
    level: "MUST",
    title: "a version that is named is the one that runs",
    features: ["agent_versions"],
    agents: ["echo"],
    async run(bench) {
      const session = await bench.open();
      const { name, versions } = listingOf(session, bench.agent("echo"));
      for (const version of versions) {
        const payload = accepted(await session.submit(`${name}@${version}`, 1));
        checkEqual(payload.agent, `${name}@${version}`, "the agent of the acceptance");
      }
    },
  },
  {
    requirement: "arcp-7.5-exact-version",
    section: "7.5",
    level: "MUST",
    title: "a version that is not there is refused with AGENT_VERSION_NOT_AVAILABLE",
    features: ["agent_versions"],
    agents: ["echo"],
    async run(bench) {
      const session = await bench.open();
      const agent = `${bench.agent("echo")}@99.99.99-conformance`;
      await session.refused("job.submit", { agent, input: 1 }, ["AGENT_VERSION_NOT_AVAILABLE"]);
    },
  },
  {
    requirement: "arcp-7.5-resolved-shown",
    section: "7.5",
    level: "MUST",
    title: "a listing shows the agent with its resolved version",
    features: ["agent_versions", "list_jobs"],
    agents: ["logs"],
    async run(bench) {
      const session = await bench.open();
      const { id } = await session.run(bench.agent("logs"), {});
      const entry = await prepare("listing", () => findListed(session, id));
      if (entry === undefined) throw new NotReached(`job ${id} is not listed`);
      check(/^[^@]+@[^@]+$/.test(String(entry.agent)), `it shows the agent as ${String(entry.agent)}`);
    },
  },
  {
    requirement: "arcp-11-carried",
    section: "11",
    level: "MUST",
    title: "the trace of a submission is the trace of its job",
    agents: ["echo"],
    async run(bench) {
      const session = await bench.open();
      const answer = await session.submit(bench.agent("echo"), 1, {}, { trace_id: TRACE_ID });
      const payload = accepted(answer);
      const carried = String(payload.trace_id ?? answer.trace_id);
      check(carried.includes(TRACE_ID), `the acceptance carries ${carried}, not the trace id that was sent`);
    },
  },
  {
    requirement: "reading-trace-id",
    section: "11",
    level: "READING",
    title: "a traceparent is accepted, and comes back as its 32 hexadecimal digits",
    agents: ["echo"],
    async run(bench) {
      const session = await bench.open();
      const trace_id = `00-${TRACE_ID}-00f067aa0ba902b7-01`;
      const payload = accepted(await session.submit(bench.agent("echo"), 1, {}, { trace_id }));
      checkEqual(payload.trace_id, TRACE_ID, "trace_id");
    },
  },
];
