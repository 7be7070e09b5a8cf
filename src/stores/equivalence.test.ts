/** The stores are one store: after any sequence of commits, good, refused or rejected, they answer alike. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { expect, it } from "vitest";
import type { JobRecord } from "../kernel/job/job-record.ts";
import type { CommitBatch, CommitOutcome, JobQuery, Store } from "../kernel/ports.ts";
import { aDecision } from "./contract/audit.ts";
import {
  aBudget,
  aChunk,
  aCommand,
  aFollow,
  aHold,
  aJob,
  anArtifact,
  anUpdate,
  aPermission,
  aSegment,
  aSession,
} from "./contract/rows.ts";
import { createMemoryStore } from "./memory/memory-store.ts";
import { openSqliteStore } from "./sqlite/sqlite-store.ts";

const JOBS = ["a", "b", "c", "d"];
const SESSIONS = ["s", "t"];
const PRINCIPALS = ["t/me", "t/you"];
const STATUSES: readonly JobRecord["status"][] = ["pending", "running", "ending", "success", "cancelled"];

const job = fc.constantFrom(...JOBS);
const session = fc.constantFrom(...SESSIONS);
const ARTIFACTS = ["art_1", "art_2", "art_3"];
const PERMISSIONS = JOBS.map((id) => `${id} p`);
const CONTENTS = ["a".repeat(64), "b".repeat(64)];
const status = fc.constantFrom(...STATUSES);

/** What a step of the test does; positions are filled in from what was committed, or are off when `off` says so. */
const step = fc.oneof(
  fc.record({
    type: fc.constant("job" as const),
    id: job,
    root: job,
    status,
    principal: fc.constantFrom(...PRINCIPALS),
    createdAt: fc.nat(9),
  }),
  fc.record({ type: fc.constant("update" as const), id: job, status }),
  fc.record({ type: fc.constant("key" as const), id: job, key: fc.constantFrom("k", "l") }),
  fc.record({ type: fc.constant("chunk" as const), id: job, count: fc.integer({ min: 1, max: 4 }) }),
  fc.record({
    type: fc.constant("step" as const),
    id: job,
    name: fc.constantFrom("one", "two"),
    value: fc.constantFrom("1", null),
  }),
  fc.record({ type: fc.constant("budget" as const), id: job, spent: fc.constantFrom("1", "0.5") }),
  fc.record({
    type: fc.constant("hold" as const),
    id: job,
    hold: fc.constantFrom("h1", "h2", "del"),
    state: fc.constantFrom("open" as const, "settled" as const, "released" as const),
  }),
  fc.record({
    type: fc.constant("permission" as const),
    id: job,
    state: fc.constantFrom("pending" as const, "granted" as const, "denied" as const),
  }),
  fc.record({
    type: fc.constant("artifact" as const),
    id: fc.constantFrom(...ARTIFACTS),
    job,
    size: fc.nat(9),
    content: fc.constantFrom(...CONTENTS),
  }),
  fc.record({
    type: fc.constant("session" as const),
    session,
    newestToken: fc.constantFrom("t1", "t2"),
    createdAt: fc.nat(9),
  }),
  fc.record({
    type: fc.constant("follow" as const),
    session,
    id: job,
    cursor: fc.nat(6),
    mayCancel: fc.boolean(),
    since: fc.nat(12),
  }),
  fc.record({
    type: fc.constant("segment" as const),
    session,
    id: job,
    count: fc.integer({ min: 1, max: 4 }),
    from: fc.integer({ min: 1, max: 9 }),
  }),
  fc.record({ type: fc.constant("release" as const), session, upTo: fc.nat(20) }),
  fc.record({ type: fc.constant("end" as const), session }),
  fc.record({ type: fc.constant("command" as const), id: job, name: fc.constantFrom("x", "y") }),
  fc.record({
    type: fc.constant("audit" as const),
    principal: fc.constantFrom(...PRINCIPALS, "u/me", null),
    owner: fc.constantFrom(...PRINCIPALS, null),
    job: fc.constantFrom(...JOBS, null),
    action: fc.constantFrom("job.cancel" as const, "job.subscribe" as const),
    at: fc.nat(9),
  }),
  fc.record({ type: fc.constant("cutoff" as const), at: fc.nat(9) }),
  fc.record({ type: fc.constant("answer" as const), name: fc.constantFrom("x", "y") }),
);
type Step = typeof step extends fc.Arbitrary<infer Value> ? Value : never;

function endOf(status: JobRecord["status"]): number | null {
  return status === "success" || status === "cancelled" ? 5 : null;
}

const claim = fc.record({ root: job, epoch: fc.integer({ min: 1, max: 2 }) });

