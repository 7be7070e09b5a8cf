/** `leasehold gateway` as a process: how it starts, refuses to, ends, and what is left of it when it is killed. */
import { readdir, readFile } from "node:fs/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { CALL_COST, PRICES, PROMPT } from "../../src/provisioners/gateway/test-gateway.ts";
import {
  beginStream,
  chatDelta,
  startTestUpstream,
  type TestUpstream,
  usual,
} from "../../src/provisioners/gateway/test-upstream.ts";
import { type Command, createPlace, jsonLines, type Place } from "./test-place.ts";

const ADMIN_TOKEN = "an-admin-token-for-tests";
const ENV = { LEASEHOLD_GATEWAY_TOKEN: ADMIN_TOKEN, UPSTREAM_KEY: "sk-upstream-of-tests" };

let place: Place;
let upstream: TestUpstream;
beforeEach(async () => {
  place = await createPlace();
  upstream = await startTestUpstream();
  await place.write("prices.json", JSON.stringify(PRICES));
});
afterEach(async () => {
  await place[Symbol.asyncDispose]();
  await upstream[Symbol.asyncDispose]();
});

interface Running extends Command {
  readonly ready: Readonly<Record<string, unknown>>;
  ask(method: string, path: string, body?: unknown, token?: string): Promise<Response>;
}

function args(...more: string[]): string[] {
  const known = ["--upstream", upstream.url, "--upstream-key-env", "UPSTREAM_KEY", "--prices", "prices.json"];
  return ["gateway", ...known, "--port", "0", ...more];
}

async function start(env: Readonly<Record<string, string>> = ENV): Promise<Running> {
  const command = place.start(args("--json"), { env });
  const ready = await command.until("the line that says where it serves", (stdout) => jsonLines(stdout)[0]);
  return {
    ...command,
    ready,
    ask: (method, path, body, token = ADMIN_TOKEN) =>
      fetch(`${ready.admin_url}${path}`, {
        method,
        headers: { authorization: `Bearer ${token}` },
        ...(body !== undefined && { body: JSON.stringify(body) }),
      }),
  };
}

async function mint(running: Running, fields: object = {}): Promise<string> {
  const made = { alias: "job_1", models: ["small"], cap: "1", ...fields };
  return ((await (await running.ask("POST", "/keys", made)).json()) as { key: string }).key;
}

async function spentOf(running: Running): Promise<string> {
  return ((await (await running.ask("GET", "/keys/job_1")).json()) as { spent: string }).spent;
}

it("mints, passes on, counts, and ends with code 0", async () => {
  const running = await start();
  expect(running.ready).toEqual({
    type: "ready",
    url: `${running.ready.admin_url}/v1`,
    admin_url: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/),
    pid: running.pid,
  });
  const key = await mint(running);
  const answer = await running.ask("POST", "/v1/chat/completions", PROMPT, key);
  expect(await answer.json()).toMatchObject({ choices: [{ message: { content: "a coat" } }] });
  expect(upstream.asked[0]?.headers.authorization).toBe(`Bearer ${ENV.UPSTREAM_KEY}`);
  running.child.kill("SIGTERM");
  expect((await running.ended()).code).toBe(0);
  const again = await start();
  expect(await spentOf(again)).toBe(CALL_COST);
});

it("makes an admin token for its run where it is given none", async () => {
  const running = await start({ UPSTREAM_KEY: ENV.UPSTREAM_KEY });
  const token = String(running.ready.admin_token);
  expect((await running.ask("GET", "/keys", undefined, token)).status).toBe(200);
  expect((await running.ask("GET", "/keys")).status).toBe(401);
  expect(running.stderr()).not.toContain(token);
});

it("waits for calls under way when it is told to stop, and takes no new ones", async () => {
  const more = Promise.withResolvers<void>();
  upstream.answer = async (asked, response) => {
    await more.promise;
    await usual(asked, response);
  };
  const running = await start();
  const key = await mint(running);
  const call = running.ask("POST", "/v1/chat/completions", PROMPT, key);
  await expect.poll(() => upstream.asked.length).toBe(1);
  running.child.kill("SIGTERM");
  await expect.poll(() => running.ask("GET", "/keys").catch(() => "gone")).toBe("gone");
  more.resolve();
  expect((await call).status).toBe(200);
  expect((await running.ended()).code).toBe(0);
});

