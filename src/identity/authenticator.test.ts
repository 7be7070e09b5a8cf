import { describe, expect, test } from "vitest";
import type { Principal } from "../kernel/principal.ts";
import { createFakeWorld } from "../testing/fake-world.ts";
import { requireLoopback } from "./anonymous.ts";
import { createAuthenticator, MAX_TOKEN_LENGTH, type TokenSource } from "./authenticator.ts";
import { createDevToken } from "./dev-token.ts";

const ALICE: Principal = { id: "alice", tenant: "default", roles: ["user"] };

/** Knows one token, and counts how often it is asked. */
function sourceOf(token: string, principal: Principal): TokenSource & { asked: number } {
  const source = {
    asked: 0,
    async authenticate(presented: string) {
      source.asked += 1;
      return presented === token ? principal : undefined;
    },
  };
  return source;
}

describe("createAuthenticator", () => {
  test("asks the sources in order; the first that knows the token decides", async () => {
    const first = sourceOf("a", ALICE);
    const second = sourceOf("b", { ...ALICE, id: "bob" });
    const authenticator = createAuthenticator([first, second]);
    expect(await authenticator.authenticate({ scheme: "bearer", token: "b" })).toMatchObject({ id: "bob" });
    expect(await authenticator.authenticate({ scheme: "Bearer", token: "a" })).toBe(ALICE);
    expect(await authenticator.authenticate({ token: "a" })).toBe(ALICE);
    expect(await authenticator.authenticate({ token: "c" })).toBeUndefined();
    expect([first.asked, second.asked]).toEqual([4, 2]);
  });

  test.each([
    [{}],
    [{ scheme: "bearer" }],
    [{ scheme: "bearer", token: "" }],
    [{ scheme: "basic", token: "a" }],
    [{ scheme: "", token: "a" }],
    [{ token: "a".repeat(MAX_TOKEN_LENGTH + 1) }],
  ])("refuses %j without asking", async (credentials) => {
    const source = sourceOf("a", ALICE);
    expect(await createAuthenticator([source]).authenticate(credentials)).toBeUndefined();
    expect(source.asked).toBe(0);
  });

  test("a source that fails lets nobody in", async () => {
    const broken: TokenSource = { authenticate: () => Promise.reject(new Error("unreadable")) };
    const authenticator = createAuthenticator([broken, sourceOf("a", ALICE)]);
    await expect(authenticator.authenticate({ token: "a" })).rejects.toThrow("unreadable");
  });
});

test("the development token is random, and its principal is a user and an operator", async () => {
  const world = createFakeWorld();
  const dev = createDevToken(world.random);
  expect(dev.token).toMatch(/^lh_[A-Za-z0-9_-]{43}$/);
  expect(await dev.authenticate(dev.token)).toEqual({ id: "dev", tenant: "default", roles: ["user", "operator"] });
  expect(await dev.authenticate(`${dev.token}x`)).toBeUndefined();
  expect(createDevToken(world.random).token).not.toBe(dev.token);
});

describe("whoever brings no token", () => {
  const anonymous = createAuthenticator([sourceOf("a", ALICE)], { anonymous: true });

  test.each([["127.0.0.1"], ["::1"], ["::ffff:127.0.0.1"]])(
    "is anonymous from %s when that is asked for",
    async (address) => {
      for (const credentials of [{ address }, { token: "", address }, { scheme: "bearer", address }]) {
        expect(await anonymous.authenticate(credentials)).toEqual({
          id: "anonymous",
          tenant: "default",
          roles: ["user"],
        });
      }
    },
  );

  test.each([["10.0.0.1"], ["::ffff:10.0.0.1"], ["localhost.example"], [""], [undefined]])(
    "is refused from %s",
    async (address) => expect(await anonymous.authenticate({ address })).toBeUndefined(),
  );

  test("is refused when nobody asked for it", async () => {
    const strict = createAuthenticator([sourceOf("a", ALICE)]);
    expect(await strict.authenticate({ address: "127.0.0.1" })).toBeUndefined();
  });

  test("is not whoever brings a wrong one", async () => {
    expect(await anonymous.authenticate({ token: "b", address: "127.0.0.1" })).toBeUndefined();
    expect(await anonymous.authenticate({ token: "a", address: "127.0.0.1" })).toBe(ALICE);
  });

  test("keeps a runtime on loopback", () => {
    for (const host of ["127.0.0.1", "::1", "localhost"]) expect(() => requireLoopback(host)).not.toThrow();
    for (const host of ["0.0.0.0", "::", "10.0.0.1", "example.com"]) expect(() => requireLoopback(host)).toThrow(host);
  });
});
