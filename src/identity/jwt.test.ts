import { createHmac, generateKeyPairSync } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { exportSPKI, importJWK, UnsecuredJWT } from "jose";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { silentLog } from "../platform/log.ts";
import { createFakeWorld, type FakeWorld } from "../testing/fake-world.ts";
import { ISSUER_RETRY_MS, KEYS_STALE_MS } from "./issuer-keys.ts";
import { createJwtSource, type JwtOptions } from "./jwt.ts";
import { type Signer, startTestIssuer, TEST_AUDIENCE, type TestIssuer } from "./test-issuer.ts";

const ALICE = { id: "alice", tenant: "default", roles: ["user"] };
const UNAVAILABLE = expect.objectContaining({ name: "KeysUnavailableError" });

let world: FakeWorld;
let issuer: TestIssuer;
let sign: Signer;

beforeEach(async () => {
  world = createFakeWorld();
  issuer = await startTestIssuer(world);
  sign = await issuer.addKey();
});

afterEach(() => issuer.close());

const source = (options: Partial<JwtOptions> = {}) =>
  createJwtSource({ issuer: issuer.url, audience: TEST_AUDIENCE, cooldownMs: 0, ...options }, world, silentLog);

const seconds = (): number => Math.floor(world.clock.now() / 1000);

const encoded = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");

describe("a token of the issuer", () => {
  it("is its subject, by discovered keys or those of a JWKS URL [reading-jwt]", async () => {
    expect(await (await source()).authenticate(await sign())).toEqual(ALICE);
    expect(issuer.asked).toEqual(["/.well-known/openid-configuration", "/jwks"]);
    expect(await (await source({ jwksUrl: issuer.jwksUrl })).authenticate(await sign())).toEqual(ALICE);
    expect(issuer.asked.slice(2)).toEqual(["/jwks"]);
  });

  it("is verified with keys that are fetched once", async () => {
    const jwt = await source();
    const tokens = await Promise.all(Array.from({ length: 20 }, (_, index) => sign({ sub: `user-${index}` })));
    expect(await Promise.all(tokens.map((token) => jwt.authenticate(token)))).toHaveLength(20);
    for (const token of tokens) expect(await jwt.authenticate(token)).toBeDefined();
    expect(issuer.asked).toEqual(["/.well-known/openid-configuration", "/jwks"]);
  });

  it("may name several audiences, and be signed by a key without an id", async () => {
    issuer.keys.length = 0;
    const first = await issuer.addKey("");
    const second = await issuer.addKey("");
    const jwt = await source({ audience: ["other", TEST_AUDIENCE] });
    expect(await jwt.authenticate(await first({ aud: ["else", TEST_AUDIENCE] }))).toEqual(ALICE);
    expect(await jwt.authenticate(await second())).toEqual(ALICE);
    issuer.keys.length = 0;
    const stranger = await issuer.addKey("");
    expect(await jwt.authenticate(await stranger())).toBeUndefined();
  });

  it.each(["RS256", "PS384", "ES512", "EdDSA"])("may be signed with %s", async (algorithm) => {
    const signed = await (await issuer.addKey("other", algorithm))();
    expect(await (await source()).authenticate(signed)).toEqual(ALICE);
    expect(await (await source({ algorithms: ["ES256"] })).authenticate(signed)).toBeUndefined();
  });
});

describe("refused without asking the issuer for anything", () => {
  it.each([
    ["another issuer", { iss: "https://elsewhere.example" }],
    ["no issuer", { iss: undefined }],
    ["another audience", { aud: "elsewhere" }],
    ["no audience", { aud: undefined }],
    ["an audience that is no text", { aud: { leasehold: true } }],
    ["no expiry", { exp: undefined }],
  ])("is a token with %s", async (_, claims) => {
    expect(await (await source()).authenticate(await sign(claims))).toBeUndefined();
    expect(issuer.asked).toEqual([]);
  });

  it("is an expired one, and one with an expiry that is no number", async () => {
    const jwt = await source();
    expect(await jwt.authenticate(await sign({ exp: seconds() - 31 }))).toBeUndefined();
    const [header, , signature] = (await sign()).split(".");
    const claims = encoded({ iss: issuer.url, aud: TEST_AUDIENCE, sub: "alice", exp: "9999999999" });
    expect(await jwt.authenticate(`${header}.${claims}.${signature}`)).toBeUndefined();
    expect(issuer.asked).toEqual([]);
  });

  it.each(["", "lh_abc", "a.b", "a.b.c", "a.b.c.d.e", "..", `${encoded({ alg: "ES256" })}.bm90IGpzb24.AA`])(
    "is %j, which is no JWT at all",
    async (token) => {
      expect(await (await source()).authenticate(token)).toBeUndefined();
      expect(issuer.asked).toEqual([]);
    },
  );
});

