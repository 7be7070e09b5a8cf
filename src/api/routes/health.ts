/** `GET /api/health`: how the runtime is, for those signed in. `/healthz` is for anyone, and says less. */
import Type from "typebox";
import { formatTime } from "../../kernel/log/entry.ts";
import type { PrincipalKey } from "../../kernel/principal.ts";
import type { App, RouteContext } from "../route.ts";
import { Time } from "../schemas.ts";

const Health = Type.Object({
  status: Type.Enum(["ok"]),
  version: Type.String(),
  now: Time,
  started_at: Time,
  uptime_sec: Type.Integer(),
  sessions: Type.Optional(
    Type.Integer({ description: "of everyone, with a connection or parked; for operators of the runtime only" }),
  ),
  jobs: Type.Object(
    { pending: Type.Integer(), running: Type.Integer(), winding_down: Type.Integer() },
    {
      description: "unfinished jobs in this process that the caller may see; for operators of the runtime, of everyone",
    },
  ),
  readers: Type.Integer({ description: "answers that go on, followed logs and feeds, of the same principals" }),
  store_bytes: Type.Optional(Type.Integer({ description: "what the store holds; for operators of the runtime only" })),
});

export function addHealth(app: App, context: RouteContext): void {
  const { kernel, world, version, followers, startedAt, visibility } = context;
  const schema = {
    operationId: "readHealth",
    summary: "Sessions, jobs by state, queue, store size, uptime, version",
    description:
      "Nobody learns from these figures what others do: they are of the jobs that the caller may see. Operators of the runtime are those of the tenant default.",
    response: { 200: Health },
  };
  app.get("/api/health", { schema }, async ({ caller: { principal } }) => {
    const now = world.clock.now();
    const operates = visibility.operatesRuntime(principal);
    const isCounted = (owner: PrincipalKey) => operates || visibility.mayObserve(principal, { principal: owner });
    const { pending, running, ending } = kernel.countUnfinished(isCounted);
    return {
      status: "ok" as const,
      version,
      now: formatTime(now),
      started_at: formatTime(startedAt),
      uptime_sec: Math.floor((now - startedAt) / 1000),
      jobs: { pending, running, winding_down: ending },
      readers: followers.count(isCounted),
      ...(operates ? { sessions: context.countSessions(), store_bytes: await context.measureStore() } : {}),
    };
  });
}
