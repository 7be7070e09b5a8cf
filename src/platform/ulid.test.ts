import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createIds, encodeBase32 } from "./ulid.ts";

const ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/** Ids whose clock and random bytes the test sets. */
function setUp(bytes: (length: number) => Uint8Array) {
  const time = { now: 0 };
  return { time, ids: createIds({ now: () => time.now }, { bytes }) };
}

describe("an id", () => {
  it("[reading-ids] is its prefix, an underscore and 26 characters of Crockford's base 32", () => {
    const { ids, time } = setUp((length) => crypto.getRandomValues(new Uint8Array(length)));
    time.now = 1_767_225_600_000;
    for (const prefix of ["job", "sess", "msg", "res", "cmd"] as const) {
      expect(ids.next(prefix)).toMatch(new RegExp(`^${prefix}_[0-7][0-9A-HJKMNP-TV-Z]{25}$`));
    }
  });

  it("begins with its time, as the ULID specification has it", () => {
    const { ids, time } = setUp((length) => new Uint8Array(length));
    time.now = 1_469_918_176_385;
    expect(ids.next("job")).toBe("job_01ARYZ6S410000000000000000");
  });

  it("sorts after every id of an earlier millisecond, up to the last one there is", () => {
    const times = fc.uniqueArray(fc.nat({ max: 2 ** 48 - 1 }), { minLength: 2, maxLength: 20 });
    fc.assert(
      fc.property(times, (moments) => {
        const { ids, time } = setUp((length) => crypto.getRandomValues(new Uint8Array(length)));
        const made = moments
          .toSorted((a, b) => a - b)
          .map((now) => {
            time.now = now;
            return ids.next("job");
          });
        expect(made.toSorted()).toEqual(made);
      }),
    );
  });

  it("uses every random byte once", () => {
    let drawn = 0;
    const { ids } = setUp((length) => Uint8Array.from({ length }, () => drawn++ % 32));
    const made = Array.from({ length: 200 }, () => ids.next("job").slice(-16));
    const expected = Array.from({ length: 200 * 16 }, (_, index) => ALPHABET[index % 32]).join("");
    expect(made.join("")).toBe(expected);
  });

  it("is not met twice within a millisecond", () => {
    const { ids } = setUp((length) => crypto.getRandomValues(new Uint8Array(length)));
    expect(new Set(Array.from({ length: 10_000 }, () => ids.next("job"))).size).toBe(10_000);
  });
});

describe("base 32", () => {
  it("gives back the number it was made of, padded to its length", () => {
    fc.assert(
      fc.property(fc.nat({ max: 2 ** 48 - 1 }), (value) => {
        const text = encodeBase32(value, 10);
        expect(text).toHaveLength(10);
        expect([...text].reduce((sum, digit) => sum * 32 + ALPHABET.indexOf(digit), 0)).toBe(value);
      }),
    );
  });
});
