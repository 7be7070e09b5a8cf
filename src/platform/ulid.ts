/** ULIDs: 48 bits of milliseconds and 80 random bits, 26 characters of Crockford's base 32. */
import type { Clock, IdPrefix, Ids, Randomness } from "./world.ts";

const ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const TIME_LENGTH = 10;
const RANDOM_LENGTH = 16;
/** Random bytes are drawn for this many ids at once: one call into the generator costs more than one id. */
const IDS_PER_DRAW = 64;

/** Every two characters, by the ten bits they stand for: ids are made of few long pieces rather than many short ones. */
const PAIRS: readonly string[] = Array.from(ALPHABET).flatMap((high) => Array.from(ALPHABET, (low) => high + low));

/** `value` (a non-negative safe integer) in base 32, padded with zeros on the left to `length` characters, an even number. */
export function encodeBase32(value: number, length: number): string {
  let text = "";
  let rest = value;
  for (let position = 0; position < length; position += 2) {
    text = PAIRS[rest % 1024] + text;
    rest = Math.floor(rest / 1024);
  }
  return text;
}

/** Ids whose time part comes from `clock` and whose random part comes from `random`. */
export function createIds(clock: Clock, random: Randomness): Ids {
  let pool: Uint8Array = new Uint8Array(0);
  let used = 0;
  let lastTime = -1;
  let timeText = "";

  return {
    next(prefix: IdPrefix): string {
      if (used + RANDOM_LENGTH > pool.length) {
        pool = random.bytes(RANDOM_LENGTH * IDS_PER_DRAW);
        used = 0;
      }
      const now = clock.now();
      if (now !== lastTime) {
        lastTime = now;
        timeText = encodeBase32(now, TIME_LENGTH);
      }
      let text = `${prefix}_${timeText}`;
      for (let index = 0; index < RANDOM_LENGTH; index += 2) {
        text += PAIRS[(((pool[used++] as number) & 31) << 5) | ((pool[used++] as number) & 31)];
      }
      return text;
    },
  };
}
