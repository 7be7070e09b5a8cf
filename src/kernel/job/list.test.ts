import { beforeEach, describe, expect, it } from "vitest";
import { aJob } from "../../stores/contract/rows.ts";
import { createFakeWorld, type FakeWorld } from "../../testing/fake-world.ts";
import { type JobPage, type JobQuery, PAGE_LENGTH, type Store } from "../ports.ts";
import { Listings } from "./list.ts";

let world: FakeWorld;
/** Queries in the order in which the store was asked. */
let asked: JobQuery[];

beforeEach(() => {
  world = createFakeWorld();
  asked = [];
});

const page = (ids: readonly string[], next?: number, lease: string | null = null): JobPage => ({
  jobs: ids.map((id) => aJob(id, { lease })),
  next,
});

/** Answers each query with the page for its place. */
function listingsOf(answer: (query: JobQuery) => JobPage): Listings {
  const listJobs: Store["listJobs"] = async (query) => {
    asked.push(query);
    return answer(query);
  };
  return new Listings({ listJobs }, world.timers);
}

async function idsOf(listing: Promise<readonly { readonly id: string }[]>): Promise<string[]> {
  await world.settle();
  return (await listing).map(({ id }) => id);
}

const QUERY: JobQuery = { principals: ["t/me"], agent: "rare", limit: 3 };

describe("a listing", () => {
  it("goes on where a page ended, until it has what was asked for", async () => {
    const pages = [page([], 90), page(["c"], 80), page(["b", "a"], 70)];
    const listings = listingsOf(({ from }) => pages[from === undefined ? 0 : from === 90 ? 1 : 2] as JobPage);
    expect(await idsOf(listings.list(QUERY))).toEqual(["c", "b", "a"]);
    expect(asked).toEqual([QUERY, { ...QUERY, from: 90 }, { ...QUERY, from: 80, limit: 2 }]);
  });

  it("ends when nothing older is left", async () => {
    const listings = listingsOf(({ from }) => (from === undefined ? page(["a"], 9) : page([])));
    expect(await idsOf(listings.list(QUERY))).toEqual(["a"]);
  });

  it("ends when what it holds is long enough for a page", async () => {
    const listings = listingsOf(() => page(["a"], 9, "x".repeat(PAGE_LENGTH / 2)));
    expect(await idsOf(listings.list({ ...QUERY, limit: 100 }))).toEqual(["a", "a"]);
  });
});

it("of many that go on, one does in each turn of the event loop, in their order", async () => {
  const listings = listingsOf(({ from = 3 }) => page([], from === 0 ? undefined : from - 1));
  const first = listings.list({ ...QUERY, agent: "first" });
  const second = listings.list({ ...QUERY, agent: "second" });
  const turns: string[] = [];
  const begun = 2;
  /** Runs in each turn after what was put there before it. */
  const look = (): void => {
    turns.push(
      asked
        .slice(begun)
        .map(({ agent }) => agent)
        .join(" "),
    );
    if (asked.length < 8) world.timers.soon(look);
  };
  world.timers.soon(look);
  await world.settle();
  await Promise.all([first, second]);
  const perTurn = turns.map((all) => all.split(" ").filter((agent) => agent !== "").length);
  for (const [index, count] of perTurn.entries()) expect(count - (perTurn[index - 1] ?? 0)).toBeLessThanOrEqual(1);
  expect(asked.map(({ agent }) => agent)).toEqual(Array.from({ length: 4 }, () => ["first", "second"]).flat());
});
