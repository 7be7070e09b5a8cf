import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { REVOKED_KEPT_MS } from "./keys.ts";
import { PROMPT, startTestGateway, type TestGateway } from "./test-gateway.ts";

let gateway: TestGateway;
let now: number;
beforeEach(async () => {
  now = Date.parse("2026-05-13T12:00:00Z");
  gateway = await startTestGateway({ clock: { now: () => now } });
});
afterEach(() => gateway[Symbol.asyncDispose]());

const WHOLE = {
  alias: "job_1",
  models: ["small", "open/*"],
  cap: "2.50",
  expires_at: "2026-05-13T13:00:00+00:00",
  metadata: { job: "1" },
};

it("a key is made with its bounds, and shown without its value from then on", async () => {
  const { status, body } = await gateway.admin("POST", "/keys", WHOLE);
  expect(status).toBe(201);
  const { key, ...view } = body as unknown as { key: string };
  expect(key).toMatch(/^lh_key_[\w-]{43}$/);
  expect(view).toEqual({
    id: expect.stringMatching(/^key_/),
    alias: "job_1",
    models: ["small", "open/*"],
    currency: "USD",
    cap: "2.5",
    spent: "0",
    held: "0",
    remaining: "2.5",
    created_at: "2026-05-13T12:00:00.000Z",
    expires_at: "2026-05-13T13:00:00.000Z",
    revoked_at: null,
    metadata: { job: "1" },
  });
  expect((await gateway.admin("GET", "/keys/job_1")).body).toEqual(view);
  await gateway.restart();
  expect((await gateway.admin("GET", `/keys/${body.id}`)).body).toEqual(view);
});

it("the same request again is the same key; another one for its alias is refused", async () => {
  const first = await gateway.admin("POST", "/keys", WHOLE);
  await gateway.admin("PATCH", "/keys/job_1", { cap: "1" });
  const again = await gateway.admin("POST", "/keys", WHOLE);
  expect(again).toMatchObject({ status: 200, body: { id: first.body.id, cap: "1" } });
  expect(again.body.key).not.toBe(first.body.key);
  expect((await gateway.admin("POST", "/keys", { ...WHOLE, cap: "3" })).status).toBe(409);
});

it("bounds are changed one by one, and hold from the next call on", async () => {
  const { key } = await gateway.mint({ alias: "job_1", expires_at: WHOLE.expires_at });
  const changed = await gateway.admin("PATCH", "/keys/job_1", { models: ["large"], expires_at: null });
  expect(changed).toMatchObject({ status: 200, body: { models: ["large"], cap: "1", expires_at: null } });
  expect((await gateway.call(key, PROMPT)).status).toBe(403);
  expect((await gateway.call(key, { ...PROMPT, model: "large", max_tokens: 1 })).status).toBe(200);
});

it("deleting twice is deleting once; a revoked key is kept a month, and then its alias is free", async () => {
  await gateway.mint({ alias: "job_1" });
  const { body } = await gateway.admin("DELETE", "/keys/job_1");
  now += 1_000;
  expect(await gateway.admin("DELETE", "/keys/job_1")).toEqual({ status: 200, body });
  now += REVOKED_KEPT_MS;
  await gateway.mint({ alias: "job_2" });
  expect((await gateway.admin("GET", "/keys/job_1")).status).toBe(404);
  await gateway.mint({ alias: "job_1" });
  await gateway.restart();
  expect((await gateway.admin("GET", "/keys/job_1")).body).toMatchObject({ revoked_at: null });
});

it("keys are listed a page at a time", async () => {
  const minted = [];
  for (let nth = 0; nth < 5; nth++) {
    now += 1;
    minted.push((await gateway.mint()).alias);
  }
  const listed: string[] = [];
  let next: string | undefined = "";
  while (next !== undefined) {
    const { body } = await gateway.admin("GET", `/keys?limit=2&after=${next}`);
    const page = body as unknown as { keys: { alias: string }[]; next?: string };
    listed.push(...page.keys.map(({ alias }) => alias));
    next = page.next;
  }
  expect(listed).toEqual(minted);
});

describe("refused, with the field that is wrong", () => {
  it.each([
    ["alias", { alias: "" }],
    ["alias", { alias: "key_1" }],
    ["alias", { alias: "a/b" }],
    ["alias", { alias: 5 }],
    ["alias", { alias: "x".repeat(201) }],
    ["models", { models: [] }],
    ["models", { models: "small" }],
    ["models", { models: [""] }],
    ["models", { models: [5] }],
    ["models", { models: undefined }],
    ["cap", { cap: undefined }],
    ["cap", { cap: 2.5 }],
    ["cap", { cap: "-1" }],
    ["cap", { cap: "1e999" }],
    ["cap", { cap: "much" }],
    ["expires_at", { expires_at: "tomorrow" }],
    ["expires_at", { expires_at: "2026-05-13T12:00:00" }],
    ["expires_at", { expires_at: "2026-05-13T11:59:59Z" }],
    ["expires_at", { expires_at: "2026-99-13T11:59:59Z" }],
    ["metadata", { metadata: [] }],
    ["metadata", { metadata: { long: "x".repeat(5_000) } }],
    ["max_budget", { max_budget: "5" }],
  ])("%s in %j", async (param, fields) => {
    const { status, body } = await gateway.admin("POST", "/keys", { ...WHOLE, ...fields });
    expect(status).toBe(400);
    expect(body).toMatchObject({ error: { type: "invalid_request_error", param } });
  });

  it.each([
    ["GET", "/keys/job_2", undefined, 404],
    ["PATCH", "/keys/job_2", { cap: "1" }, 404],
    ["DELETE", "/keys/key_01", undefined, 404],
    ["GET", "/keys/%2e%2e%2f", undefined, 404],
    ["GET", "/keys/%zz", undefined, 404],
    ["PUT", "/keys", {}, 405],
    ["POST", "/keys/job_1", {}, 405],
    ["GET", "/keys?limit=0", undefined, 400],
    ["POST", "/keys", [], 400],
    ["POST", "/keys", { alias: "x".repeat(70_000) }, 413],
  ])("%s %s", async (method, path, body, status) => {
    expect((await gateway.admin(method, path, body)).status).toBe(status);
  });
});
