import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { CodedError } from "../protocol/errors.ts";
import { MAX_REDIRECTS } from "./fetch.ts";
import { MAX_WHOLE_BODY_BYTES } from "./fetched-response.ts";
import { openTestContext, type TestContext } from "./test-context.ts";
import type { TestHostOptions } from "./test-host.ts";

interface Seen {
  readonly method: string | undefined;
  readonly path: string | undefined;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}

let server: Server;
let other: Server;
let here: string;
let there: string;
let seen: Seen[];
let answer: (request: Seen, response: ServerResponse) => void;

async function serve(): Promise<Server> {
  const made = createServer(async (request, response) => {
    let body = "";
    for await (const piece of request.setEncoding("utf8")) body += piece;
    const one = { method: request.method, path: request.url, headers: request.headers, body };
    seen.push(one);
    answer(one, response);
  });
  made.listen(0, "127.0.0.1");
  await new Promise((resolve) => made.once("listening", resolve));
  return made;
}
const originOf = (made: Server): string => `http://127.0.0.1:${(made.address() as AddressInfo).port}`;

beforeEach(async () => {
  seen = [];
  answer = (_, response) => void response.end("ok");
  [server, other] = await Promise.all([serve(), serve()]);
  here = originOf(server);
  there = originOf(other);
});
afterEach(() => {
  for (const made of [server, other]) {
    made.closeAllConnections();
    made.close();
  }
});

/** Under a lease for all of `here`. */
const open = (options?: TestHostOptions): TestContext => openTestContext({ "net.fetch": [`${here}/**`] }, options);
const openBoth = (): TestContext => openTestContext({ "net.fetch": [`${here}/**`, `${there}/**`] });
const denied = { code: "PERMISSION_DENIED" };

/** Answers under `/to/…` redirect, all others tell what was asked. */
const redirecting =
  (status: number, location: string): typeof answer =>
  ({ path = "" }, response) => {
    if (path.startsWith("/to")) response.writeHead(status, { location }).end("moved");
    else response.end("arrived");
  };

