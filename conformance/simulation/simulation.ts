/** One run: a seed decides everything that happens in it, and the first law it breaks ends it. */
import { hiddenCodes } from "../../src/protocol/event-kinds.ts";
import { FEATURES, type Feature } from "../../src/protocol/features.ts";
import { endRun } from "./ending.ts";
import type { Breach } from "./laws.ts";
import type { Sabotage } from "./life.ts";
import { ScriptedClient } from "./scripted-client.ts";
import { PRINCIPALS, Stage } from "./stage.ts";
import { type Cast, drawStep } from "./steps.ts";

export interface SimulationOptions {
  readonly seed: number;
  readonly steps: number;
  readonly sabotage?: Sabotage;
  /** Hears of each step, in words. */
  onStep?: (line: string) => void;
  /** Hears of each frame that a client sends or gets. */
  onFrame?: (line: string) => void;
}

export interface SimulationOutcome {
  readonly seed: number;
  /** Steps taken; the number of the one that broke a law, when there was one. */
  readonly steps: number;
  /** Absent when no law was broken. */
  readonly breach?: Breach;
  /** Frames with an `event_seq` that were sent. */
  readonly events: number;
  readonly jobs: number;
  readonly crashes: number;
}

const ALL: readonly Feature[] = FEATURES.filter((feature) => feature !== "x-leasehold.control");

function allBut(...left: Feature[]): readonly Feature[] {
  return ALL.filter((feature) => !left.includes(feature));
}

function createClients(stage: Stage): ScriptedClient[] {
  const [ada, bob] = PRINCIPALS;
  const client = (name: string, principal: string, features: readonly Feature[] = ALL): ScriptedClient =>
    new ScriptedClient(stage, { name, principal, features, hiddenKinds: hiddenCodes(features) });
  return [
    client("ada-1", ada),
    client("ada-2", ada),
    client("ada-3", ada, allBut("progress")),
    client("ada-4", ada, allBut("result_chunk", "ack", "x-leasehold.delegation")),
    client("bob-1", bob),
    client("bob-2", bob, allBut("result_chunk")),
  ];
}

export async function simulate(options: SimulationOptions): Promise<SimulationOutcome> {
  const repair = options.sabotage?.patch?.();
  try {
    return await play(options);
  } finally {
    repair?.();
  }
}

async function play(options: SimulationOptions): Promise<SimulationOutcome> {
  const { seed, steps, onStep } = options;
  const stage = new Stage(options);
  const cast: Cast = { stage, clients: createClients(stage) };
  stage.ledger.whoNeeds = (job) =>
    cast.clients.find(({ session, unfinished }) => stage.ledger.places.has(session ?? "") && unfinished.includes(job))
      ?.name;
  const startedAt = stage.world.clock.now();
  const say = (what: string): void => onStep?.(`+${stage.world.clock.now() - startedAt} ms  ${what}`);

  await stage.boot();
  let taken = 0;
  while (taken < steps && stage.judge.breach === undefined) {
    const step = drawStep(stage);
    const deed = await step.run(cast);
    if (deed === undefined) continue;
    taken++;
    say(`step ${taken}: ${step.name} ${deed}`.trimEnd());
    await stage.world.settle();
    if (stage.life.doomed) {
      say("the runtime ends itself, and is started again");
      await stage.crash();
    }
  }
  if (stage.judge.breach === undefined) {
    say("the run ends");
    await endRun(cast);
  }
  stage.life.end();
  const { breach } = stage.judge;
  return {
    seed,
    steps: taken,
    ...(breach && { breach }),
    events: stage.events,
    jobs: stage.ledger.owners.size,
    crashes: stage.crashes,
  };
}
