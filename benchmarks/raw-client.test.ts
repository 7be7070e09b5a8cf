import { expect, test } from "vitest";
import { runChatty } from "./bench.ts";
import { RawClient } from "./raw-client.ts";
import { type Breach, startScriptedRuntime } from "./scripted-runtime.ts";

test("follows a job to its result and counts what came", async () => {
  await using runtime = await startScriptedRuntime();
  const client = await RawClient.connect(runtime);
  const { tally } = await runChatty(client, 5);
  expect(tally.frames).toBe(6);
  expect(await client.ping()).toBeGreaterThanOrEqual(0);
  await client.close();
});

test("keeps many submissions apart", async () => {
  await using runtime = await startScriptedRuntime();
  const client = await RawClient.connect(runtime);
  const texts = Array.from({ length: 20 }, (_, index) => `text ${index}`);
  const terminals = await Promise.all(texts.map((text) => client.run("echo", text)));
  expect(terminals.map(({ payload }) => payload.result)).toEqual(texts);
  await client.close();
});

test("takes a dropped session up again, and checks the stream from where it was", async () => {
  await using runtime = await startScriptedRuntime();
  const before = await RawClient.connect(runtime);
  await before.run("echo", "first");
  const job = await before.submit("chatty", { n: 50 });
  const resumption = before.drop();
  expect(resumption.openJobs).toEqual([job.id]);

  const after = await RawClient.resume(runtime, resumption);
  const [resumed] = after.resumedJobs;
  expect(resumed?.id).toBe(job.id);
  expect((await after.result(resumed ?? job)).payload.result).toEqual({ emitted: 50 });
  expect(after.takeTally().frames).toBe(52 - resumption.lastEventSeq);
  await after.close();
});

test.each<[Breach, RegExp]>([
  ["gap", /event_seq 4 came after 2: a gap/],
  ["repeat", /event_seq 2 came after 2: a repeat/],
  ["second terminal", /a second terminal came for job_0/],
  ["wrong count", /was to emit 5 events and returned \{"emitted":4\}/],
])("notices a %s", async (breach, message) => {
  await using runtime = await startScriptedRuntime(breach);
  const client = await RawClient.connect(runtime);
  const session = async (): Promise<void> => {
    await runChatty(client, 5);
    await client.close();
  };
  await expect(session()).rejects.toThrow(message);
});

test("does not close over a job without terminal", async () => {
  await using runtime = await startScriptedRuntime("no terminal");
  const client = await RawClient.connect(runtime);
  await client.submit("chatty", { n: 1 });
  await expect(client.close()).rejects.toThrow("no terminal came for job_0");
  client.drop();
});

test("says so when it is refused", async () => {
  await using runtime = await startScriptedRuntime();
  await expect(RawClient.connect({ url: runtime.url, token: "another" })).rejects.toThrow(/UNAUTHENTICATED/);
});
