import { APICallError } from "@ai-sdk/provider";
import { RetryError } from "ai";
import { describe, expect, it } from "vitest";
import { CodedError } from "../protocol/errors.ts";
import { translateUpstreamBudgetExhausted as translate } from "./upstream-budget.ts";

/** As vendors sent them: bodies, with what their SDKs make of them. */
const OPENAI_QUOTA = {
  error: {
    message:
      "You exceeded your current quota, please check your plan and billing details. For more information on this error, read the docs: https://platform.openai.com/docs/guides/error-codes/api-errors.",
    type: "insufficient_quota",
    param: null,
    code: "insufficient_quota",
  },
};
const OPENAI_RATE = {
  error: {
    message: "Rate limit reached for gpt-4o in organization org-x on tokens per min (TPM): Limit 30000, Used 29000.",
    type: "tokens",
    param: null,
    code: "rate_limit_exceeded",
  },
};
const ANTHROPIC_CREDIT = {
  type: "error",
  error: {
    type: "invalid_request_error",
    message:
      "Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing to upgrade or purchase credits.",
  },
  request_id: "req_011CbrFTcXhtiMzr3s6EocF7",
};
const ANTHROPIC_BILLING = {
  type: "error",
  error: { type: "billing_error", message: "There is an issue with billing." },
};
const ANTHROPIC_LIMIT = {
  type: "error",
  error: {
    type: "invalid_request_error",
    message: "You have reached your specified API usage limits. You will regain access on 2026-12-01 at 00:00 UTC.",
  },
};
const LITELLM = {
  error: {
    message: "Budget has been exceeded! Current cost: 26.075, Max budget: 0.25",
    type: "budget_exceeded",
    param: null,
    code: "429",
  },
};
const LITELLM_BEFORE = {
  message: "ExceededBudget: End User=ishaan3 over budget. Spend=0.0008869999999999999, Budget=0.0001",
  type: "auth_error",
  param: "None",
  code: 400,
};
const OPENROUTER = {
  error: { code: 402, message: "Insufficient credits. Add more using https://openrouter.ai/credits" },
};
const RESOLD = {
  error: {
    message: "Provider returned error",
    code: 402,
    metadata: {
      raw: '{"error":{"code":"402","message":"Insufficient account balance","type":"insufficient_balance"}}',
    },
  },
};
const GEMINI_RATE = {
  error: {
    code: 429,
    message: "You exceeded your current quota, please check your plan and billing details. Please retry in 20s.",
    status: "RESOURCE_EXHAUSTED",
    details: [{ "@type": "type.googleapis.com/google.rpc.RetryInfo", retryDelay: "20s" }],
  },
};

/** What the vendors' own SDKs throw: an error with the status, and the body or its `error` beside it. */
function sdkError(status: number, body: object): Error {
  const inner = "error" in body ? (body.error as object) : body;
  return Object.assign(new Error(`${status} ${JSON.stringify(body)}`), { ...inner, status, error: body });
}

function apiCallError(statusCode: number, body: object, parsed = false): APICallError {
  return new APICallError({
    message: (body as { error?: { message?: string } }).error?.message ?? "Bad Request",
    url: "https://api.example.com/v1/chat/completions",
    requestBodyValues: {},
    statusCode,
    responseBody: JSON.stringify(body),
    ...(parsed ? { data: body } : {}),
  });
}

const SPENT: readonly [string, number, object][] = [
  ["OpenAI's quota", 429, OPENAI_QUOTA],
  ["OpenAI's hard limit", 400, { error: { code: "billing_hard_limit_reached", type: "invalid_request_error" } }],
  ["Anthropic's credit balance", 400, ANTHROPIC_CREDIT],
  ["Anthropic's billing", 402, ANTHROPIC_BILLING],
  ["Anthropic's usage limit", 400, ANTHROPIC_LIMIT],
  ["LiteLLM's budget", 429, LITELLM],
  ["LiteLLM's budget, before it had a type", 400, LITELLM_BEFORE],
  ["OpenRouter's credits", 402, OPENROUTER],
  ["a reseller's account", 402, RESOLD],
  ["any 402", 402, {}],
];

