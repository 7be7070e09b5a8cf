/** Authentication and negotiation (§6.1, §6.2). */
import type { ConformanceCase } from "../case.ts";
import { featuresOf, isRefusal } from "../session.ts";
import { check, checkEqual, prepare } from "../verdict.ts";

export const HANDSHAKE_CASES: readonly ConformanceCase[] = [
  {
    requirement: "arcp-6.1-bearer-token",
    section: "6.1",
    level: "MUST",
    title: "a bearer token in the hello's payload opens a session",
    async run(bench) {
      const { answer } = await bench.greet();
      check(answer.type === "session.welcome", `it was refused with ${String(answer.payload.code)}`);
    },
  },
  {
    requirement: "arcp-12-unauthenticated",
    section: "12",
    level: "MUST",
    title: "a wrong token is refused with UNAUTHENTICATED",
    async run(bench) {
      const { answer } = await bench.greet({ token: bench.unique() });
      check(isRefusal(answer), "it was welcomed");
      checkEqual(answer.payload.code, "UNAUTHENTICATED", "the code");
    },
  },
  {
    requirement: "arcp-12-unauthenticated",
    section: "12",
    level: "MUST",
    title: "a hello without a token is refused with UNAUTHENTICATED",
    async run(bench) {
      const { answer } = await bench.greet({ payload: { auth: undefined } });
      check(isRefusal(answer), "it was welcomed");
      checkEqual(answer.payload.code, "UNAUTHENTICATED", "the code");
    },
  },
  {
    requirement: "reading-failed-authentication-closes",
    section: "6.1",
    level: "READING",
    title: "after a failed authentication the connection closes",
    async run(bench) {
      const { peer } = await bench.greet({ token: bench.unique() });
      await peer.closed("the runtime to close it");
    },
  },
  {
    requirement: "law-no-secret-leaks",
    section: "14",
    level: "LAW",
    title: "no frame repeats a token",
    agents: ["logs"],
    async run(bench) {
      const wrong = `secret-${bench.unique()}`;
      const refused = await prepare("presenting a wrong token", () => bench.greet({ token: wrong }));
      const session = await bench.open();
      await session.run(bench.agent("logs"), {});
      await session.ask("session.conformance_unknown", { auth: { token: wrong } }, "session.error");
      const said = JSON.stringify([...refused.peer.frames, ...session.frames].map(({ envelope }) => envelope));
      check(!said.includes(wrong), "a token that was refused came back");
      check(!said.includes(bench.target.token), "the session's bearer token came back");
    },
  },
  {
    requirement: "arcp-6.2-welcome-contents",
    section: "6.2",
    level: "MUST",
    title: "the welcome names session, resume token and window, and its capabilities",
    async run(bench) {
      const { welcome } = await bench.open();
      const { resume_token: token, resume_window_sec: window, capabilities, runtime } = welcome.payload;
      check(typeof welcome.session_id === "string" && welcome.session_id !== "", "it has no session_id");
      check(typeof token === "string" && token !== "", "it has no resume_token");
      check(typeof window === "number" && window > 0, "it has no resume_window_sec");
      check(typeof runtime === "object" && runtime !== null, "it does not name the runtime");
      const { features, agents } = (capabilities ?? {}) as { features?: unknown; agents?: unknown };
      check(Array.isArray(features), "capabilities.features is no list");
      check(Array.isArray(agents), "capabilities.agents is no list");
    },
  },
  {
    requirement: "arcp-6.2-welcome-contents",
    section: "6.2",
    level: "MUST",
    title: "the welcome names the heartbeat interval",
    features: ["heartbeat"],
    async run(bench) {
      const { heartbeat_interval_sec: interval } = (await bench.open()).welcome.payload;
      check(typeof interval === "number" && interval > 0, "heartbeat_interval_sec is no positive number");
    },
  },
  {
    requirement: "arcp-6.2-features-intersect",
    section: "6.2",
    level: "MUST",
    title: "a feature the runtime cannot know is not acknowledged",
    async run(bench) {
      const unknown = "x-conformance.unknown";
      const { answer } = await bench.greet({ features: ["heartbeat", unknown] });
      check(answer.type === "session.welcome", `a hello that asks for it was refused: ${String(answer.payload.code)}`);
      check(!featuresOf(answer).includes(unknown), `the welcome names ${unknown}`);
    },
  },
  {
    requirement: "arcp-6.2-feature-outside-unused",
    section: "6.2",
    level: "MUST",
    title: "events of a feature that was not negotiated are not sent",
    features: ["progress"],
    agents: ["events"],
    async run(bench) {
      const session = await bench.open({ features: ["heartbeat"] });
      const { id } = await session.run(bench.agent("events"), {});
      const kinds = session.stream(id).map(({ payload }) => payload.kind);
      check(!kinds.includes("progress"), "a progress event came to a session without progress");
    },
  },
  {
    requirement: "arcp-6.2-feature-outside-unused",
    section: "6.2",
    level: "MUST",
    title: "chunks of a result are not sent to a session without result_chunk",
    features: ["result_chunk"],
    agents: ["stream"],
    async run(bench) {
      const session = await bench.open({ features: ["heartbeat"] });
      const { id } = await session.run(bench.agent("stream"), {});
      const kinds = session.stream(id).map(({ payload }) => payload.kind);
      check(!kinds.includes("result_chunk"), "a result_chunk came to a session without it");
    },
  },
  {
    requirement: "reading-feature-events-hidden",
    section: "6.2",
    level: "READING",
    title: "the event_seq of a session that is spared such events has no gap for them",
    features: ["progress"],
    agents: ["events"],
    async run(bench) {
      const session = await bench.open({ features: [] });
      await session.run(bench.agent("events"), {});
      const seqs = session.placed().map(({ event_seq }) => event_seq);
      checkEqual(
        seqs,
        seqs.map((_, index) => Number(seqs[0]) + index),
        "the sequence",
      );
    },
  },
  {
    requirement: "reading-feature-refused",
    section: "6.2",
    level: "READING",
    title: "a request that needs a feature outside the intersection is refused with INVALID_REQUEST",
    agents: ["echo"],
    async run(bench) {
      const session = await bench.open({ features: [] });
      const agent = bench.agent("echo");
      const list = await session.ask("session.list_jobs", {}, "session.jobs");
      checkEqual(list.payload.code, "INVALID_REQUEST", "the code for session.list_jobs");
      const lease_request = { "cost.budget": ["USD:1.00"] };
      await session.refused("job.submit", { agent, input: 1, lease_request }, ["INVALID_REQUEST"]);
    },
  },
  {
    requirement: "reading-first-frame",
    section: "6.2",
    level: "READING",
    title: "a first frame that is neither hello nor resume is refused",
    agents: ["echo"],
    async run(bench) {
      const peer = await bench.connect();
      peer.send("job.submit", { agent: bench.agent("echo"), input: 1 });
      await peer.until("a refusal, or the end of the connection", () =>
        peer.ended !== undefined || peer.frames.some(isRefusal) ? true : undefined,
      );
      check(!peer.frames.some(({ type }) => type === "job.accepted"), "a job was accepted without a session");
    },
  },
];
