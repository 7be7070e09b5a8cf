/** Ways to spend by the gateway what a key does not have, to call what it may not, and to outlive it. */
import { readdir, readFile } from "node:fs/promises";
import { request as requestHttp } from "node:http";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createSystemWorld } from "../../platform/system-world.ts";
import {
  ADMIN_TOKEN,
  CALL_COST,
  type KeyView,
  PROMPT,
  refusalOf,
  startTestGateway,
  type TestGateway,
  UPSTREAM_KEY,
} from "./test-gateway.ts";
import { beginStream, CHAT_USAGE, chatChunk, chatDelta, DONE, sendJson, usual } from "./test-upstream.ts";

let gateway: TestGateway;
let now: number;
beforeEach(async () => {
  now = Date.parse("2026-05-13T12:00:00Z");
  gateway = await startTestGateway({ clock: { now: () => now } });
});
afterEach(() => gateway[Symbol.asyncDispose]());

const asked = (): number => gateway.upstream.asked.length;

/** Refused with that, and the upstream was not asked. */
async function expectRefusal(response: Response, status: number, code: string): Promise<void> {
  expect(await refusalOf(response)).toEqual({ status, code });
  expect(asked()).toBe(0);
}

describe("a key that is over", () => {
  it("[attack-gateway-after-delete] opens nothing after its alias was deleted, also after a restart", async () => {
    const { key } = await gateway.mint({ alias: "job_1" });
    expect((await gateway.admin("DELETE", "/keys/job_1")).status).toBe(200);
    await expectRefusal(await gateway.call(key, PROMPT), 401, "invalid_api_key");
    await gateway.restart();
    await expectRefusal(await gateway.call(key, PROMPT), 401, "invalid_api_key");
    expect((await gateway.admin("PATCH", "/keys/job_1", { cap: "9" })).status).toBe(409);
  });

  it("[attack-gateway-after-expiry] opens nothing from the moment it expires, also when its call waited for the disk", async () => {
    const { key } = await gateway.mint({ expires_at: "2026-05-13T12:00:10Z" });
    now += 9_999;
    expect((await gateway.call(key, PROMPT)).status).toBe(200);
    now += 1;
    expect(await refusalOf(await gateway.call(key, PROMPT))).toEqual({ status: 401, code: "key_expired" });
    expect(asked()).toBe(1);
  });

  it("[attack-gateway-late-mint] is not made any more once its alias was deleted", async () => {
    const made = { alias: "job_9", models: ["small"], cap: "1" };
    expect((await gateway.admin("DELETE", "/keys/job_9")).status).toBe(200);
    expect((await gateway.admin("POST", "/keys", made)).status).toBe(409);
    await gateway.restart();
    expect((await gateway.admin("POST", "/keys", made)).status).toBe(409);
  });

  it("[attack-gateway-lost-value] has one value: the one before dies when it is asked for again", async () => {
    const { key } = await gateway.mint({ alias: "job_1" });
    const again = await gateway.admin("POST", "/keys", { alias: "job_1", models: ["small"], cap: "1" });
    expect(again.status).toBe(200);
    await expectRefusal(await gateway.call(key, PROMPT), 401, "invalid_api_key");
    expect((await gateway.call(String(again.body.key), PROMPT)).status).toBe(200);
  });

  it("[attack-gateway-stream-at-delete] takes its calls under way with it, which are paid as a whole", async () => {
    gateway.upstream.answer = (_, response) => {
      beginStream(response);
      response.write(chatDelta("a "));
    };
    const { key } = await gateway.mint({ alias: "job_1" });
    const response = await gateway.call(key, { ...PROMPT, stream: true, max_tokens: 1_000 });
    const rest = response.text();
    expect((await gateway.admin("DELETE", "/keys/job_1")).status).toBe(200);
    await expect(rest).rejects.toThrow();
    await gateway.upstream.asked[0]?.gone;
    await expect.poll(async () => (await gateway.look("job_1")).held).toBe("0");
    expect(Number((await gateway.look("job_1")).spent)).toBeGreaterThan(0.01);
  });
});

