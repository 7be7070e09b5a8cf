/** Transports and envelopes (§4, §5), and frames that are none. */
import { MAX_FRAME_BYTES } from "../../protocol/framing.ts";
import type { Bench } from "../bench.ts";
import type { ConformanceCase } from "../case.ts";
import type { Peer } from "../peer.ts";
import { isRefusal } from "../session.ts";
import { check, checkEqual, prepare } from "../verdict.ts";

/** What no client would send. Each is sent on its own connection, after a proper hello. */
const NONSENSE: readonly string[] = [
  "",
  "nonsense",
  "null",
  "[]",
  '"text"',
  "1e999",
  "{",
  "{}",
  '{"arcp":"1.1","id":"x","type":7,"payload":{}}',
  '{"arcp":"1.1","id":"x","type":"job.submit","payload":[]}',
  '{"arcp":"1.1","id":"x","type":"job.submit","payload":{"agent":{}}}',
  '{"arcp":"1.1","id":"x","type":"__proto__","payload":{"__proto__":{}}}',
  `${'{"arcp":"1.1","id":"x","type":"job.submit","payload":'.repeat(200)}1${"}".repeat(200)}`,
];

const TOO_LONG = JSON.stringify({
  arcp: "1.1",
  id: "x",
  type: "session.ack",
  payload: { last_processed_seq: 0, filler: "x".repeat(2 * MAX_FRAME_BYTES) },
});

/** Resolves when the runtime has refused what was just sent, or has closed. */
async function answeredOrClosed(peer: Peer, what: string, from: number): Promise<void> {
  await peer.until(`an answer to ${what}`, () =>
    peer.ended !== undefined || peer.frames.slice(from).some(isRefusal) ? true : undefined,
  );
}

async function stillServes(bench: Bench): Promise<void> {
  const { answer } = await bench.greet();
  check(answer.type === "session.welcome", "a new session was refused afterwards");
}

export const WIRE_CASES: readonly ConformanceCase[] = [
  {
    requirement: "arcp-4-websocket",
    section: "4",
    level: "MUST",
    title: "a WebSocket is accepted and carries a session",
    async run(bench) {
      const { answer } = await bench.greet();
      check(answer.type === "session.welcome", `the hello was refused with ${String(answer.payload.code)}`);
    },
  },
  {
    requirement: "arcp-5-envelope",
    section: "5",
    level: "MUST",
    title: "every frame is one JSON object with arcp, id, type and payload",
    agents: ["logs"],
    async run(bench) {
      const session = await bench.open();
      await session.run(bench.agent("logs"), {});
      check(session.peer.strays === 0, `${session.peer.strays} frames are no envelope`);
      for (const { envelope, type } of session.frames) {
        const { arcp, id, payload } = envelope;
        check(typeof arcp === "string" && arcp !== "", `${type} has no arcp`);
        check(typeof id === "string" && id !== "", `${type} has no id`);
        check(typeof payload === "object" && payload !== null && !Array.isArray(payload), `${type} has no payload`);
      }
    },
  },
  {
    requirement: "arcp-5-ignore-unknown-fields",
    section: "5",
    level: "MUST",
    title: "unknown top-level fields of an envelope are ignored",
    agents: ["echo"],
    async run(bench) {
      const unknown = { x_conformance: { a: [1] }, timestamp: "2026-01-01T00:00:00Z", priority: "high" };
      const { peer, answer } = await bench.greet({ envelope: unknown });
      check(answer.type === "session.welcome", `a hello with them was refused: ${String(answer.payload.message)}`);
      peer.drop();
      const session = await bench.open();
      const submitted = await session.submit(bench.agent("echo"), 1, {}, unknown);
      check(submitted.type === "job.accepted", `a job.submit with them was refused: ${String(submitted.payload.code)}`);
    },
  },
  {
    requirement: "reading-unknown-fields",
    section: "5",
    level: "READING",
    title: "unknown fields of a payload are ignored, but for a lease's",
    agents: ["echo"],
    async run(bench) {
      const session = await bench.open({ payload: { x_conformance: 1 } });
      const submitted = await session.submit(bench.agent("echo"), 1, { x_conformance: true });
      check(submitted.type === "job.accepted", "a job.submit with an unknown field in its payload was refused");
      for (const bound of ["lease_request", "lease_constraints"]) {
        const payload = { agent: bench.agent("echo"), input: 1, [bound]: { conformance_unknown: ["x"] } };
        await session.refused("job.submit", payload, ["INVALID_REQUEST"]);
      }
    },
  },
  {
    requirement: "reading-arcp-version",
    section: "5",
    level: "READING",
    title: "another 1.x is accepted, and another major version refused",
    async run(bench) {
      const later = await bench.greet({ envelope: { arcp: "1.9" } });
      check(later.answer.type === "session.welcome", "arcp 1.9 was refused");
      const { answer } = await bench.greet({ envelope: { arcp: "2.0" } });
      check(answer.type === "session.error", "arcp 2.0 was welcomed");
      checkEqual(answer.payload.code, "INVALID_REQUEST", "the code");
    },
  },
  {
    requirement: "reading-ids",
    section: "5",
    level: "READING",
    title: "any non-empty id is accepted from a client",
    async run(bench) {
      for (const id of ["1", "an id of no form at all", "0190b2a2-9a0c-7c6e-8b8e-1c4b8f0a7a11"]) {
        const { answer } = await bench.greet({ envelope: { id } });
        check(answer.type === "session.welcome", `a hello with the id "${id}" was refused`);
      }
    },
  },
  {
    requirement: "reading-malformed-answered",
    section: "5",
    level: "READING",
    title: "a malformed frame is answered or its connection closed, never dropped in silence",
    async run(bench) {
      for (const text of NONSENSE) {
        const session = await bench.open({ features: [] });
        const from = session.frames.length;
        session.peer.sendText(text);
        await answeredOrClosed(session.peer, JSON.stringify(text.slice(0, 60)), from);
      }
    },
  },
  {
    requirement: "reading-malformed-answered",
    section: "5",
    level: "READING",
    title: "a message of an unknown type is answered, and the session goes on",
    async run(bench) {
      const session = await bench.open();
      await session.refused("session.conformance_unknown", {}, ["INVALID_REQUEST"]);
      if (session.features.has("heartbeat")) await session.ping(bench.unique());
    },
  },
  {
    requirement: "reading-frames",
    section: "4",
    level: "READING",
    title: "a frame longer than the runtime takes is refused or closes its connection",
    async run(bench) {
      const session = await bench.open();
      const from = session.frames.length;
      session.peer.sendText(TOO_LONG);
      await answeredOrClosed(session.peer, "a frame of 2 MiB", from);
      await stillServes(bench);
    },
  },
  {
    requirement: "law-frames-never-crash",
    section: "5",
    level: "LAW",
    title: "whatever one connection sends, others are served",
    async run(bench) {
      const bystander = await bench.open();
      for (const text of [...NONSENSE, TOO_LONG]) {
        const peer = await prepare("connecting", () => bench.connect());
        peer.sendText(text);
        peer.sendText(text);
        await bench.pause(1);
        peer.drop();
      }
      await stillServes(bench);
      check(bystander.peer.ended === undefined, "a session beside it lost its connection");
    },
  },
];