const OTHER: readonly [string, number, object][] = [
  ["OpenAI's rate limit", 429, OPENAI_RATE],
  ["Gemini's rate limit, which speaks of quota and billing", 429, GEMINI_RATE],
  ["Anthropic's overload", 529, { type: "error", error: { type: "overloaded_error", message: "Overloaded" } }],
  ["a wrong key", 401, { error: { code: "invalid_api_key", message: "Incorrect API key provided" } }],
  ["a server error", 500, {}],
];

describe("an upstream without money [arcp-9.6-upstream-translated]", () => {
  it.each(SPENT)("%s (%i), however its SDK wraps it", (_, status, body) => {
    const parsed = apiCallError(status, body, true);
    const wrapped: readonly unknown[] = [
      sdkError(status, body),
      apiCallError(status, body),
      parsed,
      new RetryError({
        message: "Failed after 3 attempts",
        reason: "maxRetriesExceeded",
        errors: [new Error("x"), parsed],
      }),
      new Error("the step failed", { cause: new Error("the call failed", { cause: parsed }) }),
      new AggregateError([new Error("x"), parsed]),
      Object.assign(new Error("Request failed"), { response: { status, data: body } }),
      { type: "error", error: parsed },
    ];
    for (const error of wrapped) {
      const translated = translate(error);
      expect(translated).toBeInstanceOf(CodedError);
      expect(translated).toMatchObject({ code: "BUDGET_EXHAUSTED", retryable: false, cause: error });
      expect(translated?.details?.upstream).toBeTypeOf("object");
      expect(() => JSON.stringify(translated?.toBody())).not.toThrow();
    }
  });

  it("is told with what the vendor said", () => {
    expect(translate(sdkError(429, OPENAI_QUOTA))?.details).toEqual({
      upstream: { status: 429, code: "insufficient_quota", message: OPENAI_QUOTA.error.message },
    });
    expect(translate(apiCallError(402, OPENROUTER))?.message).toContain("Insufficient credits");
    expect(translate(ANTHROPIC_CREDIT)?.message).toContain("credit balance is too low");
    expect(translate(JSON.stringify(LITELLM))?.details).toEqual({
      upstream: { code: "budget_exceeded", message: LITELLM.error.message },
    });
  });

  it("is what it is when it is one of ours", () => {
    const own = new CodedError("BUDGET_EXHAUSTED", "USD reads 0");
    expect(translate(own)).toBe(own);
    expect(translate(new Error("wrapped", { cause: own }))?.code).toBe("BUDGET_EXHAUSTED");
  });
});

describe("anything else is something else", () => {
  it.each(OTHER)("%s (%i)", (_, status, body) => {
    for (const error of [sdkError(status, body), apiCallError(status, body), apiCallError(status, body, true)]) {
      expect(translate(error)).toBeUndefined();
    }
  });

  it.each([undefined, null, 0, 402, "", "402", "no budget", [], {}, new Error("x"), Symbol("x"), () => 402])(
    "%s",
    (thrown) => {
      expect(translate(thrown)).toBeUndefined();
    },
  );

  it("whatever an error does to its reader", () => {
    const loop: { cause?: unknown } = {};
    loop.cause = loop;
    const trap = new Proxy(new Error("x"), {
      get() {
        throw new Error("do not look");
      },
    });
    let deep: unknown = { error: { code: "insufficient_quota" } };
    for (let level = 0; level < 1_000; level++) deep = { cause: deep };
    for (const error of [loop, trap, deep, { responseBody: `{${" ".repeat(100_000)}` }]) {
      expect(translate(error)).toBeUndefined();
    }
  });
});
