/** For tests: a session over a scripted runtime, under a fake clock, and ways to look at its jobs. */
import { createFakeWorld } from "../testing/fake-world.ts";
import { type ConnectOptions, connect } from "./connect.ts";
import type { Job, JobEvent } from "./job.ts";
import type { Session } from "./session.ts";
import { ScriptedRuntime } from "./test-runtime.ts";

export const HOUR_MS = 3_600_000;

export interface Rig {
  readonly world: ReturnType<typeof createFakeWorld>;
  readonly runtime: ScriptedRuntime;
  readonly session: Session;
  /** Settles everything, and gives the promise's value. */
  settled<Value>(promise: Promise<Value>): Promise<Value>;
  /** Long enough for a reconnection. */
  wait(ms?: number): Promise<void>;
}

export async function open(options: Partial<ConnectOptions> = {}, seed = 1): Promise<Rig> {
  const world = createFakeWorld({ seed });
  const runtime = new ScriptedRuntime(world);
  const settled = async <Value>(promise: Promise<Value>): Promise<Value> => {
    await world.settle();
    return promise;
  };
  const session = await settled(
    connect("ws://runtime", { token: "secret", world, webSocket: runtime.connect, ...options }),
  );
  return { world, runtime, session, settled, wait: (ms = 60_000) => world.advance(ms) };
}

export async function submitEcho({ session, settled }: Rig, input: unknown = null): Promise<Job> {
  return settled(session.submit("echo", input));
}

/** Reads a job's events as they come. */
export function collect(job: Job): { readonly events: JobEvent[]; readonly end: Promise<string> } {
  const events: JobEvent[] = [];
  const end = (async () => {
    try {
      for await (const event of job.events()) events.push(event);
      return "end";
    } catch (error) {
      return (error as { code: string }).code;
    }
  })();
  return { events, end };
}

export const seqs = (events: readonly JobEvent[]): (number | undefined)[] => events.map(({ jobSeq }) => jobSeq);
export const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index + 1);
