import { describe, expect, it, test } from "vitest";
import { principalKey } from "../kernel/principal.ts";
import { type ClaimNames, principalOfClaims } from "./jwt-claims.ts";

const idOf = (sub: unknown): string | undefined => principalOfClaims({ sub }, {})?.id;

describe("the id", () => {
  it.each([
    ["alice", "alice"],
    ["auth0|5f7c8ec7c33c6c004bbafe82", "auth0|5f7c8ec7c33c6c004bbafe82"],
    ["ada@example.com", "ada@example.com"],
    ["repo:octo/project:ref:refs/heads/main", "repo:octo%2Fproject:ref:refs%2Fheads%2Fmain"],
    ["*", "%2A"],
    ["100%", "100%25"],
    ["a b\n\u0007", "a%20b%0A%07"],
    ["émile", "émile"],
  ])("of %j is %j", (sub, id) => expect(idOf(sub)).toBe(id));

  it("of two different claims is never the same, and never another's key", () => {
    const claims = ["a/b", "a%2Fb", "a%252Fb", "*", "%2A", "default/a", "a b", "a%20b"];
    const keys = claims.map((sub) => principalOfClaims({ sub }, {})).map((found) => found && principalKey(found));
    expect(new Set(keys).size).toBe(claims.length);
    for (const key of keys) expect(key?.split("/")).toHaveLength(2);
  });

  it.each([[undefined], [null], [""], [7], [["alice"]], ["x".repeat(257)], ["/".repeat(100)], ["\ud800"]])(
    "is not taken from %j",
    (sub) => expect(idOf(sub)).toBeUndefined(),
  );

  it.each(["dev", "local", "anonymous"])("is never %s, which is this runtime's own", (sub) => {
    expect(idOf(sub)).toBeUndefined();
    expect(principalOfClaims({ sub, org: "acme" }, { tenant: "org" })?.id).toBe(sub);
  });
});

describe("claims under other names", () => {
  const claims = {
    sub: "s",
    email: "ada@example.com",
    org: "acme/eu",
    "https://example.com/roles": ["operator"],
    scope: "read operator",
    realm_access: { roles: ["user", "lease-admin", 7] },
    "a.b": ["operator"],
    a: { b: ["nothing"] },
  };
  const read = (names: ClaimNames) => principalOfClaims(claims, names);

  test("give id and tenant", () => {
    expect(read({ principal: "email", tenant: "org" })).toEqual({
      id: "ada@example.com",
      tenant: "acme%2Feu",
      roles: ["user"],
    });
  });

  it("must be there once they are named", () => {
    expect(read({ principal: "upn" })).toBeUndefined();
    expect(read({ tenant: "tid" })).toBeUndefined();
    expect(read({ principal: "constructor" })).toBeUndefined();
    expect(read({ tenant: "realm_access" })).toBeUndefined();
  });

  it.each<[ClaimNames, readonly string[]]>([
    [{}, ["user"]],
    [{ roles: "https://example.com/roles" }, ["user", "operator"]],
    [{ roles: "scope" }, ["user", "operator"]],
    [{ roles: "a.b" }, ["user", "operator"]],
    [{ roles: "realm_access.roles" }, ["user"]],
    [{ roles: "realm_access.roles", operatorRole: "lease-admin" }, ["user", "operator"]],
    [{ roles: "email" }, ["user"]],
    [{ roles: "missing.path" }, ["user"]],
  ])("%j make the roles %j", (names, roles) => expect(read(names)?.roles).toEqual(roles));
});