describe("time", () => {
  it("may differ by the tolerance, and by no more, at both ends", async () => {
    const jwt = await source();
    const token = await sign({ nbf: seconds() + 30, exp: seconds() + 60 });
    expect(await jwt.authenticate(token)).toEqual(ALICE);
    expect(await jwt.authenticate(await sign({ nbf: seconds() + 32 }))).toBeUndefined();
    await world.advance(89_000);
    expect(await jwt.authenticate(token)).toEqual(ALICE);
    await world.advance(1_000);
    expect(await jwt.authenticate(token)).toBeUndefined();
    const strict = await source({ clockToleranceSec: 0 });
    const short = await sign({ exp: seconds() + 1 });
    expect(await strict.authenticate(short)).toEqual(ALICE);
    await world.advance(1_000);
    expect(await strict.authenticate(short)).toBeUndefined();
  });
});

describe("a forgery", () => {
  it("is refused when anything of it was changed", async () => {
    const jwt = await source();
    const [header, claims, signature] = (await sign()).split(".");
    const admin = encoded({ iss: issuer.url, aud: TEST_AUDIENCE, sub: "admin", exp: seconds() + 600 });
    expect(await jwt.authenticate(`${header}.${admin}.${signature}`)).toBeUndefined();
    expect(await jwt.authenticate(`${header}.${claims}.${signature?.slice(0, -4)}AAAA`)).toBeUndefined();
    expect(await jwt.authenticate(`${header}.${claims}.`)).toBeUndefined();
  });

  it("without a signature, or that calls itself unsigned, is refused", async () => {
    const jwt = await source();
    const claims = { iss: issuer.url, aud: TEST_AUDIENCE, sub: "alice", exp: seconds() + 600 };
    expect(await jwt.authenticate(new UnsecuredJWT(claims).encode())).toBeUndefined();
    for (const alg of ["none", "NONE", "None"]) {
      expect(await jwt.authenticate(`${encoded({ alg, kid: "one" })}.${encoded(claims)}.AA`)).toBeUndefined();
    }
  });

  it("that takes the public key for a shared secret is refused, with keys from anywhere", async () => {
    issuer.keys.length = 0;
    await issuer.addKey("one", "RS256");
    const [jwk = {}] = issuer.keys;
    const pem = await exportSPKI((await importJWK(jwk, "RS256")) as CryptoKey);
    const body = `${encoded({ alg: "HS256", kid: "one" })}.${encoded({
      iss: issuer.url,
      aud: TEST_AUDIENCE,
      sub: "alice",
      exp: seconds() + 600,
    })}`;
    const directory = await mkdtemp(join(tmpdir(), "leasehold-jwt-"));
    try {
      const [pemFile, jwkFile] = [join(directory, "key.pem"), join(directory, "key.json")];
      await writeFile(pemFile, pem);
      await writeFile(jwkFile, JSON.stringify(jwk));
      const sources = [await source(), await source({ keyFile: pemFile }), await source({ keyFile: jwkFile })];
      for (const secret of [pem, pem.trimEnd(), JSON.stringify(jwk), String(jwk.n)]) {
        const token = `${body}.${createHmac("sha256", secret).update(body).digest("base64url")}`;
        for (const jwt of sources) expect(await jwt.authenticate(token)).toBeUndefined();
      }
    } finally {
      await rm(directory, { recursive: true });
    }
  });

  it("signed with a shared secret that the issuer publishes is refused", async () => {
    const secret = Buffer.alloc(32, 7);
    issuer.keys.push({ kty: "oct", k: secret.toString("base64url"), kid: "shared", alg: "HS256" });
    const body = `${encoded({ alg: "HS256", kid: "shared" })}.${encoded({ iss: issuer.url, aud: TEST_AUDIENCE, sub: "a", exp: seconds() + 9 })}`;
    const token = `${body}.${createHmac("sha256", secret).update(body).digest("base64url")}`;
    expect(await (await source()).authenticate(token)).toBeUndefined();
  });

  it("that brings its own key, or an extension that must be understood, is refused", async () => {
    const jwt = await source();
    await jwt.authenticate(await sign());
    const published = [...issuer.keys];
    const forge = await issuer.addKey("mine");
    const own = issuer.keys.pop() as object;
    issuer.keys = published;
    expect(await jwt.authenticate(await forge({}, { jwk: own, jku: `${issuer.url}/mine` }))).toBeUndefined();
    expect(await jwt.authenticate(await forge({}, { kid: "one" }))).toBeUndefined();
    expect(issuer.asked.filter((path) => path === "/mine")).toEqual([]);
  });
});