describe("a model that the key does not name", () => {
  it.each([
    "large",
    "SMALL",
    "Small",
    "small:online",
    "small ",
    " small",
    "small\n",
    "x/../small",
    "./small",
    "small/",
    "small\u200b",
    "sm%61ll",
    "",
    "small?x=1",
  ])("[attack-gateway-model-spelling] is refused as %j", async (model) => {
    const { key } = await gateway.mint();
    const response = await gateway.call(key, { ...PROMPT, model });
    expect([400, 403]).toContain(response.status);
    expect(asked()).toBe(0);
  });

  it("[attack-gateway-model-spelling] is not cheaper by another case, where a pattern lets it through", async () => {
    await gateway[Symbol.asyncDispose]();
    const prices = {
      dear: { currency: "USD", input: "100", output: "1000" },
      "*": { currency: "USD", input: "0", output: "0" },
    };
    gateway = await startTestGateway({ prices });
    const { key } = await gateway.mint({ models: ["*"], cap: "100" });
    for (const model of ["dear", "DEAR", "other"]) await (await gateway.call(key, { ...PROMPT, model })).text();
    // 20 tokens in and 10 out, twice: what is called otherwise is free.
    expect(await gateway.look("job-1")).toMatchObject({ spent: "0.024" });
  });

  it.each([
    { models: ["large"] },
    { model_list: ["large"] },
    { fallbacks: [{ small: ["large"] }] },
    { route: "fallback" },
    { Model: "large" },
    { MODEL: "large" },
    { extra_body: { model: "large" } },
    { provider: { order: ["x"] } },
    { plugins: [{ id: "web" }] },
    { prompt: { id: "stored", version: "1" } },
    { engine: "large" },
  ])("[attack-gateway-model-elsewhere] is refused in %j", async (fields) => {
    const { key } = await gateway.mint();
    await expectRefusal(await gateway.call(key, { ...PROMPT, ...fields }), 400, "invalid_request");
  });

  it("[attack-gateway-model-elsewhere] is not sent on when `model` is given twice", async () => {
    const { key } = await gateway.mint();
    const messages = JSON.stringify(PROMPT.messages);
    const last = await gateway.call(key, `{"model":"large","messages":${messages},"model":"small"}`);
    expect(last.status).toBe(200);
    expect(gateway.upstream.asked[0]?.text).not.toContain("large");
    const first = await gateway.call(key, `{"model":"small","messages":${messages},"mod\\u0065l":"large"}`);
    expect(first.status).toBe(403);
    expect(asked()).toBe(1);
  });

  it.each([
    "/v1/chat/completions/",
    "/v1//chat/completions",
    "/v1/Chat/completions",
    "/v1/completions",
    "/v1/engines/large/completions",
    "/v1/images/generations",
    "/v1/responses/r1",
    "/v1/files",
    "/chat/completions",
    "/v1",
    "/",
  ])("[attack-gateway-other-paths] is not reached by %s", async (path) => {
    const { key } = await gateway.mint();
    await expectRefusal(await gateway.call(key, PROMPT, path), 404, "not_found");
  });
});

