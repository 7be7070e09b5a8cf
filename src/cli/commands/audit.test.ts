import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { apiUrl } from "../api-request.ts";
import { createTestIo, type TestIo } from "../test-io.ts";
import { audit } from "./audit.ts";

const ENTRY = {
  at: "2026-01-01T00:00:00.000Z",
  action: "job.cancel",
  allowed: false,
  principal: "default/bob",
  job_id: "job_1",
  owner: "default/ann",
  details: { reason: "no\u001b[31m reason", code: "PERMISSION_DENIED" },
};

/** What is answered, in turn, and what was asked. */
let answers: { readonly status?: number; readonly body: string }[];
let asked: { readonly url: string; readonly authorization: string | undefined }[];
let server: Server;
let io: TestIo;

beforeEach(async () => {
  answers = [];
  asked = [];
  server = createServer((request, response) => {
    asked.push({ url: request.url ?? "", authorization: request.headers.authorization });
    const { status = 200, body } = answers.shift() ?? { status: 404, body: "" };
    response.writeHead(status, status === 302 ? { location: "/elsewhere" } : {}).end(body);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}/arcp`;
  io = createTestIo({ env: { LEASEHOLD_URL: url, LEASEHOLD_TOKEN: "lh_t" } });
});

afterEach(() => {
  server.closeAllConnections();
  server.close();
});

const page = (entries: readonly object[], next_cursor?: string) => ({ body: JSON.stringify({ entries, next_cursor }) });

describe("leasehold audit", () => {
  it("asks with its filters, page by page, up to the limit", async () => {
    answers.push(page([ENTRY], "c1"), page([], "c2"), page([ENTRY, ENTRY], "c3"));
    await audit("job_1", { action: "job.cancel", principal: "bob", limit: "3", json: true }, io);
    expect(asked.map(({ url }) => url)).toEqual([
      "/api/audit?job=job_1&action=job.cancel&principal=bob&limit=3",
      "/api/audit?job=job_1&action=job.cancel&principal=bob&limit=2&cursor=c1",
      "/api/audit?job=job_1&action=job.cancel&principal=bob&limit=2&cursor=c2",
    ]);
    expect(asked[0]?.authorization).toBe("Bearer lh_t");
    expect(io.stdout.lines.map((line) => JSON.parse(line))).toEqual([ENTRY, ENTRY, ENTRY]);
  });

  it("prints a table that nothing in it can break", async () => {
    answers.push(page([ENTRY, { at: ENTRY.at, action: "session.authenticate", allowed: false }]));
    await audit(undefined, { limit: "9" }, io);
    const [header, first, second] = io.stdout.lines;
    expect(header).toMatch(/^TIME +DECISION +ACTION +WHO +JOB +WHOSE +DETAILS$/);
    expect(first).toMatch(/refused +job\.cancel +default\/bob +job_1 +default\/ann +reason=no.*PERMISSION_DENIED$/);
    expect(first).not.toContain("\u001b");
    expect(second).toMatch(/refused +session\.authenticate +- +- +-$/);
  });

  it("says that there is nothing", async () => {
    answers.push(page([]));
    await audit(undefined, { limit: "9" }, io);
    expect([io.stdout.text, io.stderr.text]).toEqual(["", "nothing was decided that concerns you\n"]);
  });

  it.each([
    [
      { status: 401, body: '{"error":{"code":"UNAUTHENTICATED","message":"who?","retryable":false}}' },
      { code: "UNAUTHENTICATED", message: "who?" },
    ],
    [{ status: 404, body: "<html>" }, { code: "NOT_OUR_API" }],
    [{ status: 200, body: "<html>" }, { code: "NOT_OUR_API" }],
    [{ status: 200, body: "{}" }, { code: "NOT_OUR_API" }],
    [{ status: 302, body: "" }, { code: "NOT_OUR_API" }],
  ])("reports the answer %j", async (answer, error) => {
    answers.push(answer);
    await expect(audit(undefined, { limit: "9" }, io)).rejects.toMatchObject(error);
    expect(asked).toHaveLength(1);
  });

  it("reports a runtime that is not there", async () => {
    server.close();
    await once(server, "close");
    await expect(audit(undefined, { limit: "9" }, io)).rejects.toMatchObject({ code: "UNREACHABLE", exitCode: 7 });
  });
});

describe("the API of a runtime", () => {
  it.each([
    ["ws://127.0.0.1:7777/arcp", "http://127.0.0.1:7777/api/audit?limit=1"],
    ["wss://jobs.example/arcp", "https://jobs.example/api/audit?limit=1"],
    ["wss://example.com/jobs/arcp?x=1", "https://example.com/jobs/api/audit?limit=1"],
  ])("of %s is at %s", (target, url) =>
    expect(apiUrl(target, "/api/audit", { limit: 1, job: undefined }).href).toBe(url),
  );
});
