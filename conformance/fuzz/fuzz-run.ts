/** A runtime, strangers who send it bad frames, and a well-behaved client beside them. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { connect } from "leasehold/client";
import { createFakeWorld } from "leasehold/testing";
import { createTokens, TOKEN_FILE } from "../../src/identity/token-file.ts";
import { createSystemWorld } from "../../src/platform/system-world.ts";
import { type FuzzFrame, randomFrame, systematicFrames } from "./frames.ts";
import { Lane } from "./lane.ts";
import { findSecrets, type Memory, startRuntimeUnderFuzz } from "./runtime-under-fuzz.ts";
import type { Dice } from "./samples.ts";

export interface FuzzOptions {
  readonly frames: number;
  readonly seed: number;
  readonly onProgress?: (sent: number) => void;
}

export interface FuzzOutcome {
  readonly sent: number;
  readonly answered: number;
  readonly closed: number;
  readonly connections: number;
  /** Jobs of the well-behaved client that ended as they should, and the longest it waited for one. */
  readonly served: number;
  readonly longestWaitMs: number;
  /** After a garbage collection, when half of the frames were sent, and at the end. */
  readonly memory: { readonly half: Memory; readonly end: Memory };
  /** What should not have happened. */
  readonly problems: readonly string[];
}

const LANES = 12;
/** Of the frames, how many are a connection's first. */
const ONE_FIRST_FRAME_IN = 25;
const PROGRESS_EVERY = 10_000;
/** How much the runtime may have grown in the second half. */
const GROWTH_ALLOWANCE: Memory = { live: 8 * 1_048_576, resident: 32 * 1_048_576 };
/** A process takes some tens of thousands of frames to reach its size: before, only what is live says something. */
const FRAMES_TO_SETTLE = 80_000;

const NOTHING: Memory = { live: 0, resident: 0 };

export async function runFuzz({ frames, seed, onProgress }: FuzzOptions): Promise<FuzzOutcome> {
  const data = mkdtempSync(join(tmpdir(), "leasehold-fuzz-"));
  try {
    const world = createSystemWorld();
    const tokens = createTokens(join(data, TOKEN_FILE), world);
    const { token } = await tokens.create({ name: "stranger" });
    const { token: honestToken } = await tokens.create({ name: "honest" });
    const runtime = await startRuntimeUnderFuzz(data);
    const secrets = new Set([token, honestToken]);
    const problems: string[] = [];
    let half: Promise<Memory | undefined> | undefined;
    const counted = { sent: 0, served: 0, longestWaitMs: 0 };
    const source = framesFrom(seed);
    const over = new AbortController();

    const note = (error: unknown): undefined => {
      problems.push(error instanceof Error ? error.message : String(error));
    };

    async function send(lane: Lane): Promise<void> {
      while (counted.sent < frames && problems.length === 0) {
        const sent = ++counted.sent;
        if (sent >= frames / 2) half ??= runtime.memory().catch(note);
        const { value } = source.next();
        await lane.send(value as FuzzFrame, sent % ONE_FIRST_FRAME_IN === 0);
        if (sent % PROGRESS_EVERY === 0) onProgress?.(sent);
      }
      lane.close();
    }

    async function behave(): Promise<void> {
      await using session = await connect(runtime.url, { token: honestToken });
      while (!over.signal.aborted) {
        const started = performance.now();
        const job = await session.submit("tck-echo", { served: counted.served });
        const result = (await job.result()) as { served?: number };
        if (result.served !== counted.served) problems.push(`the honest client got ${JSON.stringify(result)}`);
        counted.served++;
        counted.longestWaitMs = Math.max(counted.longestWaitMs, performance.now() - started);
        await delay(5);
      }
    }

    const lanes = Array.from(
      { length: LANES },
      () => new Lane({ url: runtime.url, token, onResumeToken: (t) => secrets.add(t) }),
    );
    const beside = behave().catch(note);
    await Promise.all(lanes.map((lane) => send(lane).catch(note)));
    over.abort();
    await beside;
    const end = runtime.alive ? await runtime.memory().catch(note) : undefined;
    const memory = { half: (await half) ?? NOTHING, end: end ?? NOTHING };
    if (!runtime.alive) problems.push(`the runtime ended: ${runtime.said().slice(-2_000)}`);
    await runtime.stop().catch(note);

    problems.push(...findSecrets(secrets, data, runtime.said()).map((found) => `a secret leaked: ${found}`));
    const errors = runtime
      .said()
      .split("\n")
      .filter((line) => line.includes('"level":"error"'));
    if (errors.length > 0) problems.push(`the runtime logged ${errors.length} errors, the first: ${errors[0]}`);
    for (const kind of ["live", "resident"] as const) {
      if (kind === "resident" && frames < FRAMES_TO_SETTLE) continue;
      const grown = memory.end[kind] - memory.half[kind];
      if (grown > GROWTH_ALLOWANCE[kind])
        problems.push(`${kind} memory grew by ${megabytes(grown)} in the second half`);
    }
    const sum = (count: (lane: Lane) => number): number => lanes.reduce((total, lane) => total + count(lane), 0);
    return {
      ...counted,
      answered: sum(({ answered }) => answered),
      closed: sum(({ closed }) => closed),
      connections: sum(({ connections }) => connections),
      memory,
      problems,
    };
  } finally {
    rmSync(data, { recursive: true, force: true });
  }
}

/** Half of the frames go through every field in every way, again and again with other samples; half are random. */
export function* framesFrom(seed: number): Generator<FuzzFrame, never> {
  const world = createFakeWorld({ seed });
  const dice: Dice = { int: (below) => world.drawInt(below) };
  let id = 0;
  const nextId = (): string => `f${++id}`;
  for (;;) {
    for (const frame of systematicFrames(dice, nextId)) {
      yield frame;
      yield randomFrame(dice, nextId);
    }
  }
}

export function megabytes(bytes: number): string {
  return `${(bytes / 1_048_576).toFixed(1)} MB`;
}
