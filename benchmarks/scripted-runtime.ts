/**
 * A stand-in for the runtime, for the tests of the harness: it answers as an ARCP runtime does, in this process, and
 * keeps nothing but the frames of each session. It can be told to break a law that the load client must notice.
 */
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { type WebSocket, WebSocketServer } from "ws";
import type { RuntimeServer } from "./bench.ts";
import { collectedMemory } from "./memory-use.ts";
import { atPace, callsOf, type Pace } from "./pace.ts";
import { monotonicMicroseconds, SENT_MARK } from "./pushed-frames.ts";

/** Laws of the stream that it breaks on request. */
export type Breach = "gap" | "repeat" | "second terminal" | "no terminal" | "wrong count";

interface Frame {
  readonly type: string;
  readonly id: string;
  readonly session_id?: string;
  readonly payload: Readonly<Record<string, unknown>>;
}

interface Session {
  readonly id: string;
  readonly sent: string[];
  /** Cuts short what is still being emitted. */
  socket: WebSocket;
}

const TOKEN = "scripted-token";

export async function startScriptedRuntime(breach?: Breach): Promise<RuntimeServer> {
  const spawnedAt = performance.now();
  const sessions = new Map<string, Session>();
  /** Who receives a job that is not over: its submitter, and whoever subscribed. */
  const followers = new Map<string, Session[]>();
  let jobs = 0;
  let unfinished = 0;
  const server = new WebSocketServer({ host: "127.0.0.1", port: 0, perMessageDeflate: false });

  server.on("connection", (socket) => {
    let session: Session | undefined;
    const reply = (type: string, payload: object): void =>
      socket.send(JSON.stringify({ arcp: "1.1", id: "msg_x", type, session_id: session?.id, payload }));

    socket.on("message", (data) => {
      const { type, id, payload } = JSON.parse((data as Buffer).toString()) as Frame;
      switch (type) {
        case "session.hello":
        case "session.resume": {
          const { auth, session_id, last_event_seq } = payload as {
            auth: { token: string };
            session_id?: string;
            last_event_seq?: number;
          };
          if (auth.token !== TOKEN) return reply("session.error", { code: "UNAUTHENTICATED", request_id: id });
          session = (session_id === undefined ? undefined : sessions.get(session_id)) ?? {
            id: `sess_${sessions.size}`,
            sent: [],
            socket,
          };
          session.socket = socket;
          sessions.set(session.id, session);
          reply("session.welcome", { session_id: session.id, resume_token: "rt", request_id: id });
          for (const frame of session.sent.slice(last_event_seq ?? 0)) socket.send(frame);
          return;
        }
        case "session.ping":
          return reply("session.pong", { ping_nonce: payload.nonce });
        case "session.list_jobs":
          return reply("session.jobs", {
            jobs: Array.from({ length: unfinished }, () => ({ job_id: "job_x" })),
            request_id: id,
          });
        case "session.close":
          return reply("session.closed", { request_id: id });
        case "job.submit": {
          const jobId = `job_${jobs++}`;
          reply("job.accepted", { job_id: jobId, request_id: id });
          unfinished += 1;
          followers.set(jobId, [session as Session]);
          return void runJob(jobId, payload.agent as string, payload.input).finally(() => {
            unfinished -= 1;
            followers.delete(jobId);
          });
        }
        case "job.subscribe": {
          const jobId = payload.job_id as string;
          followers.get(jobId)?.push(session as Session);
          return reply("job.subscribed", { job_id: jobId, request_id: id });
        }
      }
    });
  });

  function place(type: string, jobId: string, payload: object): void {
    for (const session of followers.get(jobId) ?? []) placeIn(session, type, jobId, payload);
  }

  function placeIn(session: Session, type: string, jobId: string, payload: object): void {
    const eventSeq = session.sent.length + 1;
    const shown =
      breach === "gap" && eventSeq > 2 ? eventSeq + 1 : breach === "repeat" && eventSeq === 3 ? 2 : eventSeq;
    const frame = JSON.stringify({
      arcp: "1.1",
      id: `msg_${eventSeq}`,
      type,
      session_id: session.id,
      job_id: jobId,
      event_seq: shown,
      payload,
    });
    session.sent.push(frame);
    session.socket.send(frame);
  }

  async function runJob(jobId: string, agent: string, input: unknown): Promise<void> {
    const log = (message: string): void => place("job.event", jobId, { kind: "log", body: { level: "info", message } });
    const result = await outcome(agent, input, log);
    if (breach !== "no terminal") place("job.result", jobId, { final_status: "success", result });
    if (breach === "second terminal") place("job.result", jobId, { final_status: "success", result });
  }

  async function outcome(agent: string, input: unknown, log: (message: string) => void): Promise<unknown> {
    // A turn of the event loop, so that a client may drop before the first event.
    await new Promise((resolve) => setImmediate(resolve));
    switch (agent) {
      case "chatty": {
        const { n, startAfterMs = 0 } = input as { n: number; startAfterMs?: number };
        await sleep(startAfterMs);
        for (let index = 0; index < n; index++) log("a small event");
        return { emitted: breach === "wrong count" ? n - 1 : n };
      }
      case "paced":
        await atPace(input as Pace, () => log(`${SENT_MARK}${monotonicMicroseconds()}`));
        return { emitted: callsOf(input as Pace) };
      case "memory":
        return collectedMemory();
      default:
        return input;
    }
  }

  await once(server, "listening");
  return {
    url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}/arcp`,
    token: TOKEN,
    pid: process.pid,
    spawnedAt,
    async [Symbol.asyncDispose]() {
      for (const client of server.clients) client.terminate();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
