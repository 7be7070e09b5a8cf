/** Everything a runtime logs, at every level and before any redaction, while it is used well and badly: no secret is in it. */
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inspect } from "node:util";
import { afterEach, expect, it } from "vitest";
import { WebSocket } from "ws";
import { defineAgent } from "../agents/define-agent.ts";
import { createTokens, TOKEN_FILE } from "../identity/token-file.ts";
import type { Log } from "../platform/log.ts";
import { createSystemWorld } from "../platform/system-world.ts";
import { openSqliteStore } from "../stores/sqlite/sqlite-store.ts";
import { createFaultyStore } from "../testing/faulty-store.ts";
import { createRuntime } from "./runtime.ts";
import { ask } from "./test-entrance.ts";

const cleanUps: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).toReversed()) await cleanUp();
});

const SECRETS = {
  input: "marker-of-the-input",
  result: "marker-of-the-result",
  event: "marker-of-an-event",
  args: "marker-of-the-arguments",
  step: "marker-of-a-step",
  artifact: "marker-of-an-artifact",
  malformed: "marker-of-a-malformed-frame",
  wrongToken: "lh_marker-of-a-wrong-token-marker-of-a-wrong-tok",
  query: "marker-of-a-query",
};

const agent = defineAgent({
  name: "careless",
  version: "1.0.0",
  async run(ctx) {
    await ctx.log(SECRETS.event);
    await ctx.tool("look-up", SECRETS.args, () => SECRETS.args);
    await ctx.step("s", () => SECRETS.step);
    await ctx.artifact({ name: SECRETS.artifact, contentType: "text/plain", data: SECRETS.artifact });
    return SECRETS.result;
  },
});
const picky = defineAgent({
  name: "picky",
  version: "1.0.0",
  run: async () => {
    throw new Error("failed, as an agent may");
  },
});

/** Says each thing, and gives what is answered until a frame of `type`. */
async function talk(url: string, frames: readonly unknown[], type: string): Promise<Record<string, never>[]> {
  const socket = new WebSocket(url);
  cleanUps.push(() => socket.terminate());
  const answers: Record<string, never>[] = [];
  const done = new Promise<void>((resolve) => {
    socket.on("message", (data) => {
      answers.push(JSON.parse(String(data)));
      if (answers.at(-1)?.type === type) resolve();
    });
    socket.on("close", () => resolve());
  });
  await once(socket, "open");
  for (const frame of frames)
    socket.send(typeof frame === "string" ? frame : JSON.stringify({ arcp: "1.1", ...(frame as object) }));
  await done;
  socket.terminate();
  return answers;
}

it("logs no token, resume token, input, result or anything else of a job [law-no-secret-leaks]", async () => {
  const data = await mkdtemp(join(tmpdir(), "leasehold-secrets-"));
  cleanUps.push(() => rm(data, { recursive: true }));
  const world = createSystemWorld();
  const { token } = await createTokens(join(data, TOKEN_FILE), world).create({ name: "ada" });
  const lines: string[] = [];
  const keep = (fields: object, message: string): void => void lines.push(inspect([message, fields], { depth: 20 }));
  const log: Log = { debug: keep, info: keep, warn: keep, error: keep };
  const store = createFaultyStore(await openSqliteStore({ directory: data }));
  const runtime = await createRuntime({ agents: [agent, picky], data, store, log });
  cleanUps.push(() => runtime.close());
  const { url, port } = await runtime.listen({ port: 0 });

  const hello = (presented: string, more: object = {}) => ({
    id: "msg_1",
    type: "session.hello",
    payload: {
      client: { name: "c", version: "1" },
      auth: { scheme: "bearer", token: presented },
      capabilities: { features: ["ack"] },
      ...more,
    },
  });
  const submit = (name: string, input: unknown) => ({
    id: "msg_2",
    type: "job.submit",
    payload: { agent: name, input, lease_request: { "tool.call": ["look-up"] } },
  });
  const answers = await talk(url, [hello(token), submit("careless", { secret: SECRETS.input })], "job.result");
  const welcome = answers[0] as unknown as { session_id: string; payload: { resume_token: string } };
  const resumeToken = welcome.payload.resume_token;
  expect(resumeToken).toMatch(/^rt_/);
  await talk(url, [hello(token), submit("picky", SECRETS.input)], "job.error");
  await talk(url, [hello(SECRETS.wrongToken)], "session.error");
  await talk(url, [`{"${SECRETS.malformed}`, { id: 7, type: SECRETS.malformed }, hello(token)], "never");
  const resume = { session_id: welcome.session_id, resume_token: `${resumeToken}x`, last_event_seq: 0 };
  await talk(url, [hello(token, { resume })], "session.error");
  await talk(url, [hello(token, { resume: { ...resume, resume_token: resumeToken } })], "session.welcome");
  const base = `http://127.0.0.1:${port}`;
  for (const authorization of [`Bearer ${token}`, `Bearer ${SECRETS.wrongToken}`]) {
    for (const path of ["/api/jobs", "/api/nothing", "/metrics"]) {
      await ask(`${base}${path}?q=${SECRETS.query}`, { headers: { authorization } });
    }
  }
  store.fillDisk();
  await talk(url, [hello(token)], "session.error");
  store.freeDisk();
  await runtime.close();

  const text = lines.join("\n");
  // The log is not just empty: what failed, and who came, is in it.
  expect(text).toMatch(/a commit failed/);
  expect(text).toMatch(/a connection closed/);
  for (const [what, secret] of Object.entries({ ...SECRETS, token, resumeToken })) {
    expect([what, text.includes(secret)]).toEqual([what, false]);
  }
});