describe("[attack-gateway-crash] after kill -9", () => {
  it("a call under way counts as if it had cost all that was set aside", async () => {
    upstream.answer = (_, response) => {
      beginStream(response);
      response.write(chatDelta("x"));
    };
    const running = await start();
    const key = await mint(running);
    const body = { ...PROMPT, stream: true, max_tokens: 1_000 };
    const response = await running.ask("POST", "/v1/chat/completions", body, key);
    await response.body?.getReader().read();
    running.child.kill("SIGKILL");
    await running.ended();
    const spent = Number(await spentOf(await start()));
    expect(spent).toBeGreaterThan(0.01);
    expect(spent).toBeLessThan(0.0106);
  });

  it("every answer that arrived is paid, and no more is spent than the cap", async () => {
    const running = await start();
    const key = await mint(running, { cap: "0.2" });
    let answered = 0;
    const lane = async (): Promise<void> => {
      for (;;) {
        const response = await running.ask("POST", "/v1/chat/completions", { ...PROMPT, max_tokens: 100 }, key);
        await response.text();
        if (response.status === 200) answered++;
        if (answered === 100) running.child.kill("SIGKILL");
      }
    };
    await Promise.allSettled(Array.from({ length: 8 }, lane));
    await running.ended();
    const spent = Number(await spentOf(await start()));
    expect(spent).toBeGreaterThanOrEqual(answered * Number(CALL_COST) - 1e-9);
    expect(spent).toBeLessThanOrEqual(0.2);
    // What was under way, and no call more.
    expect(spent).toBeLessThanOrEqual(answered * Number(CALL_COST) + 8 * 0.0016);
  });
});

it("[attack-gateway-secrets] leaves no key and no token in its files and on its streams", async () => {
  const running = await start();
  const key = await mint(running);
  await running.ask("POST", "/v1/chat/completions", PROMPT, key);
  running.child.kill("SIGKILL");
  const { stdout, stderr } = await running.ended();
  const directory = place.path(".leasehold/gateway");
  const files = await Promise.all((await readdir(directory)).map((file) => readFile(`${directory}/${file}`, "latin1")));
  const written = [stdout, stderr, ...files].join("\n");
  expect(written).toContain("job_1");
  for (const secret of [key, ADMIN_TOKEN, ENV.UPSTREAM_KEY]) expect(written).not.toContain(secret);
});

describe("refuses to start", () => {
  it.each([
    ["with the upstream's key missing", ["--upstream-key-env", "NOWHERE"], {}, "NOWHERE is not set"],
    ["with an address that is none", ["--upstream", "api.openai.com"], ENV, "is no http or https address"],
    ["with a short admin token", [], { ...ENV, LEASEHOLD_GATEWAY_TOKEN: "short" }, "at least 16 characters"],
    ["with prices in two currencies", ["--prices", "two.json"], ENV, "one currency, not in USD and EUR"],
    ["with no prices", ["--prices", "none.json"], ENV, "must have an entry"],
    ["with another field for limits", ["--output-limit-field", "n"], ENV, "--output-limit-field must be"],
    ["with no tokens", ["--output-tokens", "0"], ENV, "--output-tokens must be a whole number"],
  ])("%s", async (_, words, env, message) => {
    await place.write("none.json", "{}");
    const price = (currency: string) => ({ currency, input: "1", output: "1" });
    await place.write("two.json", JSON.stringify({ a: price("USD"), b: price("EUR") }));
    const { code, stderr } = await place.run(args(...words), { env });
    expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringContaining(message) });
  });

  it("without a service, or without prices", async () => {
    const service = await place.run(["gateway", "--prices", "prices.json"]);
    expect(service).toEqual({ code: 1, stdout: "", stderr: expect.stringContaining("--upstream is missing") });
    const prices = await place.run(["gateway", "--upstream", upstream.url]);
    expect(prices).toEqual({ code: 1, stdout: "", stderr: expect.stringContaining("--prices is missing") });
  });

  it("on a directory that another one has", async () => {
    const running = await start();
    const { code, stderr } = await place.run(args(), { env: ENV });
    expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringContaining(`in use by process ${running.pid}`) });
  });
});
