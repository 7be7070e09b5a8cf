/** How a run ends: faults cease, everyone comes back, every job ends, and nothing may be left over. */
import { createHash } from "node:crypto";
import type { ArtifactRef } from "../../src/agents/artifacts.ts";
import { isTerminal } from "../../src/kernel/job/job-state.ts";
import { EVENT_KINDS } from "../../src/protocol/event-kinds.ts";
import { HEARTBEAT_INTERVAL_SEC, RESUME_WINDOW_SEC } from "./limits.ts";
import { readPlan } from "./plan.ts";
import type { Cast } from "./steps.ts";

/** Longer than any job goes on once nothing disturbs it, attempts after a pause included. */
const PATIENCE_MS = 300_000;
const LOOK_MS = 1_000;
/** Until a connection whose client gave it up is missed, and then its session's window closes. */
const ABANDONED_MS = (HEARTBEAT_INTERVAL_SEC * 4 + RESUME_WINDOW_SEC) * 1_000;

/** Longer than it takes until history that is old is chosen and removed, and contents without a name are. */
const REMOVED_MS = 300_000;

export async function endRun(cast: Cast): Promise<void> {
  const { stage } = cast;
  stage.life.calm();
  if (!(await waitUntil(cast, () => isQuiet(cast)))) reportUnrest(cast);
  checkJobs(cast);
  if (stage.judge.breach === undefined) await checkArtifacts(cast);
  if (stage.judge.breach === undefined) await checkLeftovers(cast);
}

/** Lets time pass while every client keeps its connection. Returns whether `condition` came true. */
async function waitUntil({ stage, clients }: Cast, condition: () => boolean): Promise<boolean> {
  for (let waited = 0; waited < PATIENCE_MS; waited += LOOK_MS) {
    if (stage.life.doomed) await stage.crash();
    for (const client of clients) {
      if (client.isStalled) client.unstall();
      if (!client.isConnected) client.connect();
      else if (client.isOpen) client.ping();
    }
    await stage.world.advance(LOOK_MS);
    if (stage.judge.breach !== undefined || condition()) return true;
  }
  return false;
}

function isQuiet({ stage, clients }: Cast): boolean {
  const jobs = [...stage.ledger.jobs.values()];
  return (
    jobs.every(({ record }) => isTerminal(record.status)) &&
    clients.every((client) => client.isOpen && client.unfinished.length === 0)
  );
}

function reportUnrest({ stage, clients }: Cast): void {
  for (const [id, { record }] of stage.ledger.jobs) {
    if (!isTerminal(record.status))
      stage.judge.report("accepted-jobs-end", `${id} (${record.agent}) is ${record.status}`);
  }
  for (const { name, isOpen, unfinished } of clients) {
    if (!isOpen) stage.judge.report("sessions-are-kept", `${name} cannot connect`);
    if (unfinished.length > 0) {
      stage.judge.report("terminal-reaches-followers", `${name} has not got the end of ${unfinished.join(", ")}`);
    }
  }
}

function checkJobs({ stage, clients }: Cast): void {
  const { ledger, judge } = stage;
  for (const { name, session, received, unanswered, untold } of clients) {
    if (untold.length > 0) judge.report("terminal-reaches-followers", `${name} was not told of ${untold.join(", ")}`);
    const placed = ledger.places.get(session ?? "") ?? 0;
    if (received !== placed) judge.report("no-gap-or-repeat", `${name} has ${received} of ${placed} events`);
    if (unanswered.length > 0)
      judge.report("requests-are-answered", `${name} has no answer to ${unanswered.join(", ")}`);
  }
  const ends = new Map<string, string>();
  for (const [id, { record, input, kinds, payloads }] of ledger.jobs) {
    const terminal = JSON.parse(payloads.at(-1) ?? "{}") as { final_status?: string };
    const ended = /^[^RE]*[RE]$/.test(kinds) && terminal.final_status === record.status;
    if (!ended)
      judge.report("one-terminal", `${id} is ${record.status}; its log is ${kinds} and ends with ${payloads.at(-1)}`);
    if (stage.cancelled.has(id) && record.status !== "cancelled") {
      judge.report("cancelled-stays-cancelled", `${id} was called cancelled and is ${record.status}`);
    }
    ends.set(readPlan(JSON.parse(input)).tag, id);
  }
  for (const { plan, key, job, refused } of stage.asks) {
    if (job !== undefined && ledger.removed.has(job)) continue;
    const became = ends.get(plan.tag);
    if (job !== undefined && became !== job) judge.report("accepted-jobs-end", `${job} was accepted and is not stored`);
    if (refused && key === undefined && became !== undefined) {
      judge.report("accepted-jobs-end", `${plan.tag} was refused and is ${became}`);
    }
  }
  stage.checkOneJobPerAsk();
}

/** What the logs name is there. */
async function checkArtifacts({ stage }: Cast): Promise<void> {
  const { ledger, judge, life, contents } = stage;
  for (const [id, { kinds, payloads }] of ledger.jobs) {
    for (const [index, payload] of payloads.entries()) {
      if (kinds.charAt(index) !== EVENT_KINDS.artifact_ref.code) continue;
      const { uri, sha256, byte_size: size } = JSON.parse(payload).body as ArtifactRef;
      const row = await life.bareStore.readArtifact(uri.slice(uri.lastIndexOf("/") + 1));
      const content = contents.get(sha256);
      const digest = content && createHash("sha256").update(content).digest("hex");
      if (row?.sha256 !== sha256 || row.job !== id || digest !== sha256 || content?.length !== size)
        judge.report("artifacts-have-content", `${id}: entry ${index + 1} names ${uri}, which is not there`);
    }
  }
}

/** Of what is looked after by the clock for as long as a runtime is up: artifacts, history, commands of other nodes. */
const STANDING_TIMERS = 3;

/** Once every client has left for good there is nothing to wait for, and nothing to keep but jobs and their logs. */
async function checkLeftovers({ stage, clients }: Cast): Promise<void> {
  const { judge, world, life } = stage;
  for (const client of clients) client.close();
  await world.advance(ABANDONED_MS);
  // Until the last history is gone, and what it alone named.
  await world.advance(REMOVED_MS);
  const named = await life.bareStore.findNamedContents([...stage.contents.keys()]);
  for (const sha256 of stage.contents.keys())
    if (!named.has(sha256)) judge.report("nothing-leaks", `content ${sha256} has no name`);
  const sessions = await life.bareStore.listSessions();
  const left: string[] = [];
  for (const { id } of sessions) {
    const { features = [], head = 0, released = 0, follows = [] } = (await life.bareStore.readSession(id)) ?? {};
    // Given up by its client, which never acknowledged everything: it may be kept (§6.5).
    const owesEvents = features.includes("ack") && (head > released || follows.length > 0);
    if (!owesEvents) left.push(id);
  }
  if (left.length > 0) judge.report("nothing-leaks", `${left.join(", ")} are kept after their windows`);
  if (life.pendingTimers > STANDING_TIMERS)
    judge.report("nothing-leaks", `${life.pendingTimers} timers are pending in an idle runtime`);
  if (life.jobsUnderWay > 0)
    judge.report("nothing-leaks", `${life.jobsUnderWay} jobs are under way though all have ended`);
  await stage.shutDown();
}
