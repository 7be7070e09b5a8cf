import { expect, it } from "vitest";
import type { Job } from "./job.ts";
import { open, type Rig, submitEcho } from "./test-rig.ts";

type Part = string | Uint8Array;

/** Has the job's agent write chunk after chunk of one result. */
function writer({ runtime }: Rig, job: Job, resultId: string) {
  let next = 0;
  return (data: string, { more = true, encoding = "utf8" } = {}): void =>
    runtime.emit(job.id, "result_chunk", { result_id: resultId, chunk_seq: next++, data, encoding, more });
}

function read(job: Job, signal?: AbortSignal) {
  const parts: Part[] = [];
  const end = (async () => {
    try {
      for await (const part of job.resultStream({ signal })) parts.push(part);
      return "end";
    } catch (error) {
      return error instanceof Error ? (error as Error & { code: string }).code : error;
    }
  })();
  return { parts, end };
}

it("gives chunks as they come, text as text and bytes as bytes, and ends with the job [arcp-8.4-assembly]", async () => {
  const rig = await open();
  const job = await submitEcho(rig);
  const write = writer(rig, job, "res_1");
  const reading = read(job);
  write("one ");
  await rig.world.settle();
  expect(reading.parts).toEqual(["one "]);
  write(btoa("\x00\xff"), { encoding: "base64" });
  write("ü\ud83d");
  write("\ude80", { more: false });
  await rig.world.settle();
  expect(reading.parts).toEqual(["one ", Uint8Array.of(0, 255), "ü\ud83d", "\ude80"]);
  rig.runtime.succeed(job.id, { result_id: "res_1", result_size: 4 + 2 + 2 + 4 });
  await rig.world.settle();
  expect(await reading.end).toBe("end");
});

it("keeps nothing that was read: a result far over the limit passes", async () => {
  const limits = { maxResultLength: 10_000, maxBufferedLength: 10_000 };
  const rig = await open(limits);
  const job = await submitEcho(rig);
  const write = writer(rig, job, "res_1");
  let length = 0;
  const end = (async () => {
    for await (const part of job.resultStream()) length += part.length;
  })();
  for (let chunk = 0; chunk < 500; chunk++) {
    write("x".repeat(5_000));
    await rig.world.settle();
    expect(length).toBe((chunk + 1) * 5_000);
  }
  write("", { more: false });
  rig.runtime.succeed(job.id, { result_id: "res_1", result_size: 2_500_000 });
  await rig.world.settle();
  await end;
  expect((job as Job & { keptLength: number }).keptLength).toBeLessThan(20_000);
  await expect(job.result()).rejects.toMatchObject({ code: "RESULT_STREAMED", retryable: false });
  await expect(job.resultStream().next()).rejects.toMatchObject({ code: "RESULT_STREAMED" });
});

it("tells a reader that falls too far behind, and nobody else", async () => {
  const rig = await open({ maxResultLength: 100 });
  const job = await submitEcho(rig);
  const other = await submitEcho(rig);
  const write = writer(rig, job, "res_1");
  const reader = job.resultStream();
  write("x".repeat(90));
  await rig.world.settle();
  expect((await reader.next()).value).toHaveLength(90);
  for (let chunk = 0; chunk < 3; chunk++) write("x".repeat(50));
  await rig.world.settle();
  await expect(reader.next()).rejects.toMatchObject({ name: "ResultError", code: "RESULT_TOO_LARGE" });
  rig.runtime.succeed(other.id, { result: "fine" });
  expect(await rig.settled(other.result())).toBe("fine");
});

it("gives the whole to everybody once somebody asked for it", async () => {
  const rig = await open();
  const job = await submitEcho(rig);
  const write = writer(rig, job, "res_1");
  const result = job.result();
  const [first, second] = [read(job), read(job)];
  write("one ");
  write("two", { more: false });
  rig.runtime.succeed(job.id, { result_id: "res_1", result_size: 7 });
  await rig.world.settle();
  expect(await result).toBe("one two");
  for (const { parts, end } of [first, second, read(job)]) {
    expect(await end).toBe("end");
    expect(parts).toEqual(["one ", "two"]);
  }
});

it("serves two readers at their own pace, and keeps what the slower one has not read", async () => {
  const rig = await open();
  const job = await submitEcho(rig);
  const write = writer(rig, job, "res_1");
  const slow = job.resultStream();
  const fast = read(job);
  for (const text of ["a", "b", "c"]) write(text);
  await rig.world.settle();
  expect(fast.parts).toEqual(["a", "b", "c"]);
  const called = [slow.next(), slow.next()];
  expect((await Promise.all(called)).map(({ value }) => value)).toEqual(["a", "b"]);
  await slow.return?.();
  expect(await slow.next()).toEqual({ done: true, value: undefined });
});