describe("fetch under a lease", () => {
  it("is the standard one, in and out", async () => {
    answer = (_, response) => {
      response.writeHead(201, "Made", { "set-cookie": ["a=1", "b=2"], "content-type": "application/json" });
      response.end('{"n":1}');
    };
    const { ctx } = open();
    const { fetch } = ctx;
    const response = await fetch(new URL(`${here}/a?q=1#part`), {
      method: "post",
      body: "data",
      headers: { "x-mine": "yes" },
    });
    expect(response).toBeInstanceOf(Response);
    expect(response).toMatchObject({ status: 201, ok: true, statusText: "Made", redirected: false, type: "basic" });
    expect(response.url).toBe(`${here}/a?q=1`);
    expect(response.headers.getSetCookie()).toEqual(["a=1", "b=2"]);
    const copy = response.clone();
    expect(copy).toMatchObject({ status: 201, url: response.url });
    expect(await response.json()).toEqual({ n: 1 });
    expect(await copy.text()).toBe('{"n":1}');
    expect(seen[0]).toMatchObject({ method: "POST", path: "/a?q=1", body: "data", headers: { "x-mine": "yes" } });
  });

  it("takes a Request, and sends forms as forms", async () => {
    const { ctx } = open();
    await ctx.fetch(new Request(`${here}/a`, { method: "PUT", body: "whole", headers: { "x-mine": "yes" } }));
    const form = new FormData();
    form.set("name", "value");
    await ctx.fetch(`${here}/b`, { method: "POST", body: form });
    expect(seen[0]).toMatchObject({ method: "PUT", body: "whole", headers: { "x-mine": "yes" } });
    expect(seen[1]?.headers["content-type"]).toMatch(/^multipart\/form-data; boundary=/);
    expect(seen[1]?.body).toContain("value");
  });

  it("asks about the address that is fetched, whatever a Request calls itself", async () => {
    class Liar extends Request {
      override get url(): string {
        return `${here}/public`;
      }
    }
    const disguised = new Request(`${here}/private`);
    Object.defineProperty(disguised, "url", { value: `${here}/public` });
    const { ctx, calls } = openTestContext({ "net.fetch": [`${here}/public`] });
    for (const request of [new Liar(`${here}/private`), disguised]) {
      await expect(ctx.fetch(request)).rejects.toMatchObject(denied);
    }
    expect(seen).toEqual([]);
    expect(calls().map(({ args }) => args)).toEqual([
      { method: "GET", url: `${here}/private` },
      { method: "GET", url: `${here}/private` },
    ]);
  });

  const BOMB = gzipSync(Buffer.alloc(MAX_WHOLE_BODY_BYTES + 1_000_000));
  const explode: typeof answer = (_, response) =>
    void response
      .writeHead(200, { "content-encoding": "gzip", "content-type": "application/x-www-form-urlencoded" })
      .write(BOMB);

  it.each(["text", "json", "arrayBuffer", "bytes", "blob", "formData"] as const)(
    "does not take a body without an end whole: %s()",
    async (read) => {
      const closed = Promise.withResolvers<void>();
      answer = (request, response) => {
        response.on("close", closed.resolve);
        explode(request, response);
      };
      const { ctx } = open();
      const response = await ctx.fetch(`${here}/bomb`);
      await expect(response[read]()).rejects.toMatchObject({
        code: "INVALID_REQUEST",
        details: { limit: MAX_WHOLE_BODY_BYTES },
      });
      await closed.promise;
    },
  );

  it("takes a body of any length piece by piece", async () => {
    answer = explode;
    const { ctx } = open();
    let size = 0;
    for await (const piece of (await ctx.fetch(`${here}/large`)).body ?? []) {
      size += piece.length;
      if (size > MAX_WHOLE_BODY_BYTES) break;
    }
    expect(size).toBeGreaterThan(MAX_WHOLE_BODY_BYTES);
  });

  it("sends the method that is on the log", async () => {
    let asked = 0;
    const method = { toString: () => (asked++ === 0 ? "GET" : "DELETE"), toUpperCase: () => "HEAD" };
    const { ctx, calls } = open();
    await ctx.fetch(`${here}/a`, { method: method as unknown as string });
    await ctx.fetch(`${here}/a`, { method: "patch", body: "b" });
    expect(seen.map((one) => one.method)).toEqual(["GET", "PATCH"]);
    expect(calls().map(({ args }) => args)).toMatchObject([{ method: "GET" }, { method: "PATCH" }]);
  });

  it("gives out what servers answer that no Response may be made with", async () => {
    const { ctx } = open();
    for (const status of [204, 304, 999]) {
      answer = (_, response) => void response.writeHead(status, "Odd").end();
      expect(await ctx.fetch(`${here}/a`)).toMatchObject({ status, statusText: "Odd", ok: status === 204 });
    }
  });

  it("is on the log before it is sent: status, place and size, neither query nor body [attack-secrets-on-the-log]", async () => {
    answer = (_, response) => void response.writeHead(200, { "content-length": "6" }).end("secret");
    const { ctx, host, calls } = open();
    await (await ctx.fetch(`${here}/a/../b?token=secret`, { method: "POST", body: "secret" })).text();
    const url = `${here}/b`;
    expect(calls()).toEqual([{ tool: "fetch", args: { method: "POST", url }, result: { status: 200, url, bytes: 6 } }]);
    expect(JSON.stringify(host.entries)).not.toContain("secret");
    expect(host.trace.slice(0, 4)).toEqual([`guard:${url}`, "append:tool_call", "flush", `guard:${url}`]);
  });

  it("sends the trace along, unless somebody else does [arcp-11-forwarded]", async () => {
    const { ctx } = open();
    await ctx.fetch(`${here}/a`);
    expect(seen[0]?.headers.traceparent).toBe(ctx.traceparent);
    const traceparent = "00-11111111111111111111111111111111-2222222222222222-01";
    await ctx.fetch(`${here}/a`, { headers: { traceparent } });
    expect(seen[1]?.headers.traceparent).toBe(traceparent);
  });

  it("is refused for what the lease does not cover, however it is written [arcp-9.3-permission-denied] [attack-fetch-spelling]", async () => {
    const { ctx, calls } = openTestContext({ "net.fetch": [`${here}/open/**`] });
    const { host } = new URL(here);
    for (const url of [
      `${there}/open/a`,
      `${here}/`,
      `${here}/open/../closed`,
      `${here}/open/%2e%2e/closed`,
      `${here}/open\\..\\closed`,
      `https://${host}/open/a`,
      `http://${host.replace(":", ".example.com:")}/open/a`,
    ]) {
      await expect(ctx.fetch(url)).rejects.toMatchObject({
        ...denied,
        details: { capability: "net.fetch", patterns: [`${here}/open/**`] },
      });
    }
    await expect(ctx.fetch(`http://user:pass@${host}/open/a`)).rejects.toMatchObject({ code: "INVALID_REQUEST" });
    await expect(openTestContext(null).ctx.fetch(`${here}/open/a`)).rejects.toMatchObject(denied);
    expect(seen).toEqual([]);
    expect(calls()).toHaveLength(7);
    await ctx.fetch(`${here}/closed/../open/a`);
    expect(seen).toHaveLength(1);
  });

  it("fetches nothing but http and https [attack-fetch-scheme]", async () => {
    const { ctx, host } = openTestContext({ "net.fetch": ["**"] });
    const blob = URL.createObjectURL(new Blob(["a"]));
    for (const url of ["data:text/plain,hi", "file:///etc/passwd", blob, "ftp://127.0.0.1/", "about:blank", "/a", ""]) {
      await expect(ctx.fetch(url)).rejects.toMatchObject({ code: "INVALID_REQUEST", details: { field: "url" } });
    }
    expect(host.entries).toEqual([]);
  });

  it("asks for what it was called with, whatever becomes of the arguments meanwhile", async () => {
    const url = new URL(`${here}/a`);
    const init = { method: "PUT", body: "one" };
    const { ctx } = open({
      flushed() {
        url.href = `${there}/b`;
        Object.assign(init, { method: "DELETE", body: "two" });
      },
    });
    await ctx.fetch(url, init);
    expect(seen).toMatchObject([{ method: "PUT", path: "/a", body: "one", headers: { host: new URL(here).host } }]);
  });

  it("fails as fetch does, and says why", async () => {
    const { ctx, calls } = openTestContext({ "net.fetch": ["http://127.0.0.1:*/**"] });
    const { port } = server.address() as AddressInfo;
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    const error = await ctx.fetch(`http://127.0.0.1:${port}/a?q`).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(TypeError);
    expect((error as Error).message).toMatch(/^fetch of http:\/\/127\.0\.0\.1:\d+\/a failed: .*ECONNREFUSED/);
    expect(calls()[0]).toMatchObject({ error: { code: "INTERNAL_ERROR" } });
    await expect(ctx.fetch(`${there}/a`, { method: "GET", body: "x" })).rejects.toBeInstanceOf(TypeError);
  });
});

