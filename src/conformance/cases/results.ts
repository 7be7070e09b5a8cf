/** Inline and streamed results (§8.4), and their sizes (§14). */
import type { JsonObject } from "../../protocol/fields.ts";
import type { Bench } from "../bench.ts";
import type { ConformanceCase } from "../case.ts";
import { type Frame, inlineResult } from "../frame.ts";
import { check, checkEqual, NotReached, prepare } from "../verdict.ts";

const MAX_CHUNK_BYTES = 1_048_576;
const BYTES = 5_000;

interface Streamed {
  readonly chunks: readonly JsonObject[];
  readonly terminal: Frame;
}

/** The chunks of a streamed result, as they came, and the job's end. @throws NotReached when nothing was streamed. */
async function streamed(bench: Bench): Promise<Streamed> {
  const session = await bench.open();
  const { id } = await session.start(bench.agent("stream"), { bytes: BYTES });
  const terminal = await session.finish(id);
  const chunks = session
    .stream(id)
    .filter(({ payload }) => payload.kind === "result_chunk")
    .map(({ payload }) => (payload.body ?? {}) as JsonObject);
  if (chunks.length === 0) throw new NotReached("no result_chunk came");
  return { chunks, terminal };
}

function bytesOf(chunks: readonly JsonObject[]): number {
  return chunks.reduce((sum, { data, encoding }) => {
    const text = String(data);
    return sum + (encoding === "base64" ? atob(text).length : new TextEncoder().encode(text).length);
  }, 0);
}

export const RESULT_CASES: readonly ConformanceCase[] = [
  {
    requirement: "arcp-8.4-inline",
    section: "8.4",
    level: "MUST",
    title: "a result that is not streamed stands in the payload of job.result",
    agents: ["echo"],
    async run(bench) {
      const session = await bench.open();
      const input = { text: "naïve ☃", list: [1, null, true], nested: { a: "" } };
      const { id } = await session.start(bench.agent("echo"), input);
      const terminal = await session.finish(id);
      checkEqual(inlineResult(terminal), input, "the result of an agent that gives back its input");
    },
  },
  {
    requirement: "reading-inline-result",
    section: "8.4",
    level: "READING",
    title: "an inline result is payload.result, beside final_status, job_id and completed_at",
    agents: ["echo"],
    async run(bench) {
      const session = await bench.open();
      const { id } = await session.start(bench.agent("echo"), "as it is");
      const { payload } = await session.finish(id);
      checkEqual([payload.result, payload.final_status, payload.job_id], ["as it is", "success", id], "the payload");
      check(Number.isFinite(Date.parse(String(payload.completed_at))), "completed_at is no time");
    },
  },
  {
    requirement: "arcp-8.4-result-id",
    section: "8.4",
    level: "MUST",
    title: "all chunks of a result carry one result id",
    features: ["result_chunk"],
    agents: ["stream"],
    async run(bench) {
      const { chunks } = await streamed(bench);
      const ids = new Set(chunks.map(({ result_id }) => result_id));
      checkEqual(ids.size, 1, "the number of result ids");
      check(typeof [...ids][0] === "string", "the result id is no string");
    },
  },
  {
    requirement: "arcp-8.4-chunk-order",
    section: "8.4",
    level: "MUST",
    title: "chunks are numbered from 0 and come in order",
    features: ["result_chunk"],
    agents: ["stream"],
    async run(bench) {
      const { chunks } = await streamed(bench);
      const seqs = chunks.map(({ chunk_seq }) => chunk_seq);
      checkEqual(
        seqs,
        seqs.map((_, index) => index),
        "chunk_seq",
      );
    },
  },
  {
    requirement: "arcp-8.4-encoding",
    section: "8.4",
    level: "MUST",
    title: "every chunk has its data, as utf8 or base64",
    features: ["result_chunk"],
    agents: ["stream"],
    async run(bench) {
      for (const { data, encoding } of (await streamed(bench)).chunks) {
        check(typeof data === "string", "data is no string");
        check(encoding === "utf8" || encoding === "base64", `encoding is ${String(encoding)}`);
      }
    },
  },
  {
    requirement: "arcp-8.4-utf8-for-text",
    section: "8.4",
    level: "SHOULD",
    title: "text is chunked as utf8",
    features: ["result_chunk"],
    agents: ["stream"],
    async run(bench) {
      const encodings = new Set((await streamed(bench)).chunks.map(({ encoding }) => encoding));
      checkEqual([...encodings], ["utf8"], "the encoding of a text's chunks");
    },
  },
  {
    requirement: "arcp-8.4-more",
    section: "8.4",
    level: "MUST",
    title: "every chunk but the last says that another follows",
    features: ["result_chunk"],
    agents: ["stream"],
    async run(bench) {
      const more = (await streamed(bench)).chunks.map((chunk) => chunk.more);
      checkEqual(
        more,
        more.map((_, index) => index < more.length - 1),
        "more",
      );
    },
  },
  {
    requirement: "arcp-8.4-terminal-result-id",
    section: "8.4",
    level: "MUST",
    title: "a job that emitted chunks ends with a job.result that names them",
    features: ["result_chunk"],
    agents: ["stream"],
    async run(bench) {
      const { chunks, terminal } = await streamed(bench);
      checkEqual(terminal.type, "job.result", "the end");
      checkEqual(terminal.payload.result_id, chunks[0]?.result_id, "result_id");
    },
  },
  {
    requirement: "arcp-8.4-not-mixed",
    section: "8.4",
    level: "MUST",
    title: "a job with a streamed result has no inline one",
    features: ["result_chunk"],
    agents: ["stream"],
    async run(bench) {
      const inline = inlineResult((await streamed(bench)).terminal);
      check(inline === undefined || inline === null, "its job.result has both");
    },
  },
  {
    requirement: "arcp-8.4-result-size",
    section: "8.4",
    level: "MUST",
    title: "result_size, where it is given, is the size of the assembled result",
    features: ["result_chunk"],
    agents: ["stream"],
    async run(bench) {
      const { chunks, terminal } = await streamed(bench);
      const size = terminal.payload.result_size;
      if (size === undefined || size === null) throw new NotReached("job.result gives no result_size");
      checkEqual(size, bytesOf(chunks), "result_size");
    },
  },
  {
    requirement: "arcp-14-chunk-cap",
    section: "14",
    level: "SHOULD",
    title: "no chunk is larger than 1 MiB",
    features: ["result_chunk"],
    agents: ["stream"],
    async run(bench) {
      const session = await bench.open();
      const { id } = await session.start(bench.agent("stream"), { bytes: MAX_CHUNK_BYTES });
      await session.finish(id);
      for (const { payload } of session.stream(id)) {
        if (payload.kind !== "result_chunk") continue;
        const bytes = bytesOf([(payload.body ?? {}) as JsonObject]);
        check(bytes <= MAX_CHUNK_BYTES, `a chunk holds ${bytes} bytes`);
      }
    },
  },
  {
    requirement: "reading-result-without-chunks",
    section: "8.4",
    level: "READING",
    title: "a session without result_chunk gets a streamed result inline",
    features: ["result_chunk"],
    agents: ["stream"],
    async run(bench) {
      const session = await bench.open({ features: ["heartbeat"] });
      const { id } = await session.start(bench.agent("stream"), { bytes: BYTES });
      const terminal = await prepare("waiting for the end", () => session.terminal(id));
      checkEqual(String(inlineResult(terminal)).length, BYTES, "the length of the inline result");
    },
  },
];
