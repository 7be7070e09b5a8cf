/** A `ctx` over a `TestHost` that is guarded as in a runtime: by the real guard, under a lease. For this folder's tests. */
import { createGuard } from "../kernel/authority/guard.ts";
import { parseLease } from "../kernel/authority/lease.ts";
import { createFakeWorld, type FakeWorld } from "../testing/fake-world.ts";
import type { AgentContext } from "./agent-context.ts";
import { createContext } from "./context.ts";
import { createTestHost, type TestHost, type TestHostOptions } from "./test-host.ts";

export interface TestContext {
  readonly ctx: AgentContext;
  readonly host: TestHost;
  readonly world: FakeWorld;
  /** What the log tells of the calls so far: tool, arguments, and how each ended. */
  calls(): readonly {
    readonly tool: unknown;
    readonly args: unknown;
    readonly result?: unknown;
    readonly error?: unknown;
  }[];
}

/** @param request as in `lease_request`; null for a job without a lease. `expiresInMs` from now on. */
export function openTestContext(
  request: Readonly<Record<string, readonly string[]>> | null,
  {
    expiresInMs,
    apart = [],
    ...options
  }: TestHostOptions & { readonly expiresInMs?: number; readonly apart?: readonly string[] } = {},
): TestContext {
  const world = createFakeWorld();
  const { clock } = world;
  const lease = request === null ? null : parseLease(request, undefined, clock.now());
  const expiresAt = expiresInMs === undefined ? null : clock.now() + expiresInMs;
  const host = createTestHost({ guard: createGuard({ lease, expiresAt, clock }), ...options, lease });
  const { ctx } = createContext(host, undefined, world.ids, (run, ...args) => run(...args), { apart });
  return {
    ctx,
    host,
    world,
    calls: () => {
      const results = new Map(host.bodies("tool_result").map(({ call_id, ...outcome }) => [call_id, outcome]));
      return host.bodies("tool_call").map(({ tool, args, call_id }) => ({ tool, args, ...results.get(call_id) }));
    },
  };
}
