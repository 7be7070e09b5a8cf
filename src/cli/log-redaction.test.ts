import { describe, expect, it } from "vitest";
import { REDACTED, redactField, redactText } from "./log-redaction.ts";

const BEARER = `lh_${"aB3_-".repeat(8)}xyz`;
const RESUME = `rt_${"0f".repeat(32)}.sess_01TEST`;
const JWT = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJtZSJ9.c2lnbmF0dXJl";

describe("text", () => {
  it.each([
    [`the token ${BEARER} is wrong`, `the token ${REDACTED} is wrong`],
    [`resume with ${RESUME}`, `resume with ${REDACTED}`],
    [`got ${JWT}, refused`, `got ${REDACTED}, refused`],
    ["authorization: Bearer abc.def", `authorization: Bearer ${REDACTED}`],
    ["fetching postgres://ada:hunter2@db/x", `fetching postgres://ada:${REDACTED}@db/x`],
    ["GET https://api.example/v1?a=1&api_key=s3cr3t&b=2", `GET https://api.example/v1?a=1&api_key=${REDACTED}&b=2`],
  ])("loses what looks like a secret: %s", (text, told) => {
    expect(redactText(text)).toBe(told);
  });

  it.each(["job_01M7Z3TAXECNS63XH1W0TT46QB", "ws://127.0.0.1:7777/arcp", "lh_", "4bf92f3577b34da6a3ce929d0e0e4736"])(
    "keeps %s",
    (text) => {
      expect(redactText(text)).toBe(text);
    },
  );

  it("is cut where it is very long, and what is left is looked through at once", () => {
    expect(redactText("x".repeat(1_000_000)).length).toBeLessThan(10_000);
    expect(redactText(`${"a:".repeat(4_000)}${BEARER}`)).not.toContain(BEARER);
  });
});

describe("fields", () => {
  it("named like secrets, or after what jobs are about, lose their values", () => {
    const told = redactField("", {
      token: "a",
      resume_token: "b",
      resumeToken: "c",
      authorization: "d",
      "x-api-key": "e",
      clientSecret: "f",
      input: { g: 1 },
      result: "h",
      job: "job_1",
      tokens: 3,
    });
    expect(told).toEqual({
      token: REDACTED,
      resume_token: REDACTED,
      resumeToken: REDACTED,
      authorization: REDACTED,
      "x-api-key": REDACTED,
      clientSecret: REDACTED,
      input: REDACTED,
      result: REDACTED,
      job: "job_1",
      tokens: 3,
    });
  });

  it("that are errors keep what happened, and lose what was secret, causes included", () => {
    const error = new Error(`no ${BEARER}`, { cause: new Error("Bearer x.y.z") });
    const told = JSON.stringify(redactField("err", error));
    expect(told).not.toContain(BEARER);
    expect(told).not.toContain("x.y.z");
    expect(JSON.parse(told)).toMatchObject({ name: "Error", message: `no ${REDACTED}`, cause: { name: "Error" } });
  });

  it("of any shape become JSON of bounded size", () => {
    const circle: Record<string, unknown> = { list: Array.from({ length: 1_000 }, (_, index) => index), big: 1n };
    circle.self = circle;
    expect(JSON.stringify(redactField("x", circle)).length).toBeLessThan(10_000);
  });

  it("of any text are looked through once: what looks like many tokens holds nobody up", () => {
    // Two thousand of the longest texts: looked through again from every `eyJ`, they take a minute.
    for (let line = 0; line < 2_000; line++) expect(redactText("eyJ-".repeat(2_000))).toHaveLength(8_000);
  });
});
