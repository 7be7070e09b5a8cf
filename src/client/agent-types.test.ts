import { expectTypeOf, it } from "vitest";
import type { AgentInput, AgentOutput, AgentReference } from "./agent-types.ts";
import { connect } from "./connect.ts";
import type { Job } from "./job.ts";
import type { JobListings } from "./job-listings.ts";
import type { Session } from "./session.ts";

/** As `defineAgent` types a definition. */
interface Agent<Name extends string, Input, Output> {
  readonly name: Name;
  readonly "~types"?: { readonly input: Input; readonly output: Output } | undefined;
}

type Report = Agent<"report", { path: string }, { lines: number }>;
type Echo = Agent<"echo", unknown, unknown>;
type Poem = Agent<"poem", null, string>;
type Picture = Agent<"picture", null, Uint8Array>;
type Module = { readonly report: Report; readonly echo: Echo; readonly version: string };

it("reads names, inputs and outputs from one definition, a list, or a module", () => {
  expectTypeOf<AgentReference<Report>>().toEqualTypeOf<"report" | `report@${string}`>();
  expectTypeOf<AgentReference<readonly [Report, Echo]>>().toEqualTypeOf<AgentReference<Module>>();
  expectTypeOf<AgentInput<Module, "report@1.0.0">>().toEqualTypeOf<{ path: string }>();
  expectTypeOf<AgentOutput<(Report | Echo)[], "report">>().toEqualTypeOf<{ lines: number }>();
  expectTypeOf<AgentInput<Module, "echo">>().toBeUnknown();
});

it("takes anything where the agents are not known", () => {
  expectTypeOf<AgentReference<unknown>>().toBeString();
  expectTypeOf<AgentInput<unknown, string>>().toBeUnknown();
  expectTypeOf(connect).returns.resolves.toEqualTypeOf<Session<unknown>>();
});

it("types a submission and its result", () => {
  const use = (session: Session<Module>) => session.submit("report", { path: "." });
  expectTypeOf(use).returns.resolves.toEqualTypeOf<Job<{ lines: number }>>();
  // @ts-expect-error the input lacks its path
  const wrongInput = (session: Session<Module>) => session.submit("report", {});
  // @ts-expect-error there is no such agent
  const wrongName = (session: Session<Module>) => session.submit("repot", { path: "." });
  expectTypeOf([wrongInput, wrongName]).toBeArray();
});

it("types the parts of a streamed result", () => {
  const use = async (session: Session<readonly [Poem, Picture]>, anything: Job): Promise<void> => {
    const poem = await session.submit("poem", null);
    const picture = await session.submit("picture", null);
    for await (const part of poem.resultStream()) expectTypeOf(part).toExtend<string>();
    for await (const part of picture.resultStream()) expectTypeOf(part).toExtend<Uint8Array>();
    for await (const part of anything.resultStream()) expectTypeOf(part).toEqualTypeOf<string | Uint8Array>();
    // A job of one agent goes where any job does.
    expectTypeOf(poem).toExtend<Job>();
  };
  expectTypeOf(use).returns.resolves.toBeVoid();
});

it("types listings and options", () => {
  const use = (session: Session<Module>) =>
    session.jobs({ status: ["running"], createdBefore: "2030-01-01T00:00:00Z", pageSize: 10 });
  expectTypeOf(use).returns.toEqualTypeOf<JobListings>();
  // @ts-expect-error there is no such status
  const wrongStatus = (session: Session<Module>) => session.jobs({ status: ["done"] });
  // @ts-expect-error a version is pinned as name@version of an agent that there is
  const wrongVersion = (session: Session<Module>) => session.submit("repot@1.0.0", { path: "." });
  // @ts-expect-error a budget is exact, and therefore text
  const wrongBudget = (session: Session<Module>) => session.submit("echo", null, { budget: { USD: 5 } });
  expectTypeOf([wrongStatus, wrongVersion, wrongBudget]).toBeArray();
});
