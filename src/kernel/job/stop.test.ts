import { describe, expect, it } from "vitest";
import { anAgent, createTestKernel, deaf, echo, endless } from "../test-kernel.ts";
import type { JobRecord } from "./job-record.ts";

const refusal = (code: string) => expect.objectContaining({ code });

describe("cancelling a job", () => {
  it.each([
    ["heeds its signal", deaf],
    ["does not", endless],
  ])("[arcp-7.3-terminal-states] ends it with code CANCELLED in one commit, when its agent %s", async (_, agent) => {
    const { submit, kernel, world, log, batches } = await createTestKernel({ agents: [agent] });
    const { job } = await submit(agent.name);
    const before = batches.length;
    const answers: JobRecord[] = [];
    const cancelled = kernel.cancel({ job: job.id, reason: "enough" }, (answer) => answers.push(answer));
    await world.settle();
    await cancelled;
    expect(answers.map(({ status }) => status)).toEqual(["cancelled"]);
    expect(await log(job.id)).toMatchObject([
      {
        code: "E",
        payload: { final_status: "cancelled", code: "CANCELLED", message: "the job was cancelled: enough" },
      },
    ]);
    expect([batches.length - before, kernel.unfinished]).toEqual([1, 0]);
  });

  it("is told with as much of its reason as fits a frame", async () => {
    const { submit, kernel, world, log } = await createTestKernel({ agents: [endless] });
    const { job } = await submit("endless");
    const cancelled = kernel.cancel({ job: job.id, reason: "x".repeat(1_000_000) }, () => {});
    await world.settle();
    await cancelled;
    expect(String((await log(job.id)).at(-1)?.payload.message)).toMatch(/^the job was cancelled: x{16384}…$/);
  });

  it("[law-commit-then-publish] is answered when it is stored, and before its terminal is published", async () => {
    const happened: string[] = [];
    const contributors = [
      {
        contribute: (transitions: readonly { ended: boolean }[]) => ({
          rows: {},
          committed: () => void (transitions.some(({ ended }) => ended) && happened.push("published")),
        }),
      },
    ];
    const { submit, kernel, world, store } = await createTestKernel({ agents: [deaf], contributors });
    const { job } = await submit("deaf");
    store.hold();
    void kernel.cancel({ job: job.id }, () => happened.push("answered"));
    await world.settle();
    expect(happened).toEqual([]);
    store.release();
    await world.settle();
    expect(happened).toEqual(["answered", "published"]);
  });

  it("[law-one-terminal] is answered alike as often as it is asked, and ends the job once", async () => {
    const { submit, kernel, world, log } = await createTestKernel({ agents: [deaf] });
    const { job } = await submit("deaf");
    const statuses: string[] = [];
    const cancel = () => void kernel.cancel({ job: job.id }, ({ status }) => statuses.push(status));
    cancel();
    cancel();
    await world.settle();
    cancel();
    await world.settle();
    expect(statuses).toEqual(["cancelled", "cancelled", "cancelled"]);
    expect(await log(job.id)).toHaveLength(1);
  });

  it("tells the faces once that the job has ended, though it is cancelled again while that is in flight", async () => {
    let ended = 0;
    const contributors = [
      {
        contribute: (transitions: readonly { ended: boolean }[]) => {
          ended += transitions.filter((transition) => transition.ended).length;
          return undefined;
        },
      },
    ];
    const { submit, kernel, world, store } = await createTestKernel({ agents: [deaf], contributors });
    const { job } = await submit("deaf");
    const statuses: string[] = [];
    store.hold();
    void kernel.cancel({ job: job.id }, ({ status }) => statuses.push(status));
    await world.settle();
    void kernel.cancel({ job: job.id }, ({ status }) => statuses.push(status));
    store.release();
    await world.settle();
    expect([ended, statuses, kernel.unfinished]).toEqual([1, ["cancelled", "cancelled"], 0]);
  });

  it("[reading-cancel-repeated] is answered with the final status when the job has ended before", async () => {
    const { submit, kernel } = await createTestKernel({ agents: [echo] });
    const { job } = await submit("echo", 1);
    const answers: JobRecord[] = [];
    await kernel.cancel({ job: job.id }, (answer) => answers.push(answer));
    expect(answers.map(({ status }) => status)).toEqual(["success"]);
  });

  it("is refused for a job that does not exist", async () => {
    const { kernel } = await createTestKernel();
    await expect(kernel.cancel({ job: "job_none" }, () => {})).rejects.toThrow(refusal("JOB_NOT_FOUND"));
  });

  it("keeps the agent from being started when the start is still in flight", async () => {
    let ran = false;
    const eager = anAgent("eager", () => {
      ran = true;
      return {};
    });
    const { kernel, submit, world, store, log } = await createTestKernel({ agents: [eager] });
    store.hold();
    const submitted = submit("eager");
    await world.settle();
    // Nobody outside knows the id yet; whoever ends jobs in bulk, such as an operator, does.
    const id = store.held === 1 ? await onlyJobIn(store.crashImage(() => true)) : "";
    void kernel.cancel({ job: id }, () => {});
    store.release();
    await world.settle();
    await submitted;
    expect([ran, (await log(id)).map(({ code }) => code)]).toEqual([false, ["E"]]);
  });

  it("is refused when it cannot be stored, and can be tried again", async () => {
    const { submit, kernel, world, store, stored } = await createTestKernel({
      agents: [{ ...endless, restart: "always" }],
    });
    const { job } = await submit("endless");
    store.failNext();
    const failed = kernel.cancel({ job: job.id }, () => {});
    failed.catch(() => {});
    await world.settle();
    await expect(failed).rejects.toThrow(refusal("INTERNAL_ERROR"));
    expect((await stored(job.id)).status).toBe("running");
    await expect(kernel.cancel({ job: job.id }, () => {})).rejects.toThrow(refusal("INTERNAL_ERROR"));
    await world.advance(2_000);
    const again = kernel.cancel({ job: job.id }, () => {});
    await world.settle();
    await again;
    expect((await stored(job.id)).status).toBe("cancelled");
  });

  it("hears of a callback of its own that throws, and has cancelled all the same", async () => {
    const { submit, kernel, world, stored } = await createTestKernel({ agents: [deaf] });
    const { job } = await submit("deaf");
    const cancelled = kernel.cancel({ job: job.id }, () => {
      throw new Error("the connection broke");
    });
    cancelled.catch(() => {});
    await world.settle();
    await expect(cancelled).rejects.toThrow("the connection broke");
    expect([(await stored(job.id)).status, kernel.unfinished]).toEqual(["cancelled", 0]);
  });
});

