/** `GET /api/feed`: changes of the jobs the caller may see, as they happen. */
import Type from "typebox";
import { CHANGES, FEED_INTERVAL_MS, FeedReader, MAX_WAITING_CHANGES } from "../job-feed.ts";
import { JobChange } from "../job-view.ts";
import { Permission } from "../permission-view.ts";
import type { App, RouteContext } from "../route.ts";

const FeedLine = Type.Union([
  Type.Object({ type: Type.Literal("feed.opened", { description: "the first line: from here on nothing is missed" }) }),
  Type.Object({ type: Type.Enum([...CHANGES]), job: JobChange }),
  Type.Object({
    type: Type.Literal("permission.changed", { description: "a job asks people for something, or that was decided" }),
    permission: Permission,
  }),
  Type.Object({
    type: Type.Literal("feed.missed", { description: "some changes were given up: read the listing again" }),
    changes: Type.Integer(),
  }),
]);

export function addFeed(app: App, { kernel, world, visibility, followers }: RouteContext): void {
  const schema = {
    operationId: "readFeed",
    summary: "Changes of the jobs the caller may see, a line of JSON each, as they happen",
    description:
      `Begins with a line feed.opened, and tells of changes from then on: open it first, then read GET /api/jobs. What ` +
      `happens to one job within ${FEED_INTERVAL_MS} ms, or while the reader is behind, comes as one line, with the job as it is ` +
      `by then. When more than ${MAX_WAITING_CHANGES} jobs and permissions wait for a reader, they are given up, and a line feed.missed says so. ` +
      `Blank lines mean: still here.`,
    response: { 200: { content: { "application/x-ndjson": { schema: FeedLine } } } },
  };
  app.get("/api/feed", { schema }, async (request, reply) => {
    const { caller } = request;
    await followers.answer(reply, {
      caller,
      mayRead: () => true,
      // The caller's principal is renewed while it reads: what it sees follows its roles.
      lines: (signal) =>
        new FeedReader(kernel, world.timers, (job) => visibility.mayObserve(caller.principal, job)).lines(signal),
    });
  });
}