describe("more than the cap", () => {
  it("[attack-gateway-last-cent] is not spent by calls that race for the rest", async () => {
    const release = Promise.withResolvers<void>();
    gateway.upstream.answer = async (one, response) => {
      await release.promise;
      await usual(one, response);
    };
    // Enough for one call of a thousand tokens, and no second one.
    const { key } = await gateway.mint({ alias: "job_1", cap: "0.015" });
    let refused = 0;
    const racing = Array.from({ length: 20 }, async () => {
      const answer = await gateway.call(key, { ...PROMPT, max_tokens: 1_000 });
      if (answer.status !== 200) refused++;
      return answer;
    });
    // Only then: a call that came later would find what this one leaves.
    await expect.poll(() => refused, { timeout: 10_000 }).toBe(19);
    release.resolve();
    const refusals = (await Promise.all(racing)).filter(({ status }) => status !== 200);
    expect(refusals).toHaveLength(19);
    for (const refusal of refusals) expect(await refusalOf(refusal)).toEqual({ status: 429, code: "budget_held" });
    expect(asked()).toBe(1);
    expect(await gateway.look("job_1")).toMatchObject({ spent: CALL_COST, held: "0" });
  });

  it.each([
    { n: 100 },
    { n: 128, max_tokens: 100 },
    { max_completion_tokens: 1, max_tokens: 100_000 },
    { max_tokens: 10_000_000 },
  ])("[attack-gateway-many-answers] is not let through for %j", async (fields) => {
    const { key } = await gateway.mint({ cap: "0.1" });
    await expectRefusal(await gateway.call(key, { ...PROMPT, ...fields }), 402, "insufficient_quota");
  });

  it.each([
    { n: 0 },
    { n: 1.5 },
    { n: "2" },
    { n: 1e9 },
    { best_of: 20 },
    { max_tokens: -1 },
    { max_tokens: 0 },
    { max_completion_tokens: "5" },
    { max_tokens: Number.POSITIVE_INFINITY },
    { max_tokens: 2 ** 60 },
    { stream: "yes" },
    { stream: true, stream_options: [] },
  ])("[attack-gateway-many-answers] makes no sense as %j", async (fields) => {
    const { key } = await gateway.mint();
    // What JSON has no word for is null there, and says nothing.
    const text = JSON.stringify({ ...PROMPT, ...fields }).replace("null", "1e400");
    await expectRefusal(await gateway.call(key, text), 400, "invalid_request");
  });

  const part = (content: object): object => ({ messages: [{ role: "user", content: [content] }] });
  it.each([
    { tools: [{ type: "web_search" }] },
    { tools: [{ type: "image_generation", model: "large" }] },
    { tools: [null] },
    { tools: { type: "function" } },
    { web_search_options: {} },
    { service_tier: "priority" },
    { modalities: ["text", "audio"] },
    { prediction: { type: "content", content: "x" } },
    { previous_response_id: "r1" },
    { background: true },
    part({ type: "input_audio", input_audio: { data: "" } }),
    part({ type: "file", file: { file_id: "f1" } }),
    part({ type: "text", text: "x", file_id: "f1" }),
    part({ type: "video_url", video_url: { url: "https://x.org" } }),
    part({ type: "item_reference", id: "r1" }),
    { messages: [{ role: "assistant", audio: { id: "a1" } }] },
  ])("[attack-gateway-uncounted] is not spent on what no token counts: %j", async (fields) => {
    const { key } = await gateway.mint();
    await expectRefusal(await gateway.call(key, { ...PROMPT, ...fields }), 400, "invalid_request");
  });

  it("[attack-gateway-uncounted] sets aside a number of tokens for each picture, however small its address is", async () => {
    const { key } = await gateway.mint({ alias: "job_1", cap: "0.06" });
    const picture = { type: "image_url", image_url: { url: "https://x.org/a.png" } };
    const messages = [{ role: "user", content: [picture, picture] }];
    await expectRefusal(await gateway.call(key, { ...PROMPT, messages, max_tokens: 1 }), 402, "insufficient_quota");
    const one = [{ role: "user", content: [picture] }];
    expect((await gateway.call(key, { ...PROMPT, messages: one, max_tokens: 1 })).status).toBe(200);
  });

  it("[attack-gateway-aborted] is not spent by calls that are given up before they tell their cost", async () => {
    gateway.upstream.answer = (_, response) => {
      beginStream(response);
      response.write(chatDelta("x"));
    };
    const { key } = await gateway.mint({ alias: "job_1", cap: "0.05" });
    for (let calls = 0; calls < 10; calls++) {
      const leaving = new AbortController();
      const body = { ...PROMPT, stream: true, max_tokens: 1_000 };
      const response = await gateway.call(key, body, "/v1/chat/completions", { signal: leaving.signal });
      if (response.status === 402) break;
      await response.body?.getReader().read();
      leaving.abort();
      await expect.poll(async () => (await gateway.look("job_1")).held).toBe("0");
    }
    // Each was paid as a whole.
    expect(asked()).toBe(4);
    expect(Number((await gateway.look("job_1")).spent)).toBeLessThanOrEqual(0.05);
  });

  it.each([
    ["negative", { prompt_tokens: -1_000_000, completion_tokens: -1_000_000 }],
    ["missing", undefined],
    ["null", null],
    ["nothing at all", { prompt_tokens: 0, completion_tokens: 0 }],
    ["words", { prompt_tokens: "20", completion_tokens: "10" }],
    ["fractions", { prompt_tokens: 0.5, completion_tokens: 0.1 }],
    [
      "less than its parts",
      { prompt_tokens: 20, completion_tokens: 10, prompt_tokens_details: { cached_tokens: -9e15 } },
    ],
  ])("[attack-gateway-lying-usage] is not made by usage that is %s", async (name, usage) => {
    gateway.upstream.answer = (_, response) => sendJson(response, 200, { choices: [], usage });
    const { key } = await gateway.mint({ alias: "job_1" });
    expect((await gateway.call(key, { ...PROMPT, max_tokens: 1_000 })).status).toBe(200);
    const { spent, held } = await gateway.look("job_1");
    expect(held).toBe("0");
    expect(Number(spent)).toBeGreaterThan(name === "less than its parts" ? 0.0001 : 0.01);
  });

  it("[attack-gateway-lying-usage] is taken at its word when it tells of more than was set aside", async () => {
    gateway.upstream.answer = (_, response) =>
      sendJson(response, 200, { usage: { prompt_tokens: Number.MAX_SAFE_INTEGER, completion_tokens: 1 } });
    const { key } = await gateway.mint({ alias: "job_1" });
    expect((await gateway.call(key, PROMPT)).status).toBe(200);
    expect(await gateway.look("job_1")).toMatchObject({ spent: "9007199254.741001" });
    expect(gateway.logged.join()).toContain("a call cost more than was set aside for it");
    expect((await gateway.call(key, PROMPT)).status).toBe(402);
  });

  it("[attack-gateway-lying-usage] counts by the dearest of several, in a stream", async () => {
    const small = { prompt_tokens: 1, completion_tokens: 1 };
    gateway.upstream.answer = (_, response) => {
      beginStream(response);
      const usage = (told: object): string => chatChunk({ choices: [], usage: told });
      response.end(
        usage(small) + usage(CHAT_USAGE) + usage(small) + DONE + usage({ prompt_tokens: 9e9, completion_tokens: 9e9 }),
      );
    };
    const { key } = await gateway.mint({ alias: "job_1" });
    await (await gateway.call(key, { ...PROMPT, stream: true })).text();
    expect(await gateway.look("job_1")).toMatchObject({ spent: CALL_COST });
  });

  it.each(["chunked", "length"])("[attack-gateway-large-bodies] is not read without end (%s)", async (how) => {
    const { key } = await gateway.mint();
    const answered = Promise.withResolvers<number>();
    const headers = { authorization: `Bearer ${key}`, ...(how === "length" && { "content-length": String(2 ** 30) }) };
    const request = requestHttp(`${gateway.origin}/v1/chat/completions`, { method: "POST", headers }, (response) => {
      answered.resolve(response.statusCode ?? 0);
      response.resume();
    });
    // The connection closes behind the answer, while more is still being sent.
    request.on("error", () => answered.resolve(413));
    const piece = Buffer.alloc(1_048_576, " ");
    const more = (): void => {
      if (!request.destroyed && request.write(piece)) queueMicrotask(more);
    };
    request.on("drain", more);
    more();
    expect(await answered.promise).toBe(413);
    request.destroy();
    expect(asked()).toBe(0);
    expect((await gateway.call(key, PROMPT)).status).toBe(200);
  });

  it.each([
    ["deep nesting", `{"model":"small","messages":${"[".repeat(100_000)}${"]".repeat(100_000)}}`],
    ["what is no UTF-8", Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d])],
    ["a list", "[]"],
    ["nothing", ""],
    ["half of it", '{"model":"small"'],
  ])("[attack-gateway-large-bodies] is not asked for by %s", async (_name, body) => {
    const { key } = await gateway.mint();
    const headers = { authorization: `Bearer ${key}` };
    const sent = await fetch(`${gateway.origin}/v1/chat/completions`, { method: "POST", headers, body });
    await expectRefusal(sent, 400, "invalid_request");
  });
});