describe("a command from another node", () => {
  type Test = Awaited<ReturnType<typeof createTestKernel>>;

  const ask = ({ store, world }: Test, id: string, job: string, body: unknown = {}) =>
    store.commit({
      claims: [],
      rows: {
        commands: [{ id, root: job, job, kind: "cancel", body: JSON.stringify(body), createdAt: world.clock.now() }],
      },
    });
  const outcomeOf = async ({ store }: Test, id: string): Promise<unknown> =>
    JSON.parse((await store.readCommandOutcome(id)) ?? "null");

  it("is carried out and answered", async () => {
    const test = await createTestKernel({ agents: [deaf] });
    const { job } = await test.submit("deaf");
    await ask(test, "cmd_1", job.id, { reason: "elsewhere" });
    await test.world.settle();
    expect(await outcomeOf(test, "cmd_1")).toEqual({ status: "cancelled" });
    expect(await test.log(job.id)).toMatchObject([{ payload: { message: "the job was cancelled: elsewhere" } }]);
  });

  it("is answered with the final status when the job has ended before", async () => {
    const test = await createTestKernel({ agents: [echo] });
    const { job } = await test.submit("echo", 1);
    await ask(test, "cmd_1", job.id);
    await test.world.settle();
    expect(await outcomeOf(test, "cmd_1")).toEqual({ status: "success" });
  });

  it("that makes no sense is answered with an error, and keeps no other from being carried out", async () => {
    const test = await createTestKernel({ agents: [deaf] });
    const [one, two] = [(await test.submit("deaf")).job.id, (await test.submit("deaf")).job.id];
    await ask(test, "cmd_1", one, null);
    await ask(test, "cmd_2", two);
    await test.world.settle();
    expect(await outcomeOf(test, "cmd_1")).toMatchObject({ error: { code: "INTERNAL_ERROR" } });
    expect(await outcomeOf(test, "cmd_2")).toEqual({ status: "cancelled" });
  });

  it("is answered once, though more commands come while it is carried out", async () => {
    const test = await createTestKernel({ agents: [endless] });
    const jobs: string[] = [];
    for (let job = 0; job < 5; job++) jobs.push((await test.submit("endless")).job.id);
    const bystander = (await test.submit("endless")).job.id;
    for (const [index, job] of jobs.entries()) {
      await ask(test, `cmd_${index}`, job);
      await Promise.resolve();
    }
    await test.world.settle();
    for (const index of jobs.keys()) expect(await outcomeOf(test, `cmd_${index}`)).toEqual({ status: "cancelled" });
    // An outcome written twice would have failed the commit, and taken the jobs in it down.
    expect((await test.stored(bystander)).status).toBe("running");
    expect(test.batches.flatMap(({ rows }) => rows.commandOutcomes ?? [])).toHaveLength(5);
  });

  it("that came while nobody owned the tree is carried out at the next start", async () => {
    const first = await createTestKernel({ agents: [{ ...endless, restart: "always" }] });
    const { job } = await first.submit("endless");
    await first.kernel.close();
    await ask(first, "cmd_1", job.id);
    const later = await first.crash();
    expect(await outcomeOf(later, "cmd_1")).toEqual({ status: "cancelled" });
  });

  it("whose outcome cannot be stored is answered after the next wake-up", async () => {
    const test = await createTestKernel({ agents: [echo] });
    const { job } = await test.submit("echo", 1);
    await ask(test, "cmd_1", job.id);
    test.store.failNext();
    await test.world.settle();
    expect(await outcomeOf(test, "cmd_1")).toBeNull();
    await ask(test, "cmd_2", job.id);
    await test.world.settle();
    expect([await outcomeOf(test, "cmd_1"), await outcomeOf(test, "cmd_2")]).toEqual([
      { status: "success" },
      { status: "success" },
    ]);
  });
});

async function onlyJobIn(image: ReturnType<Awaited<ReturnType<typeof createTestKernel>>["store"]["crashImage"]>) {
  const [id] = (await image).tables.jobs.keys();
  return id ?? "";
}
