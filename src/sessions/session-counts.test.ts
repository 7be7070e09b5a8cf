import { describe, expect, it } from "vitest";
import { createFakeWorld } from "../testing/fake-world.ts";
import { createMemoryConnectionPair } from "../transports/memory.ts";
import { Channel } from "./channel.ts";
import { SessionStream } from "./outbox/session-stream.ts";
import type { Session } from "./session.ts";
import { countSessions } from "./session-counts.ts";

const { timers, ids, clock } = createFakeWorld();

/** A session whose stream has `head` places, of which `sent` were handed to its connection. */
function aSession({ head = 0, sent = 0, connected = true } = {}): Session {
  const { server } = createMemoryConnectionPair({ timers });
  const stream = new SessionStream({ session: ids.next("sess"), hidden: "", head });
  if (connected) stream.attach(server, sent);
  const channel = connected ? new Channel(server, ids, clock) : undefined;
  // Of a session the count looks at no more than these two.
  return { channel, stream } as Session;
}

const heads = (of: Readonly<Record<string, number>>) => ({ readHeads: async () => new Map(Object.entries(of)) });

describe("sessions", () => {
  it("are counted by whether they have a connection", async () => {
    const sessions = [aSession(), aSession({ connected: false }), aSession({ connected: false })];
    expect(await countSessions(sessions, heads({}))).toEqual({ connected: 1, parked: 2, behind: 0, maxLag: 0 });
  });

  it("are behind by what has a place and was not sent, and by what has no place yet", async () => {
    const [slow, slower, parked] = [
      aSession({ head: 10, sent: 7 }),
      aSession({ head: 5, sent: 5 }),
      aSession({ head: 900, connected: false }),
    ];
    slower.stream.follow("job_1", 20, false);
    slower.stream.lag("job_1");
    expect(await countSessions([slow, slower, parked], heads({ job_1: 120 }))).toEqual({
      connected: 2,
      parked: 1,
      behind: 2,
      maxLag: 100,
    });
  });

  it("that only may be behind are not, once their logs were looked at", async () => {
    const session = aSession();
    session.stream.follow("job_1", 20, false);
    session.stream.lag("job_1");
    expect(await countSessions([session], heads({ job_1: 20 }))).toMatchObject({ behind: 0, maxLag: 0 });
  });
});
