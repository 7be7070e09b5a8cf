/** What can happen at a step of a run, and how often. */
import { AGENTS } from "./agents.ts";
import { AUTHORITY_AGENTS } from "./authority-agents.ts";
import { drawBy } from "./draw.ts";
import { drawLease } from "./leases.ts";
import { HEARTBEAT_INTERVAL_SEC, RESUME_WINDOW_SEC } from "./limits.ts";
import type { Plan } from "./plan.ts";
import type { ScriptedClient } from "./scripted-client.ts";
import type { Ask, Stage } from "./stage.ts";

export interface Cast {
  readonly stage: Stage;
  readonly clients: readonly ScriptedClient[];
}

/** What a step did, in words; undefined when there was nothing to do it to. */
type Deed = string | undefined;

export interface Step {
  readonly name: string;
  /** How often, relative to the others. */
  readonly weight: number;
  run(cast: Cast): Deed | Promise<Deed>;
}

/** From one look for what is old to the end of the grace period after the next. */
const HISTORY_GOES_MS = 75_000;
/** More than a chunk and a job's buffer hold. */
const FLOOD = 700;
/** How many unfinished jobs a run may have before it submits no more. */
const MAX_UNDER_WAY = 12;

const STEPS: readonly Step[] = [
  { name: "submit", weight: 14, run: submit },
  { name: "resubmit", weight: 5, run: resubmit },
  { name: "cancel", weight: 5, run: cancel },
  { name: "subscribe", weight: 6, run: subscribe },
  { name: "unsubscribe", weight: 4, run: unsubscribe },
  { name: "trespass", weight: 2, run: trespass },
  { name: "intrude", weight: 1, run: intrude },
  {
    name: "ack",
    weight: 3,
    run: onSome(
      (client) => client.isOpen && client.acknowledges,
      (client) => client.ack(),
    ),
  },
  { name: "ping", weight: 2, run: onSome(isOpen, (client) => client.ping()) },
  { name: "close", weight: 1, run: onSome(isOpen, (client) => client.close()) },
  {
    name: "drop",
    weight: 6,
    run: onSome(
      (client) => client.isConnected,
      (client) => client.drop(),
    ),
  },
  { name: "forsake", weight: 1.5, run: onSome(isOpen, (client) => client.forsake()) },
  {
    name: "connect",
    weight: 14,
    run: onSome(
      (client) => !client.isConnected,
      (client) => client.connect(),
    ),
  },
  {
    name: "supersede",
    weight: 1,
    run: onSome(
      (client) => client.isConnected,
      (client) => client.connect(),
    ),
  },
  { name: "stall", weight: 2, run: onSome(isOpen, (client) => client.stall()) },
  {
    name: "unstall",
    weight: 3,
    run: onSome(
      (client) => client.isStalled,
      (client) => client.unstall(),
    ),
  },
  { name: "advance", weight: 30, run: (cast) => advance(cast, 1 + cast.stage.draw(20)) },
  { name: "advance on", weight: 7, run: (cast) => advance(cast, 1 + cast.stage.draw(3_000)) },
  { name: "advance past the heartbeat", weight: 0.5, run: (cast) => advance(cast, HEARTBEAT_INTERVAL_SEC * 2_500) },
  { name: "advance past the window", weight: 0.3, run: (cast) => advance(cast, RESUME_WINDOW_SEC * 1_100) },
  { name: "advance until history goes", weight: 2, run: (cast) => advance(cast, HISTORY_GOES_MS) },
  { name: "hold commits", weight: 2, run: ({ stage }) => act(() => stage.life.hold()) },
  { name: "release commits", weight: 5, run: ({ stage }) => act(() => stage.life.release()) },
  { name: "fail a commit", weight: 1, run: ({ stage }) => act(() => stage.life.breakNextCommit("before")) },
  { name: "fail after a commit", weight: 0.3, run: ({ stage }) => act(() => stage.life.breakNextCommit("after")) },
  { name: "crash", weight: 1.5, run: ({ stage }) => stage.crash().then(() => "") },
  { name: "restart", weight: 0.7, run: ({ stage }) => stage.restart().then(() => "") },
];

const TOTAL_WEIGHT = STEPS.reduce((sum, { weight }) => sum + weight, 0);

export function drawStep(stage: Stage): Step {
  let left = stage.world.draw() * TOTAL_WEIGHT;
  for (const step of STEPS) {
    left -= step.weight;
    if (left < 0) return step;
  }
  return STEPS[0] as Step;
}

function isOpen(client: ScriptedClient): boolean {
  return client.isOpen;
}

