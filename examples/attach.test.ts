/** The servers of `attach-*`, each in a process of its own: their pages, and sessions beside them. */
import { connect } from "leasehold/client";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createPlace, type Place } from "../conformance/end-to-end/test-place.ts";

let place: Place;
beforeEach(async () => {
  place = await createPlace();
});
afterEach(() => place[Symbol.asyncDispose]());

describe.each(["express", "fastify", "hono"])("attached to %s", (name) => {
  it("agents are served beside the application's own pages, and it ends when it is told to", async () => {
    const token = (await place.run(["token", "create", "me"])).stdout.trim();
    const file = new URL(`./attach-${name}/server.ts`, import.meta.url).pathname;
    const server = place.spawn(process.execPath, ["--conditions=leasehold-source", file], { env: { PORT: "0" } });
    const port = await server.until("the port", (stdout) => /port: (\d+)/.exec(stdout)?.[1]);

    const page = await fetch(`http://127.0.0.1:${port}/`);
    expect((await page.text()).toLowerCase()).toBe(`a page of ${name}.\n`);
    expect((await fetch(`http://127.0.0.1:${port}/nothing`)).status).toBe(404);
    expect(await (await fetch(`http://127.0.0.1:${port}/healthz`)).json()).toMatchObject({ status: "ok" });

    await using session = await connect(`ws://127.0.0.1:${port}/arcp`, { token });
    const job = await session.submit("greeter", "Ada");
    expect(await job.result()).toBe("Hello, Ada!");
    const headers = { authorization: `Bearer ${token}` };
    expect(await (await fetch(`http://127.0.0.1:${port}/api/jobs`, { headers })).text()).toContain(job.id);
    server.child.kill("SIGTERM");
    expect((await server.ended()).code).toBe(0);
  });
});
