import { describe, expect, it } from "vitest";
import { anAgent, deaf, echo } from "../../kernel/test-kernel.ts";
import { CodedError } from "../../protocol/errors.ts";
import { createTestApi } from "../test-api.ts";

/** Streams its result in pieces, after what a lost attempt might have left, and among other entries. */
function streaming(name: string, encoding: "utf8" | "base64", pieces: readonly string[]) {
  return anAgent(name, async (host) => {
    const append = (resultId: string, seq: number, data: string, more: boolean) =>
      host.append(
        "result_chunk",
        "result_chunk",
        JSON.stringify({ result_id: resultId, chunk_seq: seq, data, encoding, more }),
      );
    append("res_lost", 0, "lost", true);
    for (const [index, piece] of pieces.entries()) {
      append("res_1", index, piece, true);
      await host.append("log", "log", '{"level":"info","message":"between"}');
    }
    append("res_1", pieces.length, "", false);
    const size = pieces.reduce((sum, piece) => sum + Buffer.from(piece, encoding).length, 0);
    return { stream: { resultId: "res_1", size } };
  });
}

const BYTES = Buffer.from(Array.from({ length: 99_999 }, (_, at) => at % 251));
const pieces = Array.from({ length: 100 }, (_, at) =>
  BYTES.subarray(at * 1_000, at * 1_000 + 1_000).toString("base64"),
);

const AGENTS = [
  echo,
  deaf,
  streaming("text", "utf8", ["Grüße ", "🦊", "\nund mehr"]),
  streaming("bytes", "base64", pieces),
  streaming("empty", "utf8", []),
  anAgent("exact", () => ({ result: '{"id":12345678901234567890,"price":0.10}', summary: 'said ,"result":1' })),
  anAgent("nothing", () => ({})),
  anAgent("failing", () => {
    throw new CodedError("TIMEOUT", "too slow");
  }),
];

describe("GET /api/jobs/{job_id}/result", () => {
  it("is what the agent returned, digit for digit", async () => {
    const { call, run } = await createTestApi({ agents: AGENTS });
    const answer = await call(`/api/jobs/${await run("exact")}/result`);
    expect(answer.text).toBe('{"id":12345678901234567890,"price":0.10}');
    expect(answer.headers["content-type"]).toBe("application/json; charset=utf-8");
    expect((await call(`/api/jobs/${await run("echo", { input: "text" })}/result`)).text).toBe('"text"');
  });

  it("is empty when the agent returned nothing", async () => {
    const { call, run } = await createTestApi({ agents: AGENTS });
    expect(await call(`/api/jobs/${await run("nothing")}/result`)).toMatchObject({ status: 204, text: "" });
  });

  it("is the text the agent streamed, put together", async () => {
    const { call, run } = await createTestApi({ agents: AGENTS });
    const answer = await call(`/api/jobs/${await run("text")}/result`);
    expect([answer.text, answer.headers["content-type"]]).toEqual(["Grüße 🦊\nund mehr", "text/plain; charset=utf-8"]);
    expect(await call(`/api/jobs/${await run("empty")}/result`)).toMatchObject({ status: 200, text: "" });
  });

  it("is the bytes the agent streamed, put together, as a download", async () => {
    const api = await createTestApi({ agents: AGENTS });
    const { url } = await api.listen();
    const response = await fetch(`${url}/api/jobs/${await api.run("bytes")}/result`, {
      headers: { authorization: "Bearer me" },
    });
    expect(Buffer.from(await response.arrayBuffer()).equals(BYTES)).toBe(true);
    expect(response.headers.get("content-type")).toBe("application/octet-stream");
    expect(response.headers.get("content-length")).toBe(String(BYTES.length));
    expect(response.headers.get("content-disposition")).toBe("attachment");
  });

  it("is not there yet while the job runs, and never when it failed", async () => {
    const { call, run, submit } = await createTestApi({ agents: AGENTS });
    expect(await call(`/api/jobs/${await submit("deaf")}/result`)).toMatchObject({
      status: 409,
      json: { error: { code: "INVALID_REQUEST", retryable: true, details: { status: "running" } } },
    });
    expect(await call(`/api/jobs/${await run("failing")}/result`)).toMatchObject({
      status: 409,
      json: { error: { code: "INVALID_REQUEST", retryable: false, details: { status: "error", code: "TIMEOUT" } } },
    });
  });
});