function onSome(condition: (client: ScriptedClient) => boolean, act: (client: ScriptedClient) => unknown): Step["run"] {
  return ({ stage, clients }) => {
    const client = stage.pick(clients.filter(condition));
    if (client === undefined) return undefined;
    return `${client.name} ${act(client) ?? ""}`;
  };
}

function act(run: () => void): string {
  run();
  return "";
}

function submit({ stage, clients }: Cast): Deed {
  const client = stage.pick(clients.filter(isOpen));
  if (client === undefined || stage.life.jobsUnderWay >= MAX_UNDER_WAY) return undefined;
  const tag = `ask ${stage.asks.length}`;
  const agent = stage.pick(AGENTS) ?? "bursts";
  const now = stage.world.clock.now();
  const key = stage.chance(0.5) ? `key of ${tag}` : undefined;
  const ask: Ask = {
    principal: client.principal,
    agent,
    plan: drawPlan(stage, tag),
    ...((isAuthorityAgent(agent) || stage.chance(0.3)) && {
      lease: drawLease(drawBy(`lease of ${tag} at ${now}`), now),
    }),
    ...(key === undefined ? {} : { key }),
    refused: false,
  };
  stage.asks.push(ask);
  client.submit(ask);
  return `${client.name} ${tag}: ${agent}${key === undefined ? "" : " with a key"}`;
}

function drawPlan(stage: Stage, tag: string): Plan {
  const askedAt = stage.world.clock.now();
  if (stage.chance(0.02)) return { tag, bursts: [stage.draw(FLOOD)], pauseMs: 1, askedAt };
  const pauseMs = stage.chance(0.3) ? stage.draw(2_000) : stage.draw(10);
  return { tag, bursts: Array.from({ length: stage.draw(8) }, () => stage.draw(14)), pauseMs, askedAt };
}

/** Whether it does what needs a lease. Others may have one, and end with it. */
function isAuthorityAgent(agent: string): boolean {
  return AUTHORITY_AGENTS.some((name) => name === agent);
}

/** The key again, from the same session or another of the principal. */
function resubmit({ stage, clients }: Cast): Deed {
  const client = stage.pick(clients.filter(isOpen));
  const ask = stage.pick(
    stage.asks.filter(({ key, principal }) => key !== undefined && principal === client?.principal),
  );
  if (client === undefined || ask === undefined) return undefined;
  client.submit(ask);
  return `${client.name} ${ask.plan.tag} again`;
}

function cancel({ stage, clients }: Cast): Deed {
  return onJob(stage, clients, true, (client, job) => client.cancel(job));
}

function subscribe({ stage, clients }: Cast): Deed {
  const history = stage.chance(0.5);
  const deed = onJob(stage, clients, true, (client, job) => client.subscribe(job, history));
  return deed && `${deed}${history ? " with history" : ""}`;
}

function unsubscribe({ stage, clients }: Cast): Deed {
  return onJob(stage, clients, true, (client, job) => client.unsubscribe(job));
}

function trespass({ stage, clients }: Cast): Deed {
  return onJob(stage, clients, false, (client, job) => client.trespass(job));
}

function intrude({ stage, clients }: Cast): Deed {
  const client = stage.pick(clients);
  const other = stage.pick(
    clients.filter(({ session, principal }) => session !== undefined && principal !== client?.principal),
  );
  if (client === undefined || other?.session === undefined) return undefined;
  client.intrude(other.session);
  return `${client.name} into the session of ${other.name}`;
}

/** Recent jobs are drawn more often: there is more going on with them. */
function onJob(
  stage: Stage,
  clients: readonly ScriptedClient[],
  own: boolean,
  act: (client: ScriptedClient, job: string) => void,
): Deed {
  const client = stage.pick(clients.filter(isOpen));
  if (client === undefined) return undefined;
  const jobs = stage.chance(0.25) ? childrenOf(stage, client, own) : askedBy(stage, client, own);
  const job = stage.pick(stage.chance(0.7) ? jobs.slice(-6) : jobs);
  if (job === undefined) return undefined;
  act(client, job);
  return `${client.name} ${job}`;
}

function askedBy(stage: Stage, client: ScriptedClient, own: boolean): readonly string[] {
  return stage.asks.flatMap(({ job, principal }) =>
    job !== undefined && (principal === client.principal) === own ? [job] : [],
  );
}

/** Jobs that were handed on, of whatever tree of the principal. */
function childrenOf(stage: Stage, client: ScriptedClient, own: boolean): readonly string[] {
  return [...stage.ledger.jobs.values()].flatMap(({ record: { id, parent } }) =>
    parent !== null && (stage.ownerOf(id) === client.principal) === own ? [id] : [],
  );
}

async function advance({ stage }: Cast, ms: number): Promise<string> {
  await stage.world.advance(ms);
  return `${ms} ms`;
}
