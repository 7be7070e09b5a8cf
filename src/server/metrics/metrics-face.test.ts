import { readFileSync } from "node:fs";
import { afterEach, describe, expect, it } from "vitest";
import { defineAgent } from "../../agents/define-agent.ts";
import { connect } from "../../client/connect.ts";
import { createMemoryStore } from "../../stores/memory/memory-store.ts";
import { createFaultyStore } from "../../testing/faulty-store.ts";
import { createRuntime, type Runtime } from "../runtime.ts";
import { ask } from "../test-entrance.ts";
import { LEASEHOLD_VERSION } from "../version.ts";

const cleanUps: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).toReversed()) await cleanUp();
});

const talker = defineAgent({
  name: "talker",
  version: "1.0.0",
  async run(ctx) {
    for (let index = 0; index < 10; index++) await ctx.log("x");
    await ctx.artifact({ name: "a", contentType: "text/plain", data: "12345" });
  },
});
const failing = defineAgent({ name: "failing", version: "1.0.0", run: () => Promise.reject(new Error("no")) });
const endless = defineAgent({ name: "endless", version: "1.0.0", run: () => new Promise<void>(() => {}) });

/** Tokens name the principal: `tenant/id`, and `!` for an operator. */
async function start() {
  const store = createFaultyStore(createMemoryStore());
  const runtime: Runtime = await createRuntime({
    agents: [talker, failing, endless],
    store,
    authenticator: {
      async authenticate({ token = "" }) {
        const [tenant = "", id] = token.replace("!", "").split("/");
        return id === undefined
          ? undefined
          : { tenant, id, roles: token.endsWith("!") ? ["user", "operator"] : ["user"] };
      },
    },
  });
  cleanUps.push(() => runtime.close());
  const { url, port } = await runtime.listen({ port: 0 });
  const base = `http://127.0.0.1:${port}`;
  const metrics = async () => readSamples((await ask(`${base}/metrics`)).body);
  const session = await connect(url, { token: "default/me" });
  cleanUps.push(() => session.close());
  return { runtime, store, session, base, metrics };
}

/** `name{labels}` → value. */
function readSamples(text: string): Map<string, number> {
  const lines = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return new Map(
    lines.map((line) => {
      const at = line.lastIndexOf(" ");
      return [line.slice(0, at), Number(line.slice(at + 1))];
    }),
  );
}

