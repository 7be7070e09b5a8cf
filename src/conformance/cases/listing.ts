/** `session.list_jobs` (§6.6). */
import type { JsonObject } from "../../protocol/fields.ts";
import type { ConformanceCase } from "../case.ts";
import type { Frame } from "../frame.ts";
import { type Session, shownRefusal } from "../session.ts";
import { check, checkEqual, prepare } from "../verdict.ts";

const STATUSES: ReadonlySet<unknown> = new Set(["pending", "running", "success", "error", "cancelled", "timed_out"]);
/** Pages looked through at most: the principal may have many jobs on a runtime in use. */
const MOST_PAGES = 50;
/** After every job the suite makes. */
const FAR_FUTURE = "2199-01-01T00:00:00Z";

function jobsOf(listing: Frame): readonly JsonObject[] {
  const { jobs } = listing.payload;
  check(Array.isArray(jobs), () => `session.list_jobs was answered without jobs: ${shownRefusal(listing)}`);
  return jobs as readonly JsonObject[];
}

async function idsOf(session: Session, payload: JsonObject): Promise<readonly unknown[]> {
  return jobsOf(await session.list(payload)).map(({ job_id }) => job_id);
}

/** Where the listing shows this job; newest first is usual, but the draft does not ask for it. */
export async function findListed(session: Session, job: string): Promise<JsonObject | undefined> {
  let cursor: unknown = null;
  for (let page = 0; page < MOST_PAGES; page++) {
    const listing = await session.list({ limit: 100, cursor });
    const found = jobsOf(listing).find(({ job_id }) => job_id === job);
    if (found !== undefined) return found;
    cursor = listing.payload.next_cursor;
    if (typeof cursor !== "string") return undefined;
  }
  return undefined;
}

export const LISTING_CASES: readonly ConformanceCase[] = [
  {
    requirement: "arcp-6.6-answers-request",
    section: "6.6",
    level: "MUST",
    title: "a listing is answered by session.jobs with the request's id",
    features: ["list_jobs"],
    async run(bench) {
      const session = await bench.open();
      const id = session.send("session.list_jobs", { limit: 1 });
      const answer = await session.peer.expect("session.jobs", ({ type }) => type === "session.jobs");
      checkEqual(answer.payload.request_id, id, "request_id");
      jobsOf(answer);
    },
  },
  {
    requirement: "arcp-6.6-lists-own",
    section: "6.6",
    level: "MUST",
    title: "a listing shows a job of the principal, also one of another session",
    features: ["list_jobs"],
    agents: ["logs"],
    async run(bench) {
      const submitter = await bench.open();
      const { id } = await submitter.run(bench.agent("logs"), {});
      for (const session of [submitter, await bench.open()]) {
        check((await findListed(session, id)) !== undefined, `job ${id} is not listed`);
      }
    },
  },
  {
    requirement: "arcp-6.6-entry-contents",
    section: "6.6",
    level: "MUST",
    title: "an entry names the job, its agent, status, lease, time and last event_seq",
    features: ["list_jobs"],
    agents: ["logs"],
    async run(bench) {
      const session = await bench.open();
      const { id } = await session.run(bench.agent("logs"), {});
      const entry = await prepare("listing", () => findListed(session, id));
      check(entry !== undefined, `job ${id} is not listed`);
      check(typeof entry.agent === "string", "agent is no string");
      check(STATUSES.has(entry.status), `status is ${String(entry.status)}`);
      check(typeof entry.lease === "object" && entry.lease !== null, "lease is no object");
      check(Number.isFinite(Date.parse(String(entry.created_at))), "created_at is no time");
      check(typeof entry.last_event_seq === "number", "last_event_seq is no number");
    },
  },
  {
    requirement: "arcp-6.6-filters-optional",
    section: "6.6",
    level: "MUST",
    title: "every field of the filter may be left out",
    features: ["list_jobs"],
    async run(bench) {
      const session = await bench.open();
      const filters: JsonObject[] = [
        {},
        { status: ["running"] },
        { agent: bench.agent("echo") },
        { created_after: "2026-01-01T00:00:00Z" },
      ];
      for (const payload of [{}, ...filters.map((filter) => ({ filter }))]) jobsOf(await session.list(payload));
    },
  },
  {
    requirement: "arcp-6.6-filter-applies",
    section: "6.6",
    level: "MUST",
    title: "a filter by status, agent or time leaves out what does not match",
    features: ["list_jobs"],
    agents: ["logs", "echo"],
    async run(bench) {
      const session = await bench.open();
      const { id } = await session.run(bench.agent("logs"), {});
      const wanted = { status: ["success"], agent: bench.agent("logs") };
      check((await idsOf(session, { filter: wanted })).includes(id), "a filter that matches the job leaves it out");
      for (const filter of [
        { ...wanted, status: ["running", "pending"] },
        { ...wanted, agent: bench.agent("echo") },
        { ...wanted, created_after: FAR_FUTURE },
      ]) {
        const found = await idsOf(session, { filter });
        check(!found.includes(id), `a filter that does not match lists the job: ${JSON.stringify(filter)}`);
      }
    },
  },
  {
    requirement: "arcp-6.6-cursor",
    section: "6.6",
    level: "MUST",
    title: "next_cursor leads to the rest of the listing, without repeats",
    features: ["list_jobs"],
    agents: ["echo"],
    async run(bench) {
      const session = await bench.open();
      for (let job = 0; job < 3; job++) await session.run(bench.agent("echo"), job);
      const seen: unknown[] = [];
      let cursor: unknown = null;
      for (let page = 0; page < 3; page++) {
        const listing = await session.list({ limit: 1, cursor });
        const ids = jobsOf(listing).map(({ job_id }) => job_id);
        check(ids.length === 1, `a page of 1 holds ${ids.length} jobs`);
        seen.push(...ids);
        cursor = listing.payload.next_cursor;
        if (page < 2) check(typeof cursor === "string", "there is no next_cursor, though there are more jobs");
      }
      checkEqual(new Set(seen).size, 3, "the number of different jobs on three pages of 1");
    },
  },
  {
    requirement: "arcp-6.6-no-subscription",
    section: "6.6",
    level: "MUST",
    title: "listing a job does not make its events come",
    features: ["list_jobs"],
    agents: ["slow"],
    async run(bench) {
      const submitter = await bench.open();
      const { id } = await submitter.start(bench.agent("slow"), { ms: 200, every: 20 });
      const session = await bench.open();
      await prepare("listing", () => session.list({ limit: 10 }));
      await submitter.finish(id);
      await session.settled();
      checkEqual(session.stream(id).length, 0, "the number of its events that came");
    },
  },
  {
    requirement: "reading-list-filter",
    section: "6.6",
    level: "READING",
    title: "a filter may stand flat in the payload",
    features: ["list_jobs"],
    agents: ["logs", "echo"],
    async run(bench) {
      const session = await bench.open();
      const { id } = await session.run(bench.agent("logs"), {});
      check((await idsOf(session, { agent: bench.agent("logs") })).includes(id), "a flat filter leaves out its match");
      check(!(await idsOf(session, { agent: bench.agent("echo") })).includes(id), "a flat filter is ignored");
    },
  },
];
