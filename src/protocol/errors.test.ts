import { describe, expect, test } from "vitest";
import { CodedError, ERRORS, type ErrorCode, isErrorCode } from "./errors.ts";

describe("the table", () => {
  test("has the codes of the draft, and no others [arcp-12-codes]", () => {
    expect(Object.keys(ERRORS)).toEqual([
      "PERMISSION_DENIED",
      "LEASE_SUBSET_VIOLATION",
      "JOB_NOT_FOUND",
      "DUPLICATE_KEY",
      "AGENT_NOT_AVAILABLE",
      "AGENT_VERSION_NOT_AVAILABLE",
      "CANCELLED",
      "TIMEOUT",
      "RESUME_WINDOW_EXPIRED",
      "HEARTBEAT_LOST",
      "LEASE_EXPIRED",
      "BUDGET_EXHAUSTED",
      "INVALID_REQUEST",
      "UNAUTHENTICATED",
      "INTERNAL_ERROR",
    ]);
  });

  test("fixes what the draft fixes [arcp-12-authority-not-retryable] [arcp-12-internal-retryable]", () => {
    expect(ERRORS.LEASE_EXPIRED.retryable).toBe(false);
    expect(ERRORS.BUDGET_EXHAUSTED.retryable).toBe(false);
    expect(ERRORS.INTERNAL_ERROR.retryable).toBe(true);
  });

  test.each(["toString", "__proto__", "internal_error", "", undefined, 5])("does not hold %j", (code) => {
    expect(isErrorCode(code)).toBe(false);
  });
});

describe("an error on the wire", () => {
  test.each(Object.keys(ERRORS) as ErrorCode[])(
    "%s says whether a retry can help [arcp-12-retryable-present]",
    (code) => {
      const { retryable } = ERRORS[code];
      expect(new CodedError(code, "why").toBody()).toEqual({ code, message: "why", retryable });
    },
  );

  test("keeps stack and cause in the process", () => {
    const error = new CodedError("TIMEOUT", "why", { retryable: false, details: { a: 1 }, cause: new Error("secret") });
    expect(error.toBody()).toEqual({ code: "TIMEOUT", message: "why", retryable: false, details: { a: 1 } });
  });
});
