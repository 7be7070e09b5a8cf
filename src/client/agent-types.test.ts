import { expectTypeOf, it } from "vitest";
import type { AgentInput, AgentOutput, AgentReference } from "./agent-types.ts";
import { connect } from "./connect.ts";
import type { Job } from "./job-handle.ts";
import type { Session } from "./session.ts";

/** As `defineAgent` types a definition. */
interface Agent<Name extends string, Input, Output> {
  readonly name: Name;
  readonly "~types"?: { readonly input: Input; readonly output: Output } | undefined;
}

type Report = Agent<"report", { path: string }, { lines: number }>;
type Echo = Agent<"echo", unknown, unknown>;
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
