/** SIGTERM under jobs that run and jobs that wait, and what the next process makes of them. */
import { afterEach, beforeEach, expect, it } from "vitest";
import { createPlace, jsonLines, type Place, stopsTakingWork } from "./test-place.ts";

let place: Place;
beforeEach(async () => {
  place = await createPlace();
});
afterEach(() => place[Symbol.asyncDispose]());

it("[reading-drain] hands over: a job that may run again goes on after the restart, one that waited starts, one that may not ends", async () => {
  const token = (await place.run(["token", "create", "ada"])).stdout.trim();
  const first = await place.serve("serve", ["--drain", "1s"]);
  const env = (url: string) => ({ LEASEHOLD_URL: url, LEASEHOLD_TOKEN: token });
  const submit = async (agent: string, input: object): Promise<string> => {
    const { stdout } = await place.run(["submit", agent, JSON.stringify(input), "--detach", "--json"], {
      env: env(first.url),
    });
    return String(jsonLines(stdout)[0]?.job_id);
  };
  const until = { until: place.path("done") };
  const runs = await submit("patient", until);
  const waits = await submit("patient", until);
  const ends = await submit("waiting", until);
  const statuses = async (url: string) => {
    const jobs = jsonLines((await place.run(["jobs", "--json"], { env: env(url) })).stdout);
    return new Map(jobs.map(({ job_id, status }) => [job_id, status]));
  };
  expect(await statuses(first.url)).toEqual(
    new Map([
      [ends, "running"],
      [waits, "pending"],
      [runs, "running"],
    ]),
  );

  first.child.kill("SIGTERM");
  await stopsTakingWork(first.url);
  expect((await first.ended()).code).toBe(0);

  const second = await place.serve("serve");
  await place.write("done", "");
  const watch = async (job: string) =>
    jsonLines((await place.run(["watch", job, "--json"], { env: env(second.url) })).stdout);
  expect((await watch(runs)).at(-1)).toMatchObject({ final_status: "success", result: { attempt: 2 } });
  expect((await watch(waits)).at(-1)).toMatchObject({ final_status: "success", result: { attempt: 1 } });
  expect((await watch(ends)).at(-1)).toMatchObject({ error: { code: "INTERNAL_ERROR", retryable: true } });
});

it("does not wait for jobs that only wait", async () => {
  const token = (await place.run(["token", "create", "ada"])).stdout.trim();
  const serve = await place.serve("serve", ["--drain", "1h"]);
  const env = { LEASEHOLD_URL: serve.url, LEASEHOLD_TOKEN: token };
  const submit = (until: string) =>
    place.run(["submit", "patient", JSON.stringify({ until: place.path(until) }), "--detach"], { env });
  await submit("done");
  await submit("never");
  serve.child.kill("SIGTERM");
  await stopsTakingWork(serve.url);
  await place.write("done", "");
  expect((await serve.ended()).code).toBe(0);
});