describe("rotation", () => {
  it("has the keys fetched again for an id that is not known, and not for every such token", async () => {
    const jwt = await source();
    expect(await jwt.authenticate(await sign())).toEqual(ALICE);
    const next = await issuer.addKey("two");
    expect(await jwt.authenticate(await next())).toEqual(ALICE);
    expect(await jwt.authenticate(await sign())).toEqual(ALICE);
    expect(issuer.asked.filter((path) => path === "/jwks")).toHaveLength(2);

    const slow = await source({ cooldownMs: 60_000 });
    expect(await slow.authenticate(await sign())).toEqual(ALICE);
    const asked = issuer.asked.length;
    for (let attempt = 0; attempt < 5; attempt++) {
      expect(await slow.authenticate(await sign({}, { kid: `made-up-${attempt}` }))).toBeUndefined();
    }
    expect(issuer.asked).toHaveLength(asked);
  });

  it("takes a key that was withdrawn with it once the keys are fetched again", async () => {
    const jwt = await source();
    expect(await jwt.authenticate(await sign())).toEqual(ALICE);
    issuer.keys.length = 0;
    const next = await issuer.addKey("two");
    expect(await jwt.authenticate(await next())).toEqual(ALICE);
    expect(await jwt.authenticate(await sign())).toBeUndefined();
  });
});

describe("an issuer that is down", () => {
  it("lets nobody in, says that it is not the token's fault, and is left alone for a while", async () => {
    issuer.mode = "error";
    const jwt = await source();
    const token = await sign();
    await expect(jwt.authenticate(token)).rejects.toEqual(UNAVAILABLE);
    await expect(jwt.authenticate(token)).rejects.toEqual(UNAVAILABLE);
    expect(issuer.asked).toHaveLength(1);
    issuer.mode = "good";
    await world.advance(ISSUER_RETRY_MS);
    expect(await jwt.authenticate(token)).toEqual(ALICE);
  });

  it("that does not answer is not waited for beyond the time of a handshake", async () => {
    issuer.mode = "silent";
    const jwt = await source();
    const token = await sign();
    const asked = issuer.nextRequest();
    const answer = expect(jwt.authenticate(token)).rejects.toEqual(UNAVAILABLE);
    await asked;
    await world.advance(3_000);
    await answer;
    expect(world.pendingTimers).toBe(0);
  });

  it("is not asked about tokens that were not meant for us, nor about expired ones", async () => {
    issuer.mode = "error";
    const jwt = await source();
    expect(await jwt.authenticate(await sign({ aud: "elsewhere" }))).toBeUndefined();
    const token = await sign({ exp: seconds() + 5 });
    await expect(jwt.authenticate(token)).rejects.toEqual(UNAVAILABLE);
    await world.advance(36_000);
    expect(await jwt.authenticate(token)).toBeUndefined();
  });

  it("has told keys that are good for an hour more", async () => {
    const jwt = await source();
    const token = await sign({ exp: seconds() + 10 * KEYS_STALE_MS });
    expect(await jwt.authenticate(token)).toEqual(ALICE);
    issuer.mode = "error";
    expect(await jwt.authenticate(await sign({}, { kid: "unknown" }))).toBeUndefined();
    expect(await jwt.authenticate(token)).toEqual(ALICE);
    await world.advance(KEYS_STALE_MS - 1);
    expect(await jwt.authenticate(token)).toEqual(ALICE);
    await world.advance(1);
    await expect(jwt.authenticate(token)).rejects.toEqual(UNAVAILABLE);
  });

  it.each(["endless", "elsewhere"] as const)("that answers %s is not read on, nor followed", async (mode) => {
    issuer.mode = mode;
    const token = await sign();
    await expect((await source()).authenticate(token)).rejects.toEqual(UNAVAILABLE);
    await expect((await source({ jwksUrl: issuer.jwksUrl })).authenticate(token)).rejects.toEqual(UNAVAILABLE);
    expect(issuer.asked).toEqual(["/.well-known/openid-configuration", "/jwks"]);
    expect(world.pendingTimers).toBe(0);
  });

  it("that calls itself by another name is not believed", async () => {
    issuer.claimedIssuer = "https://elsewhere.example";
    await expect((await source()).authenticate(await sign())).rejects.toEqual(UNAVAILABLE);
  });
});

