/** Where a subscription begins that names a place of a session's stream. */
import { beforeEach, describe, expect, it } from "vitest";
import { ALL_FEATURES, isSequenced, type Sequenced, type TestClient, theOne } from "../test-client.ts";
import { type Puppet, startTestRuntime, type TestRuntime } from "../test-runtime.ts";

let runtime: TestRuntime;
let client: TestClient;
/** Two jobs whose entries alternate in the client's stream: job `first` has the odd places. */
let first: string;
let second: string;
let puppets: readonly Puppet[];

async function begin(features: readonly string[]): Promise<void> {
  runtime = await startTestRuntime();
  client = runtime.connect();
  await client.open({ features });
  first = (await client.submit("puppet")).payload.job_id;
  second = (await client.submit("puppet")).payload.job_id;
  puppets = [runtime.puppet(first), runtime.puppet(second)];
  for (let round = 0; round < 5; round++) {
    for (const { ctx } of puppets) {
      await ctx.log(`round ${round}`);
      await client.settled();
    }
  }
  for (const { finish } of puppets) {
    finish();
    await client.settled();
  }
}

const seqsOf = (events: readonly Sequenced[]): unknown[] => events.map(({ payload }) => payload.job_seq);

/** What a subscription to a finished job brings, as positions of its log. */
async function replayed(fields: object, on = client): Promise<{ from: unknown; seqs: unknown[] }> {
  on.send("job.subscribe", { history: true, ...fields });
  const received = await on.settled();
  const { subscribed_from: from } = theOne(received, "job.subscribed").payload;
  return { from, seqs: seqsOf(received.filter(isSequenced)) };
}

describe("a place of this session's stream [reading-subscribe-position]", () => {
  beforeEach(() => begin(ALL_FEATURES));

  it.each([
    // Places 1, 3, 5, 7, 9 and 11 are the first job's entries 1 to 6.
    [1, 1],
    [5, 3],
    [9, 5],
  ])("%i for this job stands for its entry %i", async (from_event_seq, position) => {
    const { from, seqs } = await replayed({ job_id: first, from_event_seq });
    expect(from).toBe(position);
    expect(seqs).toEqual([1, 2, 3, 4, 5, 6].slice(position));
  });

  it("for this job's last entry leaves nothing to replay", async () => {
    expect(await replayed({ job_id: first, from_event_seq: 11 })).toEqual({ from: 6, seqs: [] });
  });

  it("for another job is taken as a position of the log", async () => {
    expect(await replayed({ job_id: second, from_event_seq: 5 })).toEqual({ from: 5, seqs: [6] });
    expect(await replayed({ job_id: first, from_event_seq: 4 })).toEqual({ from: 4, seqs: [5, 6] });
  });

  it("beyond what there is means the whole history", async () => {
    expect((await replayed({ job_id: first, from_event_seq: 1_000 })).seqs).toEqual([1, 2, 3, 4, 5, 6]);
  });

  it("goes for less than a position of the log that is named as one", async () => {
    expect((await replayed({ job_id: first, from_job_seq: 1, from_event_seq: 5 })).from).toBe(1);
  });

  it("is mapped in this session only: in another it is a position of the log", async () => {
    const other = runtime.connect();
    await other.open();
    expect(await replayed({ job_id: first, from_event_seq: 5 }, other)).toEqual({ from: 5, seqs: [6] });
  });

  it("that was acknowledged and freed is a position of the log again", async () => {
    await client.submit("flood", { n: 1_500, every: 100 });
    client.send("session.ack", { last_processed_seq: 1_400 });
    await client.settled();
    expect((await replayed({ job_id: first, from_event_seq: 5 })).from).toBe(5);
  });
});

it("a place is found among entries that the session does not see", async () => {
  runtime = await startTestRuntime();
  client = runtime.connect();
  await client.open({ features: ["subscribe"] });
  client.send("job.submit", { agent: "flood", input: { n: 9 } });
  const placed = (await client.settled()).filter(isSequenced);
  const job_id = placed[0]?.job_id;
  // Every third entry is a progress, which takes no place.
  expect(seqsOf(placed)).toEqual([1, 2, 4, 5, 7, 8, 10]);
  for (const { event_seq, payload } of placed) {
    const { from, seqs } = await replayed({ job_id, from_event_seq: event_seq });
    expect(from).toBe(payload.job_seq);
    expect(seqs).toEqual(seqsOf(placed).filter((seq) => Number(seq) > Number(payload.job_seq)));
  }
});
