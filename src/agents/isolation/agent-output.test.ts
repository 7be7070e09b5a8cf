import { PassThrough } from "node:stream";
import { expect, it } from "vitest";
import { type Log, silentLog } from "../../platform/log.ts";
import { AgentOutput } from "./agent-output.ts";

async function written(
  ...pieces: readonly string[]
): Promise<{ readonly lines: readonly string[]; readonly tail: string }> {
  const lines: string[] = [];
  const log: Log = { ...silentLog, debug: (_fields, message) => void lines.push(message) };
  const output = new AgentOutput(log, "job_1");
  const stream = new PassThrough();
  output.follow(stream, "stderr");
  const ended = new Promise((resolve) => stream.once("end", resolve));
  for (const piece of pieces) stream.write(piece);
  stream.end();
  await ended;
  return { lines, tail: output.tail };
}

it("goes to the debug log line by line, however it comes in pieces", async () => {
  const { lines, tail } = await written("one\ntw", "o\n", "rest");
  expect(lines).toEqual(["agent: one", "agent: two", "agent: rest"]);
  expect(tail).toBe("one\ntwo\nrest");
});

it("is bounded in each line, in lines, and in what is kept", async () => {
  const { lines, tail } = await written(
    `${"x".repeat(10_000)}\n`,
    "y".repeat(9_000),
    "y".repeat(9_000),
    "\n",
    "z\n".repeat(2_000),
  );
  expect(lines).toHaveLength(1_001);
  expect(Math.max(...lines.map(({ length }) => length))).toBe("agent: ".length + 4_096);
  expect(lines.at(-1)).toContain("more than 1000 lines");
  expect(tail.length).toBe(8_192);
});
