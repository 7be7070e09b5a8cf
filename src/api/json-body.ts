/** Bodies of requests: JSON, as ARCP takes it in a frame. */
import { MAX_NESTING } from "../protocol/codec.ts";
import { CodedError } from "../protocol/errors.ts";
import { cutDeepText, nestsDeeper, SHORT_TEXT } from "../protocol/nesting.ts";
import { invalidField } from "./api-error.ts";

/**
 * Names such as `__proto__` are fields like any other: nothing here copies them into an object of ours.
 * @throws CodedError INVALID_REQUEST
 */
export function parseJsonBody(text: string): unknown {
  if (text === "") {
    throw new CodedError("INVALID_REQUEST", "the body is empty, and its content-type says that it is JSON");
  }
  // Long text is looked at before it is parsed, which would hold everyone up.
  if (cutDeepText(text, MAX_NESTING) !== undefined) throw tooDeep();
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    // The parser's own message quotes the body, which may hold a secret.
    throw new CodedError("INVALID_REQUEST", "the body is not JSON");
  }
  if (text.length <= SHORT_TEXT && nestsDeeper(body, MAX_NESTING)) throw tooDeep();
  return body;
}

function tooDeep(): CodedError {
  return invalidField("body", `must be nested at most ${MAX_NESTING} deep`);
}