it("begins anew with another attempt's result, unless something of the first was read [reading-client-result-restarted]", async () => {
  const rig = await open();
  const job = await submitEcho(rig);
  const early = read(job);
  const idle = job.resultStream();
  writer(rig, job, "res_1")("lost");
  await rig.world.settle();
  expect(early.parts).toEqual(["lost"]);
  const write = writer(rig, job, "res_2");
  write("kept", { more: false });
  rig.runtime.succeed(job.id, { result_id: "res_2", result_size: 4 });
  await rig.world.settle();
  expect(await early.end).toBe("RESULT_RESTARTED");
  expect(await idle.next()).toEqual({ done: false, value: "kept" });
  expect(await idle.next()).toEqual({ done: true, value: undefined });
});

it("keeps nothing for a reader of a result that was given up", async () => {
  const rig = await open({ maxResultLength: 100 });
  const job = await submitEcho(rig);
  const stale = job.resultStream();
  writer(rig, job, "res_1")("lost");
  await rig.world.settle();
  await stale.next();
  const write = writer(rig, job, "res_2");
  write("x".repeat(50));
  await rig.world.settle();
  const reading = read(job);
  for (let chunk = 1; chunk < 10; chunk++) {
    await rig.world.settle();
    write("x".repeat(50));
  }
  await rig.world.settle();
  expect(reading.parts).toHaveLength(10);
});

it.each([
  ["a chunk is missing", [[1, "x", true]], { result_id: "res_1" }],
  ["the last chunk is missing", [[0, "x", true]], { result_id: "res_1" }],
  ["bytes are missing", [[0, "x", false]], { result_id: "res_1", result_size: 2 }],
  ["it is another result", [[0, "x", false]], { result_id: "res_2" }],
  ["there is no chunk", [], { result_id: "res_1" }],
] as const)("says that the result is not whole when %s", async (_what, chunks, terminal) => {
  const rig = await open();
  const job = await submitEcho(rig);
  const reading = read(job);
  for (const [chunk_seq, data, more] of chunks) {
    rig.runtime.emit(job.id, "result_chunk", { result_id: "res_1", chunk_seq, data, encoding: "utf8", more });
  }
  rig.runtime.succeed(job.id, terminal);
  await rig.world.settle();
  expect(await reading.end).toBe("RESULT_INCOMPLETE");
});

it("gives a text that was not streamed as one chunk, and no other value", async () => {
  const rig = await open();
  const [text, value] = [await submitEcho(rig), await submitEcho(rig)];
  rig.runtime.succeed(text.id, { result: "short" });
  rig.runtime.succeed(value.id, { result: { ok: true } });
  await rig.world.settle();
  const reading = read(text);
  expect(await reading.end).toBe("end");
  expect(reading.parts).toEqual(["short"]);
  expect(await read(value).end).toBe("RESULT_NOT_STREAMED");
  expect(await value.result()).toEqual({ ok: true });
});

it("takes what a runtime has put together for a session without chunks", async () => {
  const rig = await open();
  const [bytes, linked] = [await submitEcho(rig), await submitEcho(rig)];
  rig.runtime.succeed(bytes.id, { result: btoa("\x00\xff"), result_encoding: "base64", result_size: 2 });
  const artifact = { uri: "/api/artifacts/art_1", content_type: "text/plain", byte_size: 9 };
  rig.runtime.succeed(linked.id, { result_artifact: artifact, result_encoding: "utf8", result_size: 9 });
  await rig.world.settle();
  expect(await bytes.result()).toEqual(Uint8Array.of(0, 255));
  const reading = read(bytes);
  expect(await reading.end).toBe("end");
  expect(reading.parts).toEqual([Uint8Array.of(0, 255)]);
  await expect(linked.result()).rejects.toMatchObject({ code: "RESULT_ELSEWHERE", details: { artifact } });
  expect(linked.status).toBe("success");
});

it("fails as the job does, after what had come", async () => {
  const rig = await open();
  const job = await submitEcho(rig);
  const reading = read(job);
  writer(rig, job, "res_1")("half of it");
  rig.runtime.end(job.id, "error", { code: "BUDGET_EXHAUSTED", message: "no more", retryable: false });
  await rig.world.settle();
  expect(reading.parts).toEqual(["half of it"]);
  expect(await reading.end).toBe("BUDGET_EXHAUSTED");
});

it("goes on over a drop, and in another session", async () => {
  const rig = await open();
  const job = await submitEcho(rig);
  const write = writer(rig, job, "res_1");
  const reading = read(job);
  write("a");
  await rig.world.settle();
  rig.runtime.drop();
  write("b");
  await rig.wait();
  rig.runtime.expireSessions();
  write("c");
  await rig.wait();
  write("d", { more: false });
  rig.runtime.succeed(job.id, { result_id: "res_1", result_size: 4 });
  await rig.world.settle();
  expect(await reading.end).toBe("end");
  expect(reading.parts.join("")).toBe("abcd");
});
