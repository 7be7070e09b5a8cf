import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { embed, generateText, streamText } from "ai";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { translateUpstreamBudgetExhausted } from "../../agents/upstream-budget.ts";
import {
  CALL_COST,
  type KeyView,
  PROMPT,
  refusalOf,
  startTestGateway,
  type TestGateway,
  UPSTREAM_KEY,
} from "./test-gateway.ts";
import { beginStream, CHAT_USAGE, chatChunk, chatDelta, chatEnd, DONE, sendJson } from "./test-upstream.ts";

let gateway: TestGateway;
let key: KeyView;
beforeEach(async () => {
  gateway = await startTestGateway();
  key = await gateway.mint({ alias: "job_1" });
});
afterEach(() => gateway[Symbol.asyncDispose]());

const provider = (value = key.key) =>
  createOpenAICompatible({ name: "gateway", baseURL: `${gateway.origin}/v1`, apiKey: value });

describe("a call", () => {
  it("is passed on under the gateway's own key, and costs what the upstream says it used", async () => {
    const response = await gateway.call(key.key, PROMPT);
    expect(response.status).toBe(200);
    expect(await response.json()).toMatchObject({ choices: [{ message: { content: "a coat" } }] });
    const [asked] = gateway.upstream.asked;
    expect(asked?.headers.authorization).toBe(`Bearer ${UPSTREAM_KEY}`);
    expect(asked?.body).toEqual({ ...PROMPT, max_completion_tokens: 4_096 });
    expect(await gateway.look("job_1")).toMatchObject({ spent: CALL_COST, held: "0", remaining: "0.9998445" });
  });

  it("tells the client nothing of whose account it is", async () => {
    const { headers } = await gateway.call(key.key, PROMPT);
    expect(headers.get("set-cookie")).toBeNull();
    expect(headers.get("openai-organization")).toBeNull();
  });

  it("hands on the trace it belongs to", async () => {
    const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    const headers = { authorization: `Bearer ${key.key}`, traceparent, "idempotency-key": "again" };
    await gateway.call(key.key, PROMPT, "/v1/chat/completions", { headers });
    expect(gateway.upstream.asked[0]?.headers).toMatchObject({ traceparent });
    expect(gateway.upstream.asked[0]?.headers).not.toHaveProperty("idempotency-key");
  });

  it("of the AI SDK works, whole and streamed and for embeddings", async () => {
    const { text } = await generateText({ model: provider()("small"), prompt: "what should I wear?" });
    expect(text).toBe("a coat");
    const { textStream } = streamText({ model: provider()("small"), prompt: "what should I wear?" });
    let streamed = "";
    for await (const part of textStream) streamed += part;
    expect(streamed).toBe("a coat");
    const { embedding } = await embed({ model: provider().embeddingModel("small"), value: "coat" });
    expect(embedding).toEqual([0.1, 0.2]);
    // Two calls of the one kind, and 7 tokens.
    expect(await gateway.look("job_1")).toMatchObject({ spent: "0.000318" });
  });

  it("of the responses API is charged, whole and streamed", async () => {
    const body = { model: "small", input: "what should I wear?" };
    expect((await gateway.call(key.key, body, "/v1/responses")).status).toBe(200);
    const streamed = await gateway.call(key.key, { ...body, stream: true }, "/v1/responses");
    expect(await streamed.text()).toContain("response.completed");
    expect(gateway.upstream.asked[1]?.body).toEqual({ ...body, stream: true, max_output_tokens: 4_096 });
    expect(await gateway.look("job_1")).toMatchObject({ spent: "0.000311" });
  });

  it("that the upstream refuses costs nothing, and the refusal arrives without the upstream's key", async () => {
    gateway.upstream.answer = (_, response) =>
      sendJson(response, 429, {
        error: { message: `slow down, ${UPSTREAM_KEY}`, type: "rate_limit", code: "rate_limit" },
      });
    const response = await gateway.call(key.key, PROMPT);
    expect(response.status).toBe(429);
    expect(await response.text()).toContain("slow down, [redacted]");
    expect(await gateway.look("job_1")).toMatchObject({ spent: "0", held: "0" });
  });

  it("tells nobody why the gateway's own key is refused", async () => {
    gateway.upstream.answer = (_, response) => sendJson(response, 401, { error: { message: UPSTREAM_KEY } });
    expect(await refusalOf(await gateway.call(key.key, PROMPT))).toEqual({ status: 502, code: "upstream_refused" });
  });
});