describe("redirects", () => {
  it("are followed hop by hop, each on the log", async () => {
    answer = ({ path }, response) => {
      if (path === "/to/a") response.writeHead(302, { location: "b?secret" }).end("moved");
      else response.end("arrived");
    };
    const { ctx, host, calls } = open();
    const response = await ctx.fetch(`${here}/to/a`);
    expect(response).toMatchObject({ redirected: true, url: `${here}/to/b?secret`, status: 200 });
    expect(await response.text()).toBe("arrived");
    expect(calls()).toMatchObject([
      { args: { method: "GET", url: `${here}/to/a` }, result: { status: 302 } },
      { args: { method: "GET", url: `${here}/to/b`, redirected_from: `${here}/to/a` }, result: { status: 200 } },
    ]);
    expect(JSON.stringify(host.entries)).not.toContain("secret");
  });

  it.each([301, 302, 303, 307, 308])("lead nowhere outside the lease (%i) [attack-fetch-redirect]", async (status) => {
    answer = redirecting(status, `${there}/arrive`);
    const { ctx, calls } = open();
    await expect(ctx.fetch(`${here}/to`)).rejects.toMatchObject({ ...denied, details: { target: `${there}/arrive` } });
    expect(seen).toHaveLength(1);
    expect(calls()).toMatchObject([{ result: { status } }, { error: denied }]);
  });

  it.each(["file:///etc/passwd", "data:text/plain,hi", "http://user:pass@127.0.0.1/", "gopher://a/", "http://"])(
    "to %s are not followed",
    async (location) => {
      answer = redirecting(302, location);
      const { ctx } = openTestContext({ "net.fetch": ["http://*:*/**", "https://*/**"] });
      await expect(ctx.fetch(`${here}/to`)).rejects.toThrow(/http or https|user name|no URL/);
    },
  );

  it.each([
    [301, "POST", "GET", ""],
    [302, "POST", "GET", ""],
    [303, "POST", "GET", ""],
    [303, "PUT", "GET", ""],
    [303, "HEAD", "HEAD", ""],
    [301, "PUT", "PUT", "data"],
    [307, "POST", "POST", "data"],
    [308, "PATCH", "PATCH", "data"],
  ])("%i after %s asks with %s", async (status, method, then, body) => {
    answer = redirecting(status, "/arrived");
    const { ctx } = open();
    await ctx.fetch(`${here}/to`, {
      method,
      ...(method !== "HEAD" && { body: "data", headers: { "content-type": "text/x-mine" } }),
    });
    expect(seen[1]).toMatchObject({ method: then, path: "/arrived", body });
    expect(seen[1]?.headers["content-type"]).toBe(body === "" ? undefined : "text/x-mine");
  });

  it("lead to places with letters of any alphabet", async () => {
    answer = redirecting(302, Buffer.from("/größe").toString("latin1"));
    const { ctx } = open();
    expect((await ctx.fetch(`${here}/to`)).url).toBe(`${here}/gr%C3%B6%C3%9Fe`);
  });

  it("send a form again as it was", async () => {
    answer = redirecting(307, "/arrived");
    const form = new FormData();
    form.set("name", "value");
    const { ctx } = open();
    await ctx.fetch(`${here}/to`, { method: "POST", body: form });
    const [, boundary = ""] = /boundary=(.+)/.exec(seen[1]?.headers["content-type"] ?? "") ?? [];
    expect(seen[1]?.body.startsWith(`--${boundary}`)).toBe(true);
  });

  it("do not send a stream again, and say so", async () => {
    answer = redirecting(307, "/arrived");
    const { ctx } = open();
    const streamed = () => ({ method: "POST", body: new Blob(["data"]).stream(), duplex: "half" }) as RequestInit;
    await expect(ctx.fetch(`${here}/to`, streamed())).rejects.toMatchObject({
      code: "INVALID_REQUEST",
      details: { field: "fetch.init.body" },
    });
    await expect(ctx.fetch(new Request(`${here}/to`, { method: "POST", body: "data" }))).rejects.toMatchObject({
      details: { field: "fetch.init.body" },
    });
    answer = redirecting(303, "/arrived");
    expect(await (await ctx.fetch(`${here}/to`, streamed())).text()).toBe("arrived");
  });

  it("take credentials along within an origin, and to no other [attack-token-to-other-origin]", async () => {
    const headers = { authorization: "Bearer secret", cookie: "a=secret", "x-mine": "yes" };
    const { ctx } = openBoth();
    answer = redirecting(302, "/arrived");
    await ctx.fetch(`${here}/to`, { headers });
    expect(seen[1]?.headers).toMatchObject(headers);
    answer = redirecting(302, `${there}/arrived`);
    await ctx.fetch(`${here}/to`, { headers });
    expect(seen[3]?.headers).toMatchObject({ "x-mine": "yes", host: new URL(there).host });
    expect(JSON.stringify(seen[3]?.headers)).not.toContain("secret");
  });

  it("are given out or refused when that was asked for", async () => {
    answer = redirecting(302, `${there}/arrived`);
    const { ctx } = open();
    const response = await ctx.fetch(`${here}/to`, { redirect: "manual" });
    expect(response).toMatchObject({ status: 302, redirected: false });
    expect(response.headers.get("location")).toBe(`${there}/arrived`);
    await expect(ctx.fetch(`${here}/to`, { redirect: "error" })).rejects.toThrow('init.redirect is "error"');
    await expect(ctx.fetch(new Request(`${here}/to`, { redirect: "error" }))).rejects.toBeInstanceOf(TypeError);
  });

  it("end", async () => {
    answer = redirecting(302, "/to");
    const { ctx } = open();
    await expect(ctx.fetch(`${here}/to`)).rejects.toThrow(`more than ${MAX_REDIRECTS} redirects`);
    expect(seen).toHaveLength(MAX_REDIRECTS + 1);
  });

  it("do not go on after a stop", async () => {
    const { ctx, host } = open();
    const stopped = new CodedError("CANCELLED", "stop");
    answer = (_, response) => {
      response.writeHead(302, { location: "/next" }).end();
      host.stop(stopped);
    };
    await expect(ctx.fetch(`${here}/to`)).rejects.toBe(stopped);
    expect(seen).toHaveLength(1);
  });
});