const action = fc.oneof(
  {
    weight: 9,
    arbitrary: fc.record({
      type: fc.constant("commit" as const),
      steps: fc.array(step, { maxLength: 3 }),
      claims: fc.oneof(
        { weight: 4, arbitrary: fc.constant([]) },
        { weight: 1, arbitrary: fc.array(claim, { maxLength: 2 }) },
      ),
    }),
  },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("claim" as const), node: fc.constantFrom("n1", "n2") }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("remove" as const), roots: fc.array(job, { maxLength: 2 }) }) },
);

/** A batch of these steps; logs and streams go on from where the memory store has them. */
async function toBatch(store: Store, steps: readonly Step[], claims: CommitBatch["claims"]): Promise<CommitBatch> {
  const heads = new Map(await store.readHeads(JOBS));
  const places = new Map<string, number>();
  const owners = new Map<string, string>();
  for (const each of steps) if (each.type === "job") owners.set(each.id, each.principal);
  for (const id of JOBS) owners.set(id, (await store.readJob(id))?.principal ?? owners.get(id) ?? "t/me");
  for (const id of SESSIONS) places.set(id, (await store.readSession(id))?.head ?? 0);
  const take = (positions: Map<string, number>, id: string, count: number): number => {
    const first = (positions.get(id) ?? 0) + 1;
    positions.set(id, first + count - 1);
    return first;
  };
  const of = <Type extends Step["type"]>(type: Type) =>
    steps.filter((each): each is Extract<Step, { type: Type }> => each.type === type);

  return {
    claims,
    rows: {
      jobs: of("job").map(({ id, root, ...fields }) =>
        aJob(id, {
          root,
          parent: root === id ? null : root,
          status: fields.status,
          endedAt: endOf(fields.status),
          principal: fields.principal,
          createdAt: fields.createdAt,
        }),
      ),
      jobUpdates: of("update").map(({ id, status }) => anUpdate(id, { status, endedAt: endOf(status) })),
      idempotency: of("key").map(({ id, key }) => ({ principal: "t/me", key, digest: "d", job: id })),
      chunks: of("chunk").map(({ id, count }) => aChunk(id, take(heads, id, count), count)),
      steps: of("step").map(({ id, name, value }) => ({ job: id, name, value })),
      artifacts: of("artifact").map(({ id, job: of, size, content }) => anArtifact(id, of, { size, sha256: content })),
      budgets: of("budget").map(({ id, spent }) => aBudget(id, spent)),
      holds: of("hold").map(({ id, hold, state }) => aHold(id, hold, { state })),
      permissions: of("permission").map(({ id, state }) =>
        aPermission(id, `${id} p`, { state, principal: owners.get(id) ?? "t/me" }),
      ),
      sessions: of("session").map(({ type: _, session: id, ...fields }) => aSession(id, fields)),
      follows: of("follow").map(({ session: id, id: followed, cursor, mayCancel, since }) =>
        aFollow(id, followed, cursor, mayCancel, since),
      ),
      segments: of("segment").map(({ session: id, id: placed, count, from }) => {
        const first = take(places, id, count);
        return aSegment(id, first, first + count - 1, placed, from);
      }),
      releases: of("release").map(({ session: id, upTo }) => ({ session: id, upTo })),
      endedSessions: of("end").map(({ session: id }) => id),
      commands: of("command").map(({ id, name }) => aCommand(name, id)),
      audit: of("audit").map(({ type: _, ...fields }) => aDecision(fields)),
      auditCutoffs: of("cutoff").map(({ at }) => at),
      commandOutcomes: of("answer").map(({ name }) => ({ id: name, outcome: "{}" })),
    },
  };
}

/** What every sequence begins with, so that most of its commits find what they name. */
const FIRST: CommitBatch = {
  claims: [],
  rows: {
    jobs: [aJob("a"), aJob("b", { root: "a", parent: "a" }), aJob("c")],
    sessions: [aSession("s"), aSession("t")],
    follows: [aFollow("s", "a", 0)],
  },
};

