import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createTestIo } from "../test-io.ts";
import { type CallingOptions, readCallers } from "./callers.ts";

const USAGE = expect.objectContaining({ code: "USAGE" });
let cwd: string;

beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), "leasehold-cli-"));
});
afterEach(() => rmSync(cwd, { recursive: true }));

const read = (options: Partial<CallingOptions>, env: Readonly<Record<string, string>> = {}) =>
  readCallers({ host: "127.0.0.1", ...options }, createTestIo({ cwd, env }));

describe("readCallers", () => {
  it("asks for nothing when nothing is asked for", async () => expect(await read({})).toEqual({}));

  it("reads an issuer from options, and from the environment", async () => {
    const options = {
      jwtIssuer: "https://id.example",
      jwtAudience: ["a", "b"],
      jwtKey: "key.pem",
      jwtAlgorithm: ["ES256"],
      jwtClockTolerance: "1m",
      jwtPrincipalClaim: "email",
      jwtTenantClaim: "org",
      jwtRolesClaim: "roles",
      jwtOperatorRole: "admin",
    };
    const expected = {
      issuer: "https://id.example",
      audience: ["a", "b"],
      keyFile: join(cwd, "key.pem"),
      algorithms: ["ES256"],
      clockToleranceSec: 60,
      claims: { principal: "email", tenant: "org", roles: "roles", operatorRole: "admin" },
    };
    expect(await read(options)).toEqual({ jwt: expected });
    const env = {
      LEASEHOLD_JWT_ISSUER: "https://id.example",
      LEASEHOLD_JWT_AUDIENCE: "a, b",
      LEASEHOLD_JWT_KEY: "key.pem",
      LEASEHOLD_JWT_ALGORITHMS: "ES256",
      LEASEHOLD_JWT_CLOCK_TOLERANCE: "1m",
      LEASEHOLD_JWT_PRINCIPAL_CLAIM: "email",
      LEASEHOLD_JWT_TENANT_CLAIM: "org",
      LEASEHOLD_JWT_ROLES_CLAIM: "roles",
      LEASEHOLD_JWT_OPERATOR_ROLE: "admin",
    };
    expect(await read({}, env)).toEqual({ jwt: expected });
    expect(await read({ jwtAudience: ["c"] }, env)).toMatchObject({ jwt: { audience: ["c"] } });
  });

  it.each<[Partial<CallingOptions>, Readonly<Record<string, string>>]>([
    [{ jwtAudience: ["a"] }, {}],
    [{ jwtJwksUrl: "https://id.example/jwks" }, {}],
    [{ jwtIssuer: "https://id.example" }, {}],
    [{ jwtIssuer: "https://id.example", jwtAudience: ["a"], jwtClockTolerance: "soon" }, {}],
    [{}, { LEASEHOLD_JWT_ROLES_CLAIM: "roles" }],
    [{ anonymous: true, host: "0.0.0.0" }, {}],
  ])("refuses %j with %j", async (options, env) => {
    await expect(read(options, env)).rejects.toEqual(USAGE);
  });

  it("lets anybody in on loopback", async () => {
    for (const host of ["127.0.0.1", "::1", "localhost"]) {
      expect(await read({ anonymous: true, host })).toEqual({ anonymous: true });
    }
  });

  it("reads a policy from a file, and says what is none", async () => {
    writeFileSync(join(cwd, "observe.json"), '{"default/dash":["default/*"]}');
    expect(await read({ observe: "observe.json" })).toEqual({ observe: { "default/dash": ["default/*"] } });
    for (const text of ["", "{", "[]", "7", "null"]) {
      writeFileSync(join(cwd, "observe.json"), text);
      await expect(read({ observe: "observe.json" })).rejects.toEqual(USAGE);
    }
    await expect(read({ observe: "missing.json" })).rejects.toMatchObject({ code: "FILE_UNREADABLE" });
  });
});