describe("a streamed call", () => {
  const streamed = { ...PROMPT, stream: true };

  it("arrives as it comes, without the usage that the client did not ask for", async () => {
    const more = Promise.withResolvers<void>();
    gateway.upstream.answer = async (_, response) => {
      beginStream(response);
      response.write(chatDelta("a "));
      await more.promise;
      response.end(chatEnd() + chatChunk({ choices: [], usage: CHAT_USAGE }) + DONE);
    };
    const response = await gateway.call(key.key, streamed);
    const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
    expect((await reader?.read())?.value).toContain('"a "');
    expect(await gateway.look("job_1")).toMatchObject({ spent: "0", held: expect.not.stringMatching(/^0$/) });
    more.resolve();
    let rest = "";
    for (let part = await reader?.read(); part && !part.done; part = await reader?.read()) rest += part.value;
    expect(rest).not.toContain("prompt_tokens");
    expect(rest.endsWith(DONE)).toBe(true);
    expect(await gateway.look("job_1")).toMatchObject({ spent: CALL_COST, held: "0" });
  });

  it("shows its usage to a client that asks", async () => {
    const response = await gateway.call(key.key, { ...streamed, stream_options: { include_usage: true } });
    expect(await response.text()).toContain('"prompt_tokens":20');
  });

  it("costs what it tells at its very end, though no empty line follows", async () => {
    gateway.upstream.answer = (_, response) => {
      beginStream(response);
      response.end(`${chatDelta("a coat")}data: ${JSON.stringify({ choices: [], usage: CHAT_USAGE })}`);
    };
    await (await gateway.call(key.key, streamed)).text();
    expect(await gateway.look("job_1")).toMatchObject({ spent: CALL_COST });
  });

  it("costs what was set aside when its usage is never told", async () => {
    gateway.upstream.answer = (_, response) => {
      beginStream(response);
      response.end(chatDelta("a coat") + DONE);
    };
    await (await gateway.call(key.key, { ...streamed, max_tokens: 1_000 })).text();
    const { spent } = await gateway.look("job_1");
    // 1,000 tokens out at 10, and a token for each byte in at 1.
    expect(Number(spent)).toBeGreaterThan(0.01);
    expect(Number(spent)).toBeLessThan(0.0106);
  });

  it("is given up upstream when its client goes, and counts as a whole", async () => {
    gateway.upstream.answer = (_, response) => {
      beginStream(response);
      response.write(chatDelta("a "));
    };
    const leaving = new AbortController();
    const response = await gateway.call(key.key, { ...streamed, max_tokens: 1_000 }, "/v1/chat/completions", {
      signal: leaving.signal,
    });
    await response.body?.getReader().read();
    leaving.abort();
    await gateway.upstream.asked[0]?.gone;
    await expect.poll(async () => (await gateway.look("job_1")).held).toBe("0");
    expect(Number((await gateway.look("job_1")).spent)).toBeGreaterThan(0.01);
  });

  it("costs what was told when its client goes behind the usage", async () => {
    gateway.upstream.answer = (_, response) => {
      beginStream(response);
      response.write(chatDelta("a coat") + chatChunk({ choices: [], usage: CHAT_USAGE }) + chatDelta(""));
    };
    const leaving = new AbortController();
    const response = await gateway.call(key.key, streamed, "/v1/chat/completions", { signal: leaving.signal });
    await response.body?.getReader().read();
    leaving.abort();
    await expect.poll(async () => (await gateway.look("job_1")).held).toBe("0");
    expect(await gateway.look("job_1")).toMatchObject({ spent: CALL_COST });
  });
});