/** Everything a store can be asked, with what has no order put in one. */
async function allReads(store: Store) {
  const sorted = <Row>(rows: readonly Row[]) =>
    rows.map((row) => JSON.stringify(row, Object.keys(row as object).toSorted())).toSorted();
  // Where a page goes on is each store's own.
  const jobsOf = async (query: JobQuery) => (await store.listJobs(query)).jobs;
  return {
    jobs: await Promise.all(JOBS.map((id) => store.readJob(id))),
    heads: await store.readHeads(JOBS),
    lists: await Promise.all(
      PRINCIPALS.flatMap((principal) => [
        jobsOf({ principals: [principal], limit: 2 }),
        jobsOf({ principals: ["t/*"], limit: 3, status: ["running", "pending"] }),
        jobsOf({ principals: [principal], limit: 9, after: "b" }),
        jobsOf({
          principals: [principal],
          limit: 9,
          status: ["running", "success"],
          createdAfter: 2,
          createdBefore: 7,
          agent: "echo@1.0.0",
        }),
      ]),
    ),
    chunks: await Promise.all(
      JOBS.flatMap((id) => [0, 2, 5].map((after) => store.readChunks({ job: id, after, upTo: after + 4, limit: 3 }))),
    ),
    keys: await Promise.all(["k", "l"].map((key) => store.readIdempotency("t/me", key))),
    steps: await Promise.all(JOBS.map(async (id) => sorted(await store.readSteps(id)))),
    budgets: [...(await store.readBudgets(JOBS)).entries()].toSorted(([one], [other]) => (one < other ? -1 : 1)),
    holds: await Promise.all(JOBS.map((id) => store.readHolds(id))),
    permissions: await Promise.all(PERMISSIONS.map((id) => store.readPermission(id))),
    permissionsOf: await Promise.all(JOBS.map((id) => store.readPermissionsOf(id))),
    listedPermissions: await Promise.all(
      [{}, { states: ["pending"] as const }, { states: ["denied"] as const, job: "a" }].map(
        async (query) => (await store.listPermissions({ principals: ["t/*"], limit: 2, ...query })).permissions,
      ),
    ),
    artifacts: await Promise.all(ARTIFACTS.map((id) => store.readArtifact(id))),
    artifactSums: await Promise.all(JOBS.map((id) => store.sumArtifacts(id))),
    named: [...(await store.findNamedContents(CONTENTS))].toSorted(),
    sessions: await Promise.all(
      SESSIONS.map(async (id) => {
        const found = await store.readSession(id);
        return found === undefined ? undefined : { ...found, follows: sorted(found.follows) };
      }),
    ),
    segments: await Promise.all(SESSIONS.flatMap((id) => [0, 3, 8].map((after) => store.readSegments(id, after, 3)))),
    listed: await store.listSessions(),
    measured: await Promise.all(SESSIONS.map((id) => store.measureSession(id))),
    logBytes: await Promise.all(JOBS.map((id) => store.readLogBytes(id))),
    removable: (await store.findRemovable({ endedBefore: Number.MAX_SAFE_INTEGER, limit: 9 })).roots,
    commands: await Promise.all([store.readCommands("n1"), store.readCommands("n2")]),
    audit: await Promise.all([
      store.listAudit({ scopes: ["t/*", "*"], limit: 3 }),
      store.listAudit({ scopes: ["t/me"], limit: 9, before: 4, action: "job.cancel" }),
      store.listAudit({ scopes: ["t/you", "u/*"], limit: 2, job: "a", principal: "t/me" }),
    ]),
    outcomes: await Promise.all(["x", "y"].map((id) => store.readCommandOutcome(id))),
  };
}

async function claims(store: Store, node: string) {
  return (await store.claimTrees(node)).toSorted((x, y) => (x.claim.root < y.claim.root ? -1 : 1));
}

/** What a commit came to; the text of a rejection is each store's own. */
const outcomeOf = (committing: Promise<CommitOutcome>) => committing.catch(() => "rejected" as const);

it("memory and SQLite answer alike after any sequence of commits", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(action, { minLength: 1, maxLength: 14 }), async (actions) => {
      const directory = mkdtempSync(join(tmpdir(), "leasehold-same-"));
      const memory = createMemoryStore();
      let sqlite = await openSqliteStore({ directory });
      try {
        await Promise.all([memory.commit(FIRST), sqlite.commit(FIRST)]);
        for (const each of actions) {
          if (each.type === "claim") {
            expect(await claims(sqlite, each.node)).toEqual(await claims(memory, each.node));
          } else if (each.type === "remove") {
            expect(await sqlite.removeTrees(each.roots)).toEqual(await memory.removeTrees(each.roots));
          } else {
            const batch = await toBatch(memory, each.steps, each.claims);
            expect(await outcomeOf(sqlite.commit(batch))).toEqual(await outcomeOf(memory.commit(batch)));
          }
          expect(await allReads(sqlite)).toEqual(await allReads(memory));
        }
        await sqlite.close();
        sqlite = await openSqliteStore({ directory });
        expect(await allReads(sqlite)).toEqual(await allReads(memory));
      } finally {
        await sqlite.close();
        rmSync(directory, { recursive: true });
      }
    }),
    { numRuns: 100 },
  );
});