it("[attack-gateway-endless-upstream] an upstream that never answers, or never ends, is given up, and its call is paid as a whole", async () => {
  await gateway[Symbol.asyncDispose]();
  const system = createSystemWorld();
  const due: (() => void)[] = [];
  const timers = {
    soon: system.timers.soon,
    after(_: number, run: () => void) {
      due.push(run);
      return { cancel: () => {} };
    },
  };
  const clock = { now: () => now };
  gateway = await startTestGateway({ world: { ...system, clock, timers } });
  const { key } = await gateway.mint({ alias: "job_1" });
  for (const begins of [false, true]) {
    gateway.upstream.answer = (_, response) => {
      if (!begins) return;
      beginStream(response);
      response.write(chatDelta("x"));
    };
    const response = gateway.call(key, { ...PROMPT, stream: true, max_tokens: 1_000 });
    const text = begins ? response.then((answer) => answer.text()) : response;
    await expect.poll(asked).toBe(begins ? 2 : 1);
    if (begins) await response;
    now += 3_600_001;
    for (const run of due.splice(0)) run();
    await expect(text).rejects.toThrow();
  }
  await expect.poll(async () => (await gateway.look("job_1")).held).toBe("0");
  expect(Number((await gateway.look("job_1")).spent)).toBeGreaterThan(0.02);
});