it("an answer goes at the pace of its client, however long it is", async () => {
  const data = Buffer.alloc(65_536, '"x",');
  const pieces = 1_024;
  let written = 0;
  gateway.upstream.answer = async (_, response) => {
    response.writeHead(200, { "content-type": "application/json" });
    response.write('{"data":[');
    for (; written < pieces; written++) {
      if (!response.write(data)) await new Promise((resolve) => response.once("drain", resolve));
    }
    response.end(`"x"],"usage":${JSON.stringify(CHAT_USAGE)}}`);
  };
  const response = await gateway.call(key.key, PROMPT);
  // Until nothing moves any more, since nobody reads.
  let before = -1;
  await expect
    .poll(() => {
      const stands = written === before;
      before = written;
      return stands;
    })
    .toBe(true);
  expect(written).toBeLessThan(pieces / 2);
  expect((await response.arrayBuffer()).byteLength).toBeGreaterThan(pieces * data.length);
  expect(await gateway.look("job_1")).toMatchObject({ spent: CALL_COST, held: "0" });
});

describe("a key", () => {
  it("that cannot pay is refused in a way that a job's budget understands", async () => {
    const poor = await gateway.mint({ cap: "0.001" });
    const error = await generateText({ model: provider(poor.key)("small"), prompt: "hello" }).catch(
      (thrown: unknown) => thrown,
    );
    expect(translateUpstreamBudgetExhausted(error)).toMatchObject({
      code: "BUDGET_EXHAUSTED",
      details: { upstream: { status: 402 } },
    });
    expect(gateway.upstream.asked).toEqual([]);
    // A smaller answer it can pay.
    const response = await gateway.call(poor.key, { ...PROMPT, max_completion_tokens: 10 });
    expect(response.status).toBe(200);
  });

  it("is exhausted once its cap is spent, and works again when the cap is raised", async () => {
    const one = await gateway.mint({ cap: "0.05" });
    gateway.upstream.answer = (_, response) =>
      sendJson(response, 200, { usage: { prompt_tokens: 1, completion_tokens: 5_000 } });
    await (await gateway.call(one.key, PROMPT)).text();
    expect(await refusalOf(await gateway.call(one.key, PROMPT))).toEqual({ status: 402, code: "insufficient_quota" });
    expect((await gateway.admin("PATCH", `/keys/${one.id}`, { cap: "1.00" })).status).toBe(200);
    expect((await gateway.call(one.key, PROMPT)).status).toBe(200);
  });

  it("lists the models that it may call and that have a price", async () => {
    const any = await gateway.mint({ models: ["*"] });
    const get = { method: "GET", body: null };
    const listed = async (value: string) => {
      const response = await gateway.call(value, null, "/v1/models", get);
      const { data } = (await response.json()) as { data: { id: string }[] };
      return data.map(({ id }) => id);
    };
    expect(await listed(any.key)).toEqual(["small", "large"]);
    expect(await listed(key.key)).toEqual(["small"]);
    expect((await gateway.call(key.key, null, "/v1/models/small", get)).status).toBe(200);
    expect((await gateway.call(key.key, null, "/v1/models/large", get)).status).toBe(403);
    // Once a minute.
    expect(gateway.upstream.asked).toHaveLength(1);
  });
});

it("what was spent, and every key, is there after a restart", async () => {
  await (await gateway.call(key.key, PROMPT)).text();
  await gateway.restart();
  expect(await gateway.look("job_1")).toMatchObject({ id: key.id, spent: CALL_COST });
  expect((await gateway.call(key.key, PROMPT)).status).toBe(200);
});

it("many calls at once are each charged, once", async () => {
  const rich = await Promise.all(Array.from({ length: 10 }, () => gateway.mint({ cap: "100" })));
  const statuses = await Promise.all(
    Array.from({ length: 300 }, async (_, nth) => {
      const response = await gateway.call(rich[nth % 10]?.key ?? "", { ...PROMPT, stream: nth % 3 === 0 });
      await response.text();
      return response.status;
    }),
  );
  expect(new Set(statuses)).toEqual(new Set([200]));
  // 30 calls of each key.
  for (const { id } of rich) expect(await gateway.look(id)).toMatchObject({ spent: "0.004665", held: "0" });
});

it("health and metrics are for everyone here", async () => {
  await gateway.call(key.key, PROMPT);
  await gateway.call("nobody", PROMPT);
  const health = await fetch(`${gateway.origin}/healthz`);
  expect(await health.json()).toEqual({ status: "ok" });
  const metrics = await (await fetch(`${gateway.origin}/metrics`)).text();
  expect(metrics).toContain('leasehold_gateway_requests_total{outcome="refused"} 1');
  expect(metrics).toContain("leasehold_gateway_keys 1");
});