describe("what /metrics tells", () => {
  it("is what has happened, also before anybody asked", async () => {
    const { session, metrics } = await start();
    await (await session.submit("talker", null)).result();
    await (await session.submit("failing", null)).result().catch(() => {});
    await session.submit("endless", null);
    await session.submit("nobody", null).catch(() => {});
    const samples = await metrics();
    expect(Object.fromEntries(samples)).toMatchObject({
      leasehold_connections: 1,
      'leasehold_sessions{state="connected"}': 1,
      'leasehold_sessions{state="parked"}': 0,
      leasehold_sessions_behind: 0,
      leasehold_session_lag_events: 0,
      'leasehold_jobs{state="running"}': 1,
      'leasehold_jobs{state="pending"}': 0,
      leasehold_jobs_accepted_total: 3,
      'leasehold_jobs_ended_total{status="success"}': 1,
      'leasehold_jobs_ended_total{status="error"}': 1,
      'leasehold_refusals_total{face="arcp",code="AGENT_NOT_AVAILABLE"}': 1,
      // Ten lines, an artifact, a result and an error.
      leasehold_events_appended_total: 13,
      leasehold_artifacts_stored_total: 1,
      leasehold_artifacts_stored_bytes_total: 5,
      leasehold_commits_failed_total: 0,
    });
    expect(samples.get("leasehold_events_appended_characters_total")).toBeGreaterThan(13 * 20);
    expect(samples.get("leasehold_store_size_bytes")).toBeGreaterThan(0);
    expect(samples.get("process_resident_memory_bytes")).toBeGreaterThan(0);
    expect(samples.get(`leasehold_info{version="${LEASEHOLD_VERSION}"}`)).toBe(1);
  });

  it("has histograms that add up", async () => {
    const { session, metrics } = await start();
    await (await session.submit("talker", null)).result();
    const samples = await metrics();
    const buckets = [...samples].filter(([name]) => name.startsWith("leasehold_commit_events_bucket"));
    expect(buckets.map(([, value]) => value)).toEqual(buckets.map(([, value]) => value).toSorted((a, b) => a - b));
    expect(buckets.at(-1)).toEqual([
      'leasehold_commit_events_bucket{le="+Inf"}',
      samples.get("leasehold_commit_events_count"),
    ]);
    expect(samples.get("leasehold_commit_events_sum")).toBe(samples.get("leasehold_events_appended_total"));
    expect(samples.get("leasehold_commit_duration_seconds_count")).toBe(samples.get("leasehold_commit_events_count"));
  });

  it("gives every metric of its own a help text, and a unit or a count for a name", async () => {
    const { base } = await start();
    const { body, headers } = await ask(`${base}/metrics`);
    expect(headers["content-type"]).toMatch(/^text\/plain; version=/);
    const types = [...body.matchAll(/^# TYPE (leasehold_\w+) (\w+)$/gm)];
    expect(types.length).toBeGreaterThan(15);
    for (const [, name, type] of types) {
      expect(body).toMatch(new RegExp(`^# HELP ${name} \\S.*\\.$`, "m"));
      expect(name?.endsWith("_total")).toBe(type === "counter");
    }
  });

  it("is told on the page for those who operate it, name by name", async () => {
    const { base } = await start();
    const { body } = await ask(`${base}/metrics`);
    const told = [...body.matchAll(/^# TYPE (leasehold_\w+)/gm)].map(([, name]) => name);
    const page = readFileSync(new URL("../../../docs/guides/operating.md", import.meta.url), "utf8");
    const table = page.split("\n").filter((line) => line.startsWith("| `leasehold_"));
    const documented = table.flatMap((line) => [...(line.split(" | ")[0] ?? "").matchAll(/`(leasehold_\w+)/g)]);
    expect(documented.map(([, name]) => name).toSorted()).toEqual(told.toSorted());
  });

  it("goes on telling while the store fails", async () => {
    const { session, store, metrics } = await start();
    store.fillDisk();
    await session.submit("endless", null).catch(() => {});
    const samples = await metrics();
    expect(samples.get("leasehold_commits_failed_total")).toBeGreaterThan(0);
    expect(samples.get('leasehold_refusals_total{face="arcp",code="INTERNAL_ERROR"}')).toBe(1);
    store.freeDisk();
  });
});

describe("who may read /metrics", () => {
  const from = (address: string, authorization?: string) => ({
    headers: { "x-forwarded-for": address, ...(authorization === undefined ? {} : { authorization }) },
  });

  it.each([
    ["this machine", {}, 200],
    ["this machine with a token that is none", { headers: { authorization: "Bearer nonsense" } }, 401],
    ["another machine", from("203.0.113.7"), 401],
    ["another machine with a token that is none", from("203.0.113.7", "Bearer nonsense"), 401],
    ["a user", from("203.0.113.7", "Bearer default/me"), 403],
    ["an operator of some tenant", from("203.0.113.7", "Bearer acme/boss!"), 403],
    ["an operator of the installation", from("203.0.113.7", "Bearer default/boss!"), 200],
  ])("%s: %j → %i", async (_, options, status) => {
    const { base } = await start();
    const answer = await ask(`${base}/metrics`, options);
    expect(answer.status).toBe(status);
    if (status !== 200) expect(answer.body).not.toContain("leasehold_jobs");
    if (status === 401) expect(answer.headers["www-authenticate"]).toMatch(/^Bearer/);
  });

  it("takes GET and HEAD only", async () => {
    const { base } = await start();
    expect(await ask(`${base}/metrics`, { method: "HEAD" })).toMatchObject({ status: 200, body: "" });
    expect(await ask(`${base}/metrics`, { method: "POST" })).toMatchObject({
      status: 405,
      headers: { allow: "GET, HEAD" },
    });
  });
});