it("[attack-gateway-strangers] no key opens the admin API, the admin token calls no model, and nothing else opens either", async () => {
  const { key } = await gateway.mint();
  for (const token of [key, "", "x", `${ADMIN_TOKEN}x`, ADMIN_TOKEN.toUpperCase(), UPSTREAM_KEY]) {
    const headers = { authorization: `Bearer ${token}` };
    expect((await fetch(`${gateway.origin}/keys`, { headers })).status).toBe(401);
    expect((await fetch(`${gateway.origin}/keys/job-1`, { method: "DELETE", headers })).status).toBe(401);
  }
  for (const value of [ADMIN_TOKEN, "", UPSTREAM_KEY, key.slice(0, -1), `${key}x`]) {
    await expectRefusal(await gateway.call(value, PROMPT), 401, "invalid_api_key");
  }
});

it("[attack-gateway-secrets] no key, token or prompt is in a log or a file", async () => {
  const minted: KeyView[] = [await gateway.mint(), await gateway.mint()];
  for (const { key } of minted) await (await gateway.call(key, PROMPT)).text();
  gateway.upstream.answer = (_, response) => void response.destroy();
  await gateway.call(minted[0]?.key ?? "", PROMPT);
  gateway.upstream.answer = (_, response) => sendJson(response, 403, { error: { message: UPSTREAM_KEY } });
  await gateway.call(minted[0]?.key ?? "", PROMPT);
  const files = await readdir(gateway.directory);
  expect(files).toContain("gateway.db");
  const written = await Promise.all(files.map((file) => readFile(join(gateway.directory, file), "latin1")));
  expect(gateway.logged.join()).toContain("job-1");
  const secrets = [...minted.map(({ key }) => key), ADMIN_TOKEN, UPSTREAM_KEY, "what should I wear"];
  for (const secret of secrets) {
    expect(written.some((text) => text.includes(secret))).toBe(false);
    expect(gateway.logged.join("\n")).not.toContain(secret);
  }
});
