/** How many answers that take long one principal may be reading at a time: followed logs, feeds, artifacts, results. */
import type { ServerResponse } from "node:http";
import { type Principal, type PrincipalKey, principalKey } from "../kernel/principal.ts";
import { HttpError } from "./api-error.ts";

/** More are refused with 429. */
export const MAX_LONG_ANSWERS = 64;
/** A reader that takes nothing for this long is given up: its connection is destroyed. */
export const STALLED_READER_MS = 120_000;

export class LongAnswers {
  readonly #counts = new Map<PrincipalKey, number>();

  /**
   * Counts one more; returns how to count it as over, to be called once.
   * @throws HttpError 429
   */
  begin(principal: Principal): () => void {
    const key = principalKey(principal);
    const count = this.#counts.get(key) ?? 0;
    if (count >= MAX_LONG_ANSWERS) {
      const message = `at most ${MAX_LONG_ANSWERS} logs, feeds, artifacts and results of one principal are read at a time`;
      throw new HttpError(429, "INTERNAL_ERROR", message, { details: { limit: MAX_LONG_ANSWERS } });
    }
    this.#counts.set(key, count + 1);
    return () => {
      const left = (this.#counts.get(key) ?? 1) - 1;
      if (left === 0) this.#counts.delete(key);
      else this.#counts.set(key, left);
    };
  }

  /**
   * Counts an answer of bytes until it is over, and gives its reader up when it takes nothing.
   * @throws HttpError 429
   */
  watch(principal: Principal, response: ServerResponse): void {
    const over = this.begin(principal);
    if (response.destroyed) return over();
    response.once("close", over);
    // The socket knows when something was last taken. It forgets about this when the answer is over.
    response.setTimeout(STALLED_READER_MS, () => response.destroy());
  }
}
