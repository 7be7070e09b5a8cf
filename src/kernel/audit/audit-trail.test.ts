import { beforeEach, describe, expect, it } from "vitest";
import { silentLog } from "../../platform/log.ts";
import { createMemoryStore } from "../../stores/memory/memory-store.ts";
import { createFakeWorld, type FakeWorld } from "../../testing/fake-world.ts";
import { createFaultyStore, type FaultyStore } from "../../testing/faulty-store.ts";
import { GroupCommit } from "../log/group-commit.ts";
import { NOBODY_SCOPE } from "./audit-row.ts";
import {
  AUDIT_KEPT_MS,
  AUDIT_MINUTE_MS,
  type AuditedDecision,
  AuditTrail,
  MAX_NAMELESS_REFUSALS_TOLD,
  MAX_REFUSALS_TOLD,
} from "./audit-trail.ts";

let world: FakeWorld;
let store: FaultyStore;
let trail: AuditTrail;
let errors: string[];

beforeEach(() => {
  world = createFakeWorld();
  store = createFaultyStore(createMemoryStore());
  errors = [];
  const log = { ...silentLog, error: (_fields: object, message: string) => void errors.push(message) };
  const commits = new GroupCommit({ store, timers: world.timers, log, contributors: [], onFailed: () => {} });
  trail = new AuditTrail({ commits, world, log });
});

const subscribed = (fields: Partial<AuditedDecision> = {}): AuditedDecision => ({
  principal: "t/me",
  action: "job.subscribe",
  job: "a",
  owner: "t/me",
  allowed: true,
  ...fields,
});
const refused = (fields: Partial<AuditedDecision> = {}) => subscribed({ owner: null, allowed: false, ...fields });

async function rows() {
  await world.settle();
  return (await store.listAudit({ scopes: ["t/*", NOBODY_SCOPE], limit: 100_000 })).entries.toReversed();
}

const detailsOf = async () => (await rows()).map(({ details }) => JSON.parse(details) as unknown);

describe("a decision", () => {
  it("is written with its time, and what else there is to say", async () => {
    trail.add(subscribed({ details: { reason: 'said "no"' } }));
    expect(await rows()).toEqual([
      { seq: 1, at: world.clock.now(), ...subscribed(), details: '{"reason":"said \\"no\\""}' },
    ]);
  });

  it("that is the same again within a minute is counted, and told when the minute is over", async () => {
    for (let time = 0; time < 4; time++) trail.add(subscribed());
    trail.add(subscribed({ job: "b" }));
    expect(await rows()).toHaveLength(2);
    await world.advance(AUDIT_MINUTE_MS);
    expect(await detailsOf()).toEqual([{}, {}, { repeated: 3 }]);
    trail.add(subscribed());
    await world.advance(AUDIT_MINUTE_MS);
    expect(await rows()).toHaveLength(4);
  });

  it("is told whatever there is of others, as long as it was allowed", async () => {
    for (let index = 0; index < 500; index++) trail.add(subscribed({ job: `job-${index}` }));
    expect(await rows()).toHaveLength(500);
  });

  it("keeps to its bounds: a long id is cut, and long details are left out", async () => {
    trail.add(refused({ job: "x".repeat(100_000), details: { reason: "y".repeat(100_000) } }));
    const [row] = await rows();
    expect(row?.job).toBe("x".repeat(128));
    expect(row?.details).toBe('{"left_out":"details of 100013 characters"}');
  });

  it("that cannot be written is an error in the log, and the next one is written", async () => {
    store.failNext();
    trail.add(subscribed());
    await world.settle();
    expect(errors).toContain("decisions could not be audited");
    trail.add(subscribed({ job: "b" }));
    expect(await rows()).toHaveLength(1);
  });
});

describe("a flood of refusals", () => {
  it("of one principal is told up to a number a minute, then counted; others are not affected", async () => {
    for (let index = 0; index < 1_000; index++) trail.add(refused({ job: `guess-${index}` }));
    trail.add(refused({ principal: "t/you", job: "b" }));
    trail.add(subscribed());
    expect(await rows()).toHaveLength(MAX_REFUSALS_TOLD + 2);
    await world.advance(AUDIT_MINUTE_MS);
    expect((await rows()).at(-1)).toMatchObject({
      principal: "t/me",
      allowed: false,
      job: null,
      details: `{"others":true,"repeated":${1_000 - MAX_REFUSALS_TOLD}}`,
    });
  });

  it("of nobody knows whom is told up to a number a minute, from however many places", async () => {
    const knock = (index: number) =>
      refused({ principal: null, action: "session.authenticate", job: null, source: `10.0.0.${index}` });
    for (let index = 0; index < 2_000; index++) trail.add(knock(index));
    expect(await rows()).toHaveLength(MAX_NAMELESS_REFUSALS_TOLD);
    await world.advance(AUDIT_MINUTE_MS);
    expect(await rows()).toHaveLength(MAX_NAMELESS_REFUSALS_TOLD + 1);
    trail.add(knock(1));
    expect(await rows()).toHaveLength(MAX_NAMELESS_REFUSALS_TOLD + 2);
  });
});

describe("the end", () => {
  it("tells what was only counted, and leaves no timer", async () => {
    trail.add(subscribed());
    trail.add(subscribed());
    trail.flush();
    expect(await detailsOf()).toEqual([{}, { repeated: 1 }]);
    expect(world.pendingTimers).toBe(0);
  });
});

describe("what is old", () => {
  it("goes as new decisions come, more of it than is written", async () => {
    for (let index = 0; index < 2_500; index++) trail.add(subscribed({ job: `job-${index}` }));
    await world.advance(AUDIT_KEPT_MS);
    expect(await rows()).toHaveLength(2_500);
    for (let minute = 0; minute < 3; minute++) {
      trail.add(subscribed({ job: `new-${minute}` }));
      await world.advance(AUDIT_MINUTE_MS);
    }
    expect((await rows()).map(({ job }) => job)).toEqual(["new-0", "new-1", "new-2"]);
  });
});
