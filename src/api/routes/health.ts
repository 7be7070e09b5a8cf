/** `GET /api/health`: how the runtime is, for those signed in. `/healthz` is for anyone, and says less. */
import Type from "typebox";
import { formatTime } from "../../kernel/log/entry.ts";
import type { App, RouteContext } from "../route.ts";
import { Time } from "../schemas.ts";

const Health = Type.Object({
  status: Type.Enum(["ok"]),
  version: Type.String(),
  now: Time,
  started_at: Time,
  uptime_sec: Type.Integer(),
  sessions: Type.Integer({ description: "with a connection or parked" }),
  jobs: Type.Object(
    { pending: Type.Integer(), running: Type.Integer(), winding_down: Type.Integer() },
    { description: "unfinished jobs of everyone, in this process" },
  ),
  readers: Type.Integer({ description: "answers that go on: followed logs and feeds" }),
  store_bytes: Type.Integer({ description: "what the store holds" }),
});

export function addHealth(app: App, context: RouteContext): void {
  const { kernel, world, version, followers, startedAt } = context;
  const schema = {
    operationId: "readHealth",
    summary: "Sessions, jobs by state, queue, store size, uptime, version",
    response: { 200: Health },
  };
  app.get("/api/health", { schema }, async () => {
    const now = world.clock.now();
    const { pending, running, ending } = kernel.countUnfinished();
    return {
      status: "ok" as const,
      version,
      now: formatTime(now),
      started_at: formatTime(startedAt),
      uptime_sec: Math.floor((now - startedAt) / 1000),
      sessions: context.countSessions(),
      jobs: { pending, running, winding_down: ending },
      readers: followers.size,
      store_bytes: await context.measureStore(),
    };
  });
}