describe("a key from a file", () => {
  let directory: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "leasehold-jwt-"));
  });
  afterEach(() => rm(directory, { recursive: true }));

  async function fileOf(text: string): Promise<string> {
    const file = join(directory, "key");
    await writeFile(file, text);
    return file;
  }

  it("verifies without asking anyone: PEM, JWK or a set of them", async () => {
    const [jwk = {}] = issuer.keys;
    const pem = await exportSPKI((await importJWK(jwk, "ES256")) as CryptoKey);
    for (const text of [pem, JSON.stringify(jwk), JSON.stringify({ keys: [jwk] })]) {
      const jwt = await source({ keyFile: await fileOf(text) });
      expect(await jwt.authenticate(await sign())).toEqual(ALICE);
      const stranger = await issuer.addKey("one");
      expect(await jwt.authenticate(await stranger())).toBeUndefined();
      const otherType = await issuer.addKey("one", "RS256");
      expect(await jwt.authenticate(await otherType())).toBeUndefined();
    }
    expect(issuer.asked).toEqual([]);
  });

  it.each([
    ["a shared secret", () => JSON.stringify({ kty: "oct", k: "c2VjcmV0" }), "shared secret"],
    [
      "a private key",
      () => generateKeyPairSync("ed25519").privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
      "private key",
    ],
    [
      "a private JWK",
      () => JSON.stringify(generateKeyPairSync("ed25519").privateKey.export({ format: "jwk" })),
      "private key",
    ],
    ["no key", () => "hello", "no public key"],
    ["a key without its numbers", () => '{"kty":"RSA"}', "no public key"],
    ["nothing", () => '{"keys":[]}', "no public key"],
  ])("that is %s is refused at the start", async (_, text, reason) => {
    const file = await fileOf(text());
    await expect(source({ keyFile: file })).rejects.toThrow(reason);
    await expect(source({ keyFile: file })).rejects.toThrow(file);
  });
});

describe("options", () => {
  it.each<[Partial<JwtOptions>, string]>([
    [{ issuer: "" }, "issuer"],
    [{ issuer: "http://issuer.example" }, "https"],
    [{ issuer: "not a url" }, "https"],
    [{ audience: [] }, "audience"],
    [{ audience: "" }, "audience"],
    [{ jwksUrl: "http://issuer.example/jwks" }, "https"],
    [{ jwksUrl: "https://issuer.example/jwks", keyFile: "key.pem" }, "one of them"],
    [{ algorithms: ["HS256"] }, "HS256"],
    [{ algorithms: ["none"] }, "none"],
    [{ algorithms: [] }, "algorithms"],
    [{ clockToleranceSec: 301 }, "tolerance"],
    [{ clockToleranceSec: Number.NaN }, "tolerance"],
  ])("%j are refused", async (options, reason) => {
    await expect(source(options)).rejects.toThrow(reason);
  });
});
