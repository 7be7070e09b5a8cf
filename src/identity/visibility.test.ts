import { describe, expect, it } from "vitest";
import { NOBODY_SCOPE } from "../kernel/audit/audit-row.ts";
import type { Principal } from "../kernel/principal.ts";
import { createVisibility, MAX_OBSERVED, type ObservePolicy } from "./visibility.ts";

const user = (id: string, tenant = "default"): Principal => ({ id, tenant, roles: ["user"] });
const operator = (id: string, tenant = "default"): Principal => ({ id, tenant, roles: ["user", "operator"] });
const jobOf = (principal: string) => ({ principal });

describe("without a policy", () => {
  const visibility = createVisibility();
  const both = (principal: Principal, owner: string) => [
    visibility.mayObserve(principal, jobOf(owner)),
    visibility.mayControl(principal, jobOf(owner)),
  ];

  it.each<[string, Principal, string, boolean]>([
    ["their own", user("ann"), "default/ann", true],
    ["another's", user("ann"), "default/bob", false],
    ["one of the same id elsewhere", user("ann"), "acme/ann", false],
    ["one whose id begins alike", user("ann"), "default/anna", false],
    ["as operator, another's", operator("root"), "default/bob", true],
    ["as operator, one of another tenant", operator("root"), "acme/bob", false],
    ["as operator, one of a tenant that begins alike", operator("root", "de"), "default/bob", false],
    ["as operator without the role of a user", { ...user("root"), roles: ["operator"] }, "default/bob", true],
  ])("may see and stop %s: %#", (_, principal, owner, may) => expect(both(principal, owner)).toEqual([may, may]));

  it("lists what may be seen, and no more", () => {
    expect(visibility.observable(user("ann"))).toEqual(["default/ann"]);
    expect(visibility.observable(operator("root", "acme"))).toEqual(["acme/*"]);
  });

  it("lets read what was asked by oneself or of one's own; operators, their tenant's", () => {
    expect(visibility.auditScopes(user("ann"))).toEqual(["default/ann"]);
    expect(visibility.auditScopes(operator("root"))).toEqual(["default/*", NOBODY_SCOPE]);
    expect(visibility.auditScopes(operator("root", "acme"))).toEqual(["acme/*"]);
    expect([user("ann"), operator("root"), operator("root", "acme")].map(visibility.operatesRuntime)).toEqual([
      false,
      true,
      false,
    ]);
  });
});

describe("a policy", () => {
  it.each<[string, ObservePolicy]>([
    ["as data", { "default/dash": ["default/*", "acme/ann"], "acme/*": ["acme/ann"] }],
    [
      "as a function",
      ({ id, tenant }) => (id === "dash" ? ["default/*", "acme/ann"] : tenant === "acme" ? ["acme/ann"] : []),
    ],
  ])("%s lets see, in checks and in listings alike, and stop nothing", (_, policy) => {
    const visibility = createVisibility(policy);
    const dash = user("dash");
    for (const owner of ["default/ann", "acme/ann"]) {
      expect(visibility.mayObserve(dash, jobOf(owner))).toBe(true);
      expect(visibility.mayControl(dash, jobOf(owner))).toBe(false);
    }
    expect(visibility.mayObserve(dash, jobOf("acme/bob"))).toBe(false);
    expect(visibility.observable(dash)).toEqual(["default/*", "acme/ann"]);
    expect(visibility.observable(user("bob", "acme"))).toEqual(["acme/bob", "acme/ann"]);
    expect(visibility.observable(user("ann", "acme"))).toEqual(["acme/ann"]);
    expect(visibility.observable(user("ann"))).toEqual(["default/ann"]);
    expect(visibility.auditScopes(dash)).toEqual(["default/dash"]);
  });

  it("of a function is looked at up to a number of patterns", () => {
    const visibility = createVisibility(() => Array.from({ length: MAX_OBSERVED + 1 }, (_, index) => `t/${index}`));
    expect(visibility.observable(user("ann"))).toHaveLength(MAX_OBSERVED + 1);
    expect(visibility.mayObserve(user("ann"), jobOf(`t/${MAX_OBSERVED - 1}`))).toBe(true);
    expect(visibility.mayObserve(user("ann"), jobOf(`t/${MAX_OBSERVED}`))).toBe(false);
  });

  it.each([
    ["dash", "dash"],
    ["*", "*"],
    ["*/*", "*/*"],
    ["a/b/c", "a/b/c"],
    ["/a", "/a"],
    ["a/", "a/"],
    ["a/*b", "a/*b"],
  ])("that names %j is refused, with what is wrong", (name) => {
    expect(() => createVisibility({ [name]: ["t/*"] })).toThrow(JSON.stringify(name));
    expect(() => createVisibility({ "t/me": [name] })).toThrow(JSON.stringify(name));
  });

  it.each([[{ "t/me": "t/you" }], [{ "t/me": [7] }], [{ "t/me": Array(MAX_OBSERVED + 1).fill("t/you") }]])(
    "of another shape is refused: %#",
    (policy) => expect(() => createVisibility(policy as unknown as ObservePolicy)).toThrow("observe"),
  );
});

describe("an audited decision", () => {
  const entry = {
    seq: 1,
    at: 0,
    action: "job.subscribe" as const,
    job: "job_1",
    allowed: false,
    details: "{}",
    principal: "default/bob",
    owner: "default/ann",
  };

  it("tells whose job it was to those who may see it", () => {
    const visibility = createVisibility({ "default/dash": ["default/ann"] });
    for (const principal of [user("ann"), operator("root"), user("dash")]) {
      expect(visibility.auditView(principal, entry)).toBe(entry);
    }
    expect(visibility.auditView(user("bob"), entry)).toEqual({ ...entry, owner: null });
    expect(visibility.auditView(operator("root", "acme"), entry)).toEqual({ ...entry, owner: null });
  });
});
