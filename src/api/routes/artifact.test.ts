import { createHash } from "node:crypto";
import { describe, expect, it, vi } from "vitest";
import { echo } from "../../kernel/test-kernel.ts";
import { createTestApi, type TestApi } from "../test-api.ts";

const CONTENT = "0123456789abcdef";
const SHA256 = createHash("sha256").update(CONTENT).digest("hex");

/** An artifact of a job of `me`; returns its path. */
async function anArtifact({ kernel, run }: TestApi, name: string | null = "report.txt", contentType = "text/plain") {
  const job = await run("echo");
  const pieces = async function* () {
    yield Buffer.from(CONTENT.slice(0, 7));
    yield Buffer.from(CONTENT.slice(7));
  };
  await kernel.addArtifact("art_1", job, { name, contentType }, pieces());
  return { job, path: "/api/artifacts/art_1" };
}

describe("GET /api/artifacts/{artifact_id}", () => {
  it("gives the bytes, as a download of the type they were given", async () => {
    const api = await createTestApi({ agents: [echo] });
    const { path } = await anArtifact(api);
    const { url } = await api.listen();
    const response = await fetch(`${url}${path}`, { headers: { authorization: "Bearer me" } });
    expect(await response.text()).toBe(CONTENT);
    expect(Object.fromEntries(response.headers)).toMatchObject({
      "content-type": "text/plain",
      "content-length": "16",
      etag: `"${SHA256}"`,
      "accept-ranges": "bytes",
      "content-disposition": "attachment; filename=\"report.txt\"; filename*=UTF-8''report.txt",
      "x-content-type-options": "nosniff",
      "content-security-policy": "sandbox; default-src 'none'",
    });
  });

  it("tells about it without the bytes", async () => {
    const api = await createTestApi({ agents: [echo] });
    const { path } = await anArtifact(api);
    const { url } = await api.listen();
    const response = await fetch(`${url}${path}`, { method: "HEAD", headers: { authorization: "Bearer me" } });
    expect([
      response.status,
      response.headers.get("content-length"),
      response.headers.get("etag"),
      await response.text(),
    ]).toEqual([200, "16", `"${SHA256}"`, ""]);
  });

  it.each([
    ["bytes=0-3", 206, "0123", "bytes 0-3/16"],
    ["bytes=10-", 206, "abcdef", "bytes 10-15/16"],
    ["bytes=-2", 206, "ef", "bytes 14-15/16"],
    ["bytes=-99", 206, CONTENT, "bytes 0-15/16"],
    ["bytes=14-99", 206, "ef", "bytes 14-15/16"],
    ["bytes=3-1", 200, CONTENT, undefined],
    ["bytes=0-1,4-5", 200, CONTENT, undefined],
    ["lines=0-1", 200, CONTENT, undefined],
  ])("answers Range: %s with %i", async (range, status, text, contentRange) => {
    const api = await createTestApi({ agents: [echo] });
    const { path } = await anArtifact(api, "x", "application/octet-stream");
    const answer = await api.call(path, { headers: { range } });
    expect([answer.status, answer.text, answer.headers["content-range"]]).toEqual([status, text, contentRange]);
    expect(answer.headers["content-length"]).toBe(String(text.length));
  });

  it("refuses a range outside, and says how much there is", async () => {
    const api = await createTestApi({ agents: [echo] });
    const { path } = await anArtifact(api);
    for (const range of ["bytes=16-", "bytes=-0"]) {
      const answer = await api.call(path, { headers: { range } });
      expect(answer).toMatchObject({ status: 416, headers: { "content-range": "bytes */16" } });
    }
  });

  it("sends nothing to who has it, and the whole when a range was of something else", async () => {
    const api = await createTestApi({ agents: [echo] });
    const { path } = await anArtifact(api, "x", "application/octet-stream");
    const etag = `"${SHA256}"`;
    for (const header of [etag, `W/${etag}`, `"other", ${etag}`, "*"]) {
      expect(await api.call(path, { headers: { "if-none-match": header } })).toMatchObject({ status: 304, text: "" });
    }
    expect(await api.call(path, { headers: { "if-none-match": '"other"' } })).toMatchObject({ status: 200 });
    expect(await api.call(path, { headers: { range: "bytes=0-1", "if-range": '"other"' } })).toMatchObject({
      status: 200,
    });
    expect(await api.call(path, { headers: { range: "bytes=0-1", "if-range": etag } })).toMatchObject({ status: 206 });
  });

  it("[law-principals-apart] is for who may see its job, and does not exist for others", async () => {
    const api = await createTestApi({ agents: [echo] });
    const { path } = await anArtifact(api, "x", "application/octet-stream");
    expect(await api.call(path, { token: "boss" })).toMatchObject({ status: 200 });
    const foreign = await api.call(path, { token: "you" });
    const none = await api.call("/api/artifacts/art_2", { token: "you" });
    expect(foreign).toMatchObject({ status: 404, json: { error: { code: "JOB_NOT_FOUND" } } });
    expect(foreign.json.error.message.replace("art_1", "art_2")).toBe(none.json.error.message);
    expect(await api.call(path, { token: null })).toMatchObject({ status: 401 });
  });

  it("[law-principals-apart] tells others nothing in their audit either: not of which job it is, nor that it is", async () => {
    const api = await createTestApi({ agents: [echo] });
    const { path, job } = await anArtifact(api, "x", "application/octet-stream");
    for (const asked of [path, "/api/artifacts/art_2"]) await api.call(asked, { token: "you" });
    const looked = (artifact: string) => ({
      at: expect.any(String),
      action: "job.read",
      allowed: false,
      principal: "t/you",
      details: { artifact },
    });
    const audit = async (token: string, query = "") => (await api.call(`/api/audit${query}`, { token })).json.entries;
    await vi.waitFor(async () => expect(await audit("you")).toEqual([looked("art_2"), looked("art_1")]));
    expect(await audit("you", `?job=${job}`)).toEqual([]);
    expect(await audit("me")).toEqual([{ ...looked("art_1"), owner: "t/me" }]);
    await api.call(path, { token: "boss" });
    const seen = { ...looked("art_1"), principal: "t/boss", owner: "t/me", job_id: job, allowed: true };
    await vi.waitFor(async () => expect(await audit("me", `?job=${job}`)).toEqual([seen]));
  });

  it.each([
    ["text/html", "text/html"],
    ["text/html; charset=utf-8", "text/html; charset=utf-8"],
    ["text/plain\r\nset-cookie: a=b", "application/octet-stream"],
    ["nonsense", "application/octet-stream"],
  ])("is never a page of ours, whatever its type: %j", async (contentType, sent) => {
    const api = await createTestApi({ agents: [echo] });
    const { path } = await anArtifact(api, '../../etc/pass"wd\r\n é.html', contentType);
    const { url } = await api.listen();
    const { headers } = await fetch(`${url}${path}`, { headers: { authorization: "Bearer me" } });
    expect(headers.get("content-type")).toBe(sent);
    expect(headers.get("content-disposition")).toBe(
      "attachment; filename=\"pass_wd__ _.html\"; filename*=UTF-8''pass%22wd%0D%0A%20%C3%A9.html",
    );
    expect(headers.get("content-security-policy")).toContain("sandbox");
    expect(headers.get("set-cookie")).toBeNull();
  });
});