describe("a stop", () => {
  const stopped = new CodedError("CANCELLED", "stop");

  it("between the record and the start: nothing is sent", async () => {
    const { ctx, host } = open({ flushed: () => host.stop(stopped) });
    await expect(ctx.fetch(`${here}/a`)).rejects.toBe(stopped);
    expect(seen).toEqual([]);
  });

  it("while the answer is awaited ends the call", async () => {
    const { ctx, host } = open();
    answer = () => host.stop(stopped);
    await expect(ctx.fetch(`${here}/a`)).rejects.toBe(stopped);
  });

  it("while the body is read ends the reading", async () => {
    answer = (_, response) => void response.write("first");
    const { ctx, host } = open();
    const response = await ctx.fetch(`${here}/a`);
    const reader = response.body?.getReader();
    expect(Buffer.from((await reader?.read())?.value ?? []).toString()).toBe("first");
    const next = reader?.read();
    host.stop(stopped);
    await expect(next).rejects.toBe(stopped);
  });

  it("hands out nothing more, though all of it has arrived", async () => {
    answer = (_, response) => void response.end("x".repeat(100_000));
    const { ctx, host } = open();
    const responses = await Promise.all([1, 2, 3].map(() => ctx.fetch(`${here}/a`)));
    const [first, second, third] = responses.map((response) => response as Response);
    const copy = second?.clone();
    await first?.text();
    host.stop(stopped);
    await expect(second?.text()).rejects.toBe(stopped);
    await expect(copy?.arrayBuffer()).rejects.toBe(stopped);
    await expect(third?.body?.getReader().read()).rejects.toBe(stopped);
  });

  it("by the caller's own signal is its own, while the job goes on", async () => {
    answer = (_, response) => void response.write("first");
    const { ctx } = open();
    const controller = new AbortController();
    const response = await ctx.fetch(`${here}/a`, { signal: controller.signal });
    const text = response.text();
    controller.abort(new Error("mine"));
    await expect(text).rejects.toThrow("mine");
    await expect(ctx.fetch(`${here}/a`, { signal: AbortSignal.abort(new Error("before")) })).rejects.toThrow("before");
    await expect(
      ctx.fetch(new Request(`${here}/a`, { signal: AbortSignal.abort(new Error("before")) })),
    ).rejects.toThrow("before");
  });
});
