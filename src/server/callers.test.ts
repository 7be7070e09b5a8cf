import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from "vitest";
import { type Signer, startTestIssuer, TEST_AUDIENCE, type TestIssuer } from "../identity/test-issuer.ts";
import { createTokens, TOKEN_FILE } from "../identity/token-file.ts";
import type { Principal } from "../kernel/principal.ts";
import { silentLog } from "../platform/log.ts";
import { TestClient } from "../sessions/test-client.ts";
import { createMemoryStore } from "../stores/memory/memory-store.ts";
import { createFakeWorld, type FakeWorld } from "../testing/fake-world.ts";
import { createMemoryConnectionPair } from "../transports/memory.ts";
import { ANSWER_WITHIN_MS, type CallerOptions, createCallers } from "./callers.ts";
import { createRuntime, type Runtime } from "./runtime.ts";

let data: string;
let world: FakeWorld;
let issuer: TestIssuer;
let sign: Signer;

beforeEach(async () => {
  data = await mkdtemp(join(tmpdir(), "leasehold-callers-"));
  world = createFakeWorld();
  issuer = await startTestIssuer(world);
  sign = await issuer.addKey();
});

afterEach(async () => {
  await issuer.close();
  await rm(data, { recursive: true });
});

const jwt = () => ({ issuer: issuer.url, audience: TEST_AUDIENCE });
const callers = (options: CallerOptions) => createCallers(options, { data, world, log: silentLog });

describe("several ways to be known, together", () => {
  it("each let in whom they know, and nobody else [reading-jwt]", async () => {
    const other = await startTestIssuer(world);
    onTestFinished(() => other.close());
    const signOther = await other.addKey();
    const { token } = await createTokens(join(data, TOKEN_FILE), world).create({ name: "ci", tenant: "acme" });
    const authenticator = await callers({
      jwt: [jwt(), { issuer: other.url, audience: TEST_AUDIENCE, claims: { tenant: "org" } }],
      anonymous: true,
    });
    const who = async (presented?: string, address = "127.0.0.1") => {
      const principal = await authenticator.authenticate({ token: presented, address });
      return principal && `${principal.tenant}/${principal.id}`;
    };
    expect(await who(token)).toBe("acme/ci");
    expect(await who(await sign())).toBe("default/alice");
    expect(await who(await signOther({ org: "north" }))).toBe("north/alice");
    expect(await who(await signOther())).toBeUndefined();
    // A key of one issuer says nothing in the name of another.
    expect(await who(await signOther({ iss: issuer.url }))).toBeUndefined();
    expect(await who()).toBe("default/anonymous");
    expect(await who(undefined, "10.0.0.1")).toBeUndefined();
    expect(await who("lh_unknown")).toBeUndefined();
  });

  it("an issuer that is down keeps no token of the file out", async () => {
    issuer.mode = "error";
    const { token } = await createTokens(join(data, TOKEN_FILE), world).create({ name: "ci" });
    const authenticator = await callers({ jwt: jwt() });
    expect(await authenticator.authenticate({ token })).toMatchObject({ id: "ci" });
    await expect(authenticator.authenticate({ token: await sign() })).rejects.toThrow("keys");
    expect(await authenticator.authenticate({ token })).toMatchObject({ id: "ci" });
  });

  it("give way to an authenticator of one's own", async () => {
    const own = { authenticate: async () => ({ id: "me", tenant: "t", roles: [] }) };
    const authenticator = await callers({ authenticator: own, anonymous: true });
    expect(await authenticator.authenticate({ address: "127.0.0.1" })).toMatchObject({ id: "me" });
  });
});

describe("an authenticator or token source of one's own", () => {
  const both = async (authenticate: () => Promise<Principal | undefined>) => [
    await callers({ authenticator: { authenticate } }),
    await callers({ tokenSources: [{ authenticate }] }),
  ];

  it.each([
    { id: "*", tenant: "t" },
    { id: "you/me", tenant: "t" },
    { id: "", tenant: "t" },
    { id: "me", tenant: "" },
    { id: "me", tenant: "t/you" },
    { id: "\ud800", tenant: "t" },
  ])("lets nobody be another, or everyone: %j [law-principals-apart]", async (named) => {
    for (const authenticator of await both(async () => ({ ...named, roles: ["user"] }))) {
      await expect(authenticator.authenticate({ token: "x" })).rejects.toThrow("tenant and id must not");
    }
  });

  it("is not waited for beyond the time of a handshake", async () => {
    for (const authenticator of await both(() => new Promise(() => {}))) {
      const answer = expect(authenticator.authenticate({ token: "x" })).rejects.toThrow("did not answer");
      await world.advance(ANSWER_WITHIN_MS);
      await answer;
    }
    expect(world.pendingTimers).toBe(0);
  });
});

describe("a session", () => {
  let runtime: Runtime;

  async function start(options: CallerOptions): Promise<void> {
    const starting = createRuntime({ agents: [], data, store: createMemoryStore(), world, ...options });
    runtime = await vi.waitFor(() => Promise.race([starting, world.settle().then(() => Promise.reject())]), WAITING);
    onTestFinished(async () => {
      const closing = runtime.close();
      await vi.waitFor(() => Promise.race([closing, world.settle().then(() => Promise.reject())]), WAITING);
    });
  }

  function connect(address = "127.0.0.1"): TestClient {
    const pair = createMemoryConnectionPair({ timers: world.timers, peer: { address, confidential: true } });
    runtime.accept(pair.server);
    return new TestClient(pair.client, world);
  }

  /** The next message: signatures are verified beyond the fake world's turns. */
  const next = (client: TestClient) => vi.waitFor(() => nextOf(client), WAITING);

  async function nextOf(client: TestClient) {
    const [message] = await client.settled();
    if (message === undefined) throw new Error("nothing came");
    return message;
  }

  it("of a JWT ends when the token does [reading-revoked-token-closes]", async () => {
    await start({ jwt: jwt() });
    const client = connect();
    client.hello({ token: await sign({ exp: Math.floor(world.clock.now() / 1000) + 30 }), features: [] });
    expect((await next(client)).type).toBe("session.welcome");
    await world.advance(50_000);
    expect(await client.settled()).toEqual([]);
    // A check ends beyond the fake world's turns, too, and only then is the next one due.
    const ended = await vi.waitFor(async () => {
      await world.advance(10_000);
      return nextOf(client);
    }, WAITING);
    expect(ended).toMatchObject({ type: "session.error", payload: { code: "UNAUTHENTICATED" } });
  });

  it("cannot be opened while the issuer is down, and says that a retry may help", async () => {
    issuer.mode = "error";
    await start({ jwt: jwt() });
    const client = connect();
    client.hello({ token: await sign() });
    expect(await next(client)).toMatchObject({
      type: "session.error",
      payload: { code: "INTERNAL_ERROR", retryable: true },
    });
  });

  it("needs no token where anonymous callers are allowed, from this machine only [reading-anonymous]", async () => {
    await start({ anonymous: true });
    const client = connect();
    client.hello({ token: null });
    expect((await next(client)).type).toBe("session.welcome");
    const stranger = connect("10.0.0.1");
    stranger.hello({ token: null });
    expect(await next(stranger)).toMatchObject({ payload: { code: "UNAUTHENTICATED" } });
    await expect(runtime.listen({ host: "0.0.0.0", port: 0 })).rejects.toThrow("0.0.0.0");
  });
});

/** How long a test waits for what happens outside the fake world, at most. */
const WAITING = { timeout: 5_000, interval: 5 };
