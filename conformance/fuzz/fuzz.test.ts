/** Few frames only; `npm run fuzz` sends 100,000. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { decode, MESSAGES } from "../../src/protocol/index.ts";
import type { FuzzFrame } from "./frames.ts";
import { framesFrom, runFuzz } from "./fuzz-run.ts";
import { findSecrets } from "./runtime-under-fuzz.ts";

function take(count: number, seed: number): readonly FuzzFrame[] {
  const source = framesFrom(seed);
  return Array.from({ length: count }, () => source.next().value);
}

describe("the frames", () => {
  const frames = take(20_000, 1);
  const texts = frames.flatMap(({ data, binary }) => (typeof data === "string" && !binary ? [data] : []));

  it("follow from a seed", () => {
    expect(take(500, 3)).toEqual(take(500, 3));
    expect(take(500, 3)).not.toEqual(take(500, 4));
  });

  it("are bad nearly all, and in every field that a message to a runtime has", () => {
    const refused = texts.map((text) => decode(text, "to-runtime")).filter((decoded) => !decoded.ok);
    expect(refused.length).toBeGreaterThan(texts.length / 2);
    const fields = new Set(refused.map(({ error }) => String(error.details?.field)));
    for (const field of ["frame", "arcp", "id", "type", "trace_id", "payload", "payload.agent", "payload.job_id"]) {
      expect(fields).toContain(field);
    }
  });

  it("try every message", () => {
    for (const type of Object.keys(MESSAGES)) expect(texts.some((text) => text.includes(`"${type}"`))).toBe(true);
    expect(frames.some(({ binary }) => binary)).toBe(true);
  });
});

it("a token that was written somewhere is found, whatever stands beside it", () => {
  const directory = mkdtempSync(join(tmpdir(), "leasehold-secrets-"));
  try {
    const [resume, bearer] = [`rt_${"0a".repeat(32)}`, `lh_${"Zz9-".repeat(10)}`];
    writeFileSync(join(directory, "store.db"), `\u0000\u00ff${resume}abc\u0001`);
    const tokens = new Set([resume, bearer]);
    expect(findSecrets(tokens, directory, `x ${bearer}`)).toEqual(["rt_0a0a0… in store.db", "lh_Zz9-Z… in the log"]);
    expect(findSecrets(new Set([bearer]), directory, "rt_ and lh_ alone")).toEqual([]);
  } finally {
    rmSync(directory, { recursive: true });
  }
});

describe("a runtime under bad frames", () => {
  it("answers each or closes, serves others, and tells no secret [law-frames-never-crash] [law-no-secret-leaks]", async () => {
    const { problems, sent, answered, closed, served } = await runFuzz({ frames: 2_000, seed: 1 });
    expect(problems).toEqual([]);
    expect(answered + closed).toBe(sent);
    expect(served).toBeGreaterThan(0);
  });
});
